"""summary: a table of a model's layers, to see at a glance what shapes flow and where the parameters are."""
from copy import deepcopy

import numpy as np

from ..autograd.settings import default_dtype, no_grad, settings, switched
from .module import Module, Parameter


def summary(model: Module, shape: tuple | int) -> str:
    """A table with a row for each layer: its output's shape for a batch of N, and its number of parameters.

    shape: of one example, without the batch axis: (1, 28, 28) for an image, or an int. Print the result.
    A copy of the model is run, in evaluation mode, on one example of zeros and on two, which shows where N is: the model and
    the random numbers stay as they are. A layer that runs twice has two rows, and its parameters count in the first.
    """
    shape = (shape,) if isinstance(shape, int) else shape
    model, counted, runs = deepcopy(model).eval(), set(), []

    def watched(layer, forward):
        def run(*inputs, **options):
            y = forward(*inputs, **options)
            own = {id(p): p.size for _, p in layer._members() if isinstance(p, Parameter) and id(p) not in counted}
            counted.update(own)
            runs[-1].append((repr(layer), y, f"{sum(own.values()):,}"))
            return y
        return run

    for module in model.modules():
        if not module.children() or any(isinstance(value, Parameter) for _, value in module._members()):
            module.forward = watched(module, module.forward)        # on this object; its class stays as it is
    parameters = model.parameters()
    dtype = parameters[0].dtype if parameters else default_dtype()
    with no_grad(), switched(settings, "generator", deepcopy(settings.rng)):
        for n in (1, 2):
            runs.append([])
            model(np.zeros((n, *shape), dtype))
    rows = [(layer, shape_of(one, two), size) for (layer, one, size), (_, two, _) in zip(*runs)]
    rows = [("layer", "output", "parameters"), *rows, ("total", "", f"{sum(p.size for p in parameters):,}")]
    width = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(f"{a:<{width[0]}}  {b:<{width[1]}}  {c:>{width[2]}}" for a, b, c in rows)


def shape_of(one, two) -> str:
    """(N, 10) for outputs of shapes (1, 10) and (2, 10), of one example and of two; for several outputs, their shapes."""
    if isinstance(one, (list, tuple)):
        return ", ".join(shape_of(a, b) for a, b in zip(one, two) if a is not None)         # of attention: no weights, perhaps
    return f"({', '.join(length(a, b - a) for a, b in zip(one.shape, two.shape))})"


def length(one, step) -> str:
    """That of an axis, which is `one` for one example and grows by `step` with each: "4", "N", "16N", "N+1"."""
    if step == 0:
        return str(one)
    return ("N" if step == 1 else f"{step}N") + (f"{one - step:+d}" if one != step else "")
