"""Jacobians of residuals, one row per example: what Levenberg–Marquardt needs.

For residuals r of shape (N,) or (N, K), J[n, p] = dr[n] / dw[p]. A backward pass gives uᵀJ for one u, so N passes give J.
But most models treat their examples (the rows of every array in them) independently, and then one pass does (K passes, for r
of shape (N, K)): with the seed u = (1, ..., 1), the gradient that arrives at row n of a hidden array comes from r[n] alone.
Gradients mix only at the last moment, where a parameter meets the data and the sum over examples is taken; so we don't take
it:

    y = x Wᵀ            dL/dW = gᵀx = Σₙ g[n] x[n]ᵀ           the sweep: the sum over n
                        dr[n]/dW = g[n] x[n]ᵀ                 here: its terms, (N, n_out, n_in)

For elementwise ops the vjp gives the terms by itself; others state them with `@an_op.per_example`: for the arguments that
have no example axis, the gradients with an example axis in front.

That is wrong, silently, where rows are coupled (batch norm). So the result is compared with one ordinary backward pass,
in a random direction; if they differ, or an op has no rule, each row gets a pass of its own. Slow, but right.
"""
import numpy as np

from .backward import ancestors, as_list, flatten, sweep, vjp
from .op import Node
from .primitives import sum_to_shape
from .settings import settings, switched
from .tensor import Leaf, Tensor

BLOCK = 1 << 18          # numbers in one block of rows: 2 MiB of float64, about what a core's cache holds


class RowsCoupled(Exception):
    """The examples are not independent rows, or an op in the graph cannot say so."""


def jacobian(closure, params) -> np.ndarray:
    """The Jacobian of the residuals closure() with respect to params: an array (residuals, parameters).

    closure: returns a Tensor with examples along its first axis; its elements, flattened, are the rows.
    params: a list of leaf Tensors; their elements, flattened in this order, are the columns. An unused one has zeros.
    """
    params = as_list(params, "jacobian: params")
    for i, p in enumerate(params):
        if not isinstance(p, Tensor) or type(p._node) is not Leaf:
            raise TypeError(f"jacobian: params[{i}] is not a leaf, a Tensor with requires_grad=True; leave frozen ones out")
    with switched(settings, "record", True):
        residual = check_residual(closure(), "jacobian")
    J = np.zeros((residual.size, sum(p.size for p in params)), residual.dtype)
    if not residual.requires_grad:
        return J
    try:
        for rows, block in fast_blocks(residual, params):
            J[rows] = block
        if agrees(lambda u: J.T @ u, residual, params):
            return J
    except RowsCoupled:
        pass
    for rows, block in row_by_row(residual, params):
        J[rows] = block
    return J


def check_residual(residual, who) -> Tensor:
    """The Tensor that a closure returned, if it has rows."""
    if not isinstance(residual, Tensor) or residual.ndim == 0:
        shape = f" of shape {residual.shape}" if hasattr(residual, "shape") else ""
        raise TypeError(f"{who}: closure() returned a {type(residual).__name__}{shape}; expected a Tensor of "
                        "residuals with examples along the first axis, such as model(x) - y")
    return residual


def jacobian_blocks(residual, params, trusted=False):
    """Yield (slice of rows, those rows of the Jacobian), so that the whole Jacobian need never be in memory.

    The blocks reuse one buffer: copy what is to be kept. trusted: skip the comparison with a backward pass, for a graph
    like one that passed it.
    """
    if not residual.requires_grad:
        yield slice(0, residual.size), np.zeros((residual.size, sum(p.size for p in params)), residual.dtype)
        return
    if trusted or rows_independent(residual, params):
        yield from fast_blocks(residual, params)
    else:
        yield from row_by_row(residual, params)


def rows_independent(residual, params) -> bool:
    """Does the fast pass give the Jacobian?"""
    try:
        return agrees(lambda u: sum(block.T @ u[rows] for rows, block in fast_blocks(residual, params)), residual, params)
    except RowsCoupled:
        return False


def agrees(product, residual, params) -> bool:
    """Is product(u) the Jᵀu that an ordinary backward pass gives? u is random: with ones, coupled rows could cancel."""
    u = np.random.default_rng(0).standard_normal(residual.shape).astype(residual.dtype)
    table = sweep(residual._node, u, retain_graph=True)
    expected = flatten([table.get(p._node, np.zeros(p.shape, p.dtype)) for p in params])
    coarsest = max((np.finfo(a.dtype) for a in (residual, *params)), key=lambda info: info.eps)
    tolerance = 1e3 * coarsest.eps * max(np.linalg.norm(expected), coarsest.tiny)
    return bool(np.linalg.norm(product(u.ravel()) - expected) <= tolerance)


def row_by_row(residual, params):
    """One backward pass for each residual: right for any graph."""
    size = sum(p.size for p in params)
    per_block = max(1, BLOCK // max(size, 1))
    for start in range(0, residual.size, per_block):
        rows = slice(start, min(start + per_block, residual.size))
        block = np.zeros((rows.stop - start, size), residual.dtype)
        for i in range(rows.start, rows.stop):
            seed = np.zeros(residual.size, residual.dtype)
            seed[i] = 1
            table = sweep(residual._node, seed.reshape(residual.shape), {p._node for p in params}, retain_graph=True)
            write(block[i - start], params, {leaf: g[None] for leaf, g in table.items()})
        yield rows, block


def fast_blocks(residual, params):
    """The terms of the sum over examples, a block of examples at a time; right if the rows are independent."""
    n = len(residual)
    columns = residual.size // max(n, 1)                                      # K: residuals per example
    size = sum(p.size for p in params)
    row_nodes, parameter_nodes = classify(residual._node, n)
    seeds = np.eye(columns, dtype=residual.dtype)
    meetings = [rows_sweep(residual, np.broadcast_to(seed, (n, columns)).reshape(residual.shape), row_nodes)
                for seed in seeds]                                            # for each k: [(node, g), ...]
    per_block = max(1, BLOCK // max(size * columns, 1))
    buffer = np.empty((min(per_block, n), columns, size), residual.dtype)
    for start in range(0, n, per_block):
        stop = min(start + per_block, n)
        block = buffer[:stop - start]
        for k in range(columns):
            write(block[:, k], params, terms(meetings[k], parameter_nodes, start, stop, n))
        yield slice(start * columns, stop * columns), block.reshape(-1, size)    # (B, K, P) -> (B·K, P)


def classify(root, n) -> tuple:
    """Split the graph into Nodes that have an example axis, newest first, and Nodes made from parameters only.

    Constants, the data among them, are None in a Node's parents; that data came in shows only where the shape has grown. So
    what is elementwise and has the shape of its recorded inputs, or only moves their elements, counts as made from
    parameters. Where that is wrong, as for x·w with x and w of one shape, `agrees` will notice.
    """
    rows, parameters = set(), set()
    order = ancestors(root)
    for node in reversed(order):
        inputs = [p for p in node.parents if p is not None]
        if any(p in rows for p in inputs):
            rows.add(node)
        elif node.op.elementwise and node.shape == np.broadcast_shapes(*(p.shape for p in inputs)) \
                or node.op.name in ("reshape", "transpose", "getitem"):
            parameters.add(node)
        else:
            rows.add(node)
        if node in rows and node.shape[:1] != (n,):
            raise RowsCoupled(f"{node.op.name} made an array of shape {node.shape}, without the {n} examples in front")
    if root not in rows:
        raise RowsCoupled("the residuals are made from parameters only")
    return [node for node in order if node in rows], [node for node in order if node in parameters]


def rows_sweep(residual, seed, row_nodes) -> list:
    """The backward sweep through the Nodes with an example axis: where they meet parameters, as (node, g)."""
    table, meetings, rows = {residual._node: seed}, [], set(row_nodes)
    for node in row_nodes:
        g = table.pop(node, None)
        if g is None:
            continue
        if any(p is not None and p not in rows for p in node.parents):
            meetings.append((node, g))
        for parent, gradient in zip(node.parents, vjp(node, g, rows)):
            if gradient is not None:
                known = table.get(parent)
                table[parent] = gradient if known is None else known + gradient
    return meetings


def terms(meetings, parameter_nodes, start, stop, n) -> dict:
    """{Leaf: an array (B, *its shape)}: the gradients of residuals start..stop, one along each example's row."""
    table = {}

    def push(node, g, kept, only):
        function = node.op.vjp_function if node.op.elementwise else node.op.rows_function
        if function is None:
            raise RowsCoupled(f"{node.op.name} has no per_example rule")
        try:
            gradients = function(g, *kept)
            gradients = gradients if type(gradients) is tuple else (gradients,)
            for parent, gradient in zip(node.parents, gradients):
                if parent is None or gradient is None or not only(parent):
                    continue
                gradient = per_row(gradient() if callable(gradient) else gradient, parent.shape)
                known = table.get(parent)
                table[parent] = gradient if known is None else known + gradient
        except (NotImplementedError, ValueError, IndexError) as error:        # shapes that the rule was not made for
            raise RowsCoupled(f"{node.op.name}: {error}") from None

    without_rows = set(parameter_nodes)
    for node, g in meetings:
        kept = [part(value, node, i, without_rows, start, stop, n) for value, i in zip(node.kept, node.op.plan)]
        push(node, g[start:stop], kept, lambda p: type(p) is not Node or p in without_rows)
    for node in parameter_nodes:
        g = table.pop(node, None)
        if g is not None:
            push(node, g, node.kept, lambda p: True)
    return table


def part(value, node, i, without_rows, start, stop, n):
    """The rows start..stop of what a vjp named, if it has an example axis: y has, and inputs shaped like it."""
    if isinstance(i, slice):
        raise RowsCoupled(f"{node.op.name} takes any number of arguments")
    parent = node.parents[i] if i >= 0 else None
    if parent is not None and (type(parent) is not Node or parent in without_rows):
        return value
    has_rows = isinstance(value, np.ndarray) and value.ndim >= len(node.shape) and value.shape[:1] == (n,)
    return value[start:stop] if has_rows else value


def per_row(g, shape) -> np.ndarray:
    """(B, ...) -> (B, *shape): undo broadcasting, but keep the examples apart."""
    if g.ndim == len(shape):
        g = g[:, None]                                                        # the parameter has an axis of length 1
    if g.shape[1:] == shape:
        return g
    middle = (1,) * (g.ndim - 1 - len(shape))
    return sum_to_shape(g, g.shape[:1] + middle + shape).reshape(g.shape[:1] + shape)


def write(block, params, table):
    """Fill the rows of a Jacobian from {Leaf: (B, *shape)}; a parameter that is not there has zeros."""
    column = 0
    for p in params:
        g = table.get(p._node)
        block[..., column:column + p.size] = 0 if g is None else g.reshape(len(g), p.size)
        column += p.size
