"""How Tensors and Modules show themselves in a notebook: importing this file gives them `_repr_html_`. tinynn does so where
IPython runs.

It hangs the methods on from outside, as ops/operators.py does with the operators: the engine knows no HTML.
"""
from html import escape

import numpy as np

from ..autograd.tensor import Leaf, Tensor
from ..nn.module import Module, Parameter


def tensor_html(x: Tensor) -> str:
    """Shape, dtype, where x comes from, and its values, shortened to the first and last three of each axis."""
    facts = [str(x.shape), str(x.dtype)]
    if type(x._node) is Leaf:
        facts.append("requires_grad=True" + ", has a gradient" * (x.grad is not None))
    elif x.requires_grad:
        facts.append(f"made by {x._node.op.name}")
    values = np.array2string(x.numpy(), precision=4, threshold=100, edgeitems=3, max_line_width=100)
    return f"<b>{type(x).__name__}</b> {escape(', '.join(facts))}<pre>{escape(values)}</pre>"


def module_html(model: Module) -> str:
    """A table with a row for each layer: where it is, what it is, its parameters and how many numbers they hold."""
    rows, counted = [], set()
    for prefix, module in model._walk():
        own = [(name, p) for name, p in module._members() if isinstance(p, Parameter)]
        if own or not module.children():
            new = {id(p): p.size for _, p in own if id(p) not in counted}               # a tied parameter counts once
            counted.update(new)
            shapes = ", ".join(f"{name} {p.shape}" for name, p in own)
            rows.append((prefix.rstrip("."), repr(module), shapes, f"{sum(new.values()):,}" if own else ""))
    parameters = model.parameters()
    facts = [f"{sum(p.size for p in parameters):,} parameters", *sorted({str(p.dtype) for p in parameters}),
             "training" if model.training else "evaluation"]
    table = "".join(tr(row, "td") for row in rows)
    return (f"<b>{type(model).__name__}</b> {', '.join(facts)}<table>{tr(('', 'layer', 'parameters', 'numbers'), 'th')}"
            f"{table}</table>")


def tr(cells, kind) -> str:
    """A row of a table; the last cell holds a number."""
    sides = ["left"] * (len(cells) - 1) + ["right"]
    columns = (f'<{kind} style="text-align:{side}">{escape(cell)}</{kind}>' for cell, side in zip(cells, sides))
    return f"<tr>{''.join(columns)}</tr>"


Tensor._repr_html_, Module._repr_html_ = tensor_html, module_html
