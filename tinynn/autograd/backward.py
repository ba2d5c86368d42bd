"""The reverse sweep: backward, grad (of any order), hvp, hessian.

The chain rule, from the loss down: each Node gets g = dL/d(its value), and its vjp turns g into one gradient for each
parent. A value that was used twice gets two, and *their sum* is its gradient. So a Node may be visited only when
all that used it have been visited: in a topological order.

    b = a + a;  c = b + b        visit c (b gets 1 + 1), then b (a gets 2 + 2), then a: dc/da = 4.
                                 Passing each contribution on as it arrives would be right, too, but takes 2^depth steps.

That order is at hand: a Node is made after its parents, so going by falling serial number never meets a parent first.
The sweep is a loop over that list, not a recursion, so a graph may be as deep as memory allows.

Read jacobian.py next for Jacobians, or check.py for how all of this is tested.
"""
from operator import attrgetter
from types import FunctionType

import numpy as np

from .op import Node
from .primitives import broadcast_to, sum_to_shape
from .settings import settings, switched
from .tensor import Leaf, Tensor

VIEWS = "broadcast_to", "getitem", "reshape", "transpose"       # ops whose value may lie in the memory of their argument


def ancestors(root: Node) -> list:
    """All Nodes that `root` was computed from, itself included, newest first (a topological order)."""
    seen, stack = {root}, [root]
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted((node for node in seen if type(node) is Node), key=attrgetter("serial"), reverse=True)


def sweep(root, seed, targets=None, create_graph=False, retain_graph=False) -> dict:
    """Gradients of sum(seed · root) as a table {Node or Leaf: gradient}.

    targets: None for all leaves, or a set of Nodes and Leafs: only paths that lead there are walked.
    The gradients are arrays, or with create_graph Tensors (seed too).
    """
    table = {root: seed}
    if type(root) is Leaf:
        return table
    order = ancestors(root)
    useful = None
    if targets is not None:                                 # from the oldest on: does a path lead to a target?
        useful = set(targets)
        useful.update(node for node in reversed(order) if any(parent in useful for parent in node.parents))
    for node in order:
        if useful is not None and not any(parent in useful for parent in node.parents):
            continue                                        # a target, or beside the way to one: left as it is
        g = table.get(node) if targets and node in targets else table.pop(node, None)
        if g is None:                                       # no gradient reached it
            continue
        for parent, gradient in zip(node.parents, vjp(node, g, useful, create_graph)):
            if gradient is not None:
                known = table.get(parent)
                table[parent] = gradient if known is None else known + gradient
        if not (retain_graph or create_graph):
            node.kept = None
    return table


def vjp(node, g, useful=None, create_graph=False) -> list:
    """One gradient for each argument of `node`, of its shape and dtype, or None where there is none or nobody asks."""
    op, kept = node.op, node.kept
    if kept is None:
        raise RuntimeError(f"the graph below {op.name} was freed by an earlier backward pass; to go through it again, "
                           "pass retain_graph=True to the first one, or compute the loss again")
    for parent in node.parents:
        while type(parent) is Node and parent.op.name in VIEWS and not copied(parent):
            parent = parent.parents[0]
        if type(parent) is Leaf and parent.changed > node.serial:
            raise RuntimeError(f"a leaf that {op.name} used has changed since: gradients would mix old and new values; "
                               "call backward before the optimizer's step, or compute the loss again")
    gradients = op.vjp_function(g, *(as_tensors(node) if create_graph else kept))
    if type(gradients) is not tuple:
        gradients = (gradients,)
    parents = node.parents[op.offset:] if op.offset else node.parents
    if len(gradients) != len(parents):
        check_count(node, parents, gradients)
    result = [None] * op.offset
    for parent, gradient in zip(parents, gradients):
        if parent is None or gradient is None or useful and parent not in useful:
            result.append(None)
            continue
        if type(gradient) is FunctionType:
            gradient = gradient()
        if getattr(gradient, "shape", None) != parent.shape:
            gradient = to_shape(gradient, parent.shape, node, len(result))
        if gradient.dtype != parent.dtype:
            gradient = gradient.astype(parent.dtype)
        if settings.anomaly and not np.isfinite(getattr(gradient, "_data", gradient)).all():
            raise FloatingPointError(f"the vjp of {op.name} made a gradient that is not finite")
        result.append(gradient)
    return result


def copied(node) -> bool:
    """Did x[index] copy, as it does where the index holds an array?"""
    if node.op.name != "getitem" or node.kept is None:
        return False
    index = node.kept[0]
    return any(isinstance(part, np.ndarray) for part in (index if isinstance(index, tuple) else (index,)))


def check_count(node, parents, gradients):
    """A vjp may leave settings at the end without a gradient; but no Tensor that requires one."""
    name, names = node.op.name, node.op.names
    for gradient in gradients:
        check_kind(node, gradient)
    if len(gradients) > len(parents):
        raise TypeError(f"the vjp of {name} returned {len(gradients)} gradients for {len(parents)} arguments")
    for i in range(len(gradients), len(parents)):
        if parents[i] is not None:
            raise TypeError(f"{name} has no gradient for its argument {names[min(i, len(names) - 1)]}, which requires one: "
                            "its vjp must return it; or, for a setting of the op, pass a number")


def check_kind(node, gradient):
    """Raise unless a vjp returned arrays, Tensors, functions of no arguments, or None."""
    if not isinstance(gradient, (np.ndarray, np.generic, Tensor, FunctionType, type(None))):
        raise TypeError(f"the vjp of {node.op.name} returned a {type(gradient).__name__}; expected an array, or a tuple of "
                        "arrays in the order of the arguments")


def to_shape(gradient, shape, node, i):
    """Undo broadcasting: a value that was used k times gets the sum of k gradients."""
    check_kind(node, gradient)
    try:
        return sum_to_shape(gradient, shape)
    except ValueError:
        name = node.op.names[min(i, len(node.op.names) - 1)]
        raise ValueError(f"the vjp of {node.op.name} returned a gradient of shape {gradient.shape} for its argument "
                         f"{name} of shape {shape}; they must be equal, or equal after summing over broadcast axes") from None


def as_tensors(node) -> list:
    """What the vjp named, as Tensors that are still part of the graph, so that its result can be differentiated."""
    def wrap(value, parent):
        return value if parent is None else Tensor._result(value, parent)

    kept = []
    for value, i in zip(node.kept, node.op.plan):           # the plan says where each came from: see Op.vjp
        if isinstance(i, slice):
            kept.append(tuple(wrap(v, parent) for v, parent in zip(value, node.parents[i.start:])))
        else:
            kept.append(wrap(value, node if i == -2 else node.parents[i] if i >= 0 else None))
    return kept


def start(y, grad, who):
    """Check y and the seed of a backward pass; return where it starts (a Node, a Leaf) and the seed."""
    if not isinstance(y, Tensor):
        raise TypeError(f"{who}: y is a {type(y).__name__}; expected a Tensor")
    if grad is None:
        if y.size != 1:
            raise ValueError(f"{who}: y has shape {y.shape}; only a scalar has a gradient. Sum it, or pass the gradient "
                             "of what comes after it (an array of the same shape)")
        return y._node, np.ones(y.shape, y.dtype)
    seed = grad.astype(y.dtype) if isinstance(grad, Tensor) else np.asarray(grad, dtype=y.dtype)
    if seed.shape != y.shape:
        raise ValueError(f"{who}: the seed has shape {seed.shape}, y has {y.shape}; they must be equal")
    return y._node, seed


def backward(y, grad=None, retain_graph=False):
    """Add d sum(grad · y) / dleaf to the `.grad` of every leaf that y was computed from.

    grad: an array of the shape of y; None (default) for a scalar y. retain_graph: keep what the vjps need, so that a
    second pass is possible. Raises ValueError for a y that is not a scalar without grad, RuntimeError for a freed graph.
    """
    root, seed = start(y, grad, "backward")
    if not y.requires_grad:
        raise ValueError("backward: y does not depend on any Tensor with requires_grad=True")
    for leaf, g in sweep(root, getattr(seed, "_data", seed), retain_graph=retain_graph).items():
        leaf.grad = np.array(g) if leaf.grad is None else np.asarray(leaf.grad + g)


def grad(y, xs, grad_output=None, create_graph=False, retain_graph=None) -> tuple:
    """(dy/dx for x in xs), each of the shape of x: arrays, or Tensors that can be differentiated with create_graph=True.

    y: a scalar Tensor, or any Tensor with grad_output of its shape, and then the gradient of sum(grad_output · y).
    xs: a list of Tensors with requires_grad (leaves or results); one that y does not depend on has a zero gradient.
    retain_graph: keep the graph for another pass; default: as create_graph. `.grad` is not touched.
    Raises RuntimeError where y was computed under no_grad: zeros would be wrong.
    """
    xs = as_list(xs, "grad: xs")
    for i, x in enumerate(xs):
        if not isinstance(x, Tensor) or not x.requires_grad:
            raise TypeError(f"grad: xs[{i}] is not a Tensor with requires_grad=True")
    root, seed = start(y, grad_output, "grad")
    if not y.requires_grad and not settings.record:
        raise RuntimeError("grad: nothing is recorded under no_grad, so y, which was computed there, has no gradient; for a "
                           "loss or a model that contains a derivative leave no_grad (and tn.evaluate, which uses it) out")
    seed = (seed if isinstance(seed, Tensor) else Tensor(seed)) if create_graph else getattr(seed, "_data", seed)
    targets = [x._node for x in xs]
    retain = create_graph if retain_graph is None else retain_graph
    with switched(settings, "record", True):                # under no_grad, too: a fused op's second derivative needs it
        table = sweep(root, seed, set(targets), create_graph, retain) if y.requires_grad else {}
    wrap = Tensor if create_graph else np.array
    return tuple((table[t] if create_graph else np.array(table[t])) if t in table else wrap(np.zeros(x.shape, x.dtype))
                 for t, x in zip(targets, xs))


def as_list(xs, what) -> list:
    """A list of Tensors as one; a Tensor is none: its rows would be taken for it."""
    if isinstance(xs, Tensor):
        raise TypeError(f"{what} is a Tensor; expected a list of Tensors, [x]")
    return list(xs)


def reference_vjp(reference, g, *args) -> tuple:
    """The vjp of a fused op on Tensors: the gradients of `reference`, the same function of `args` written in ops.

    So a kernel needs no second derivative of its own. The arguments are passed through a Node each, or a gradient would run
    on, past an argument, to another one from which it was computed.
    """
    inputs = [broadcast_to(a, a.shape) if isinstance(a, Tensor) and a.requires_grad else a for a in args]
    wanted = [a for a in inputs if isinstance(a, Tensor) and a.requires_grad]
    found = {id(a): d for a, d in zip(wanted, grad(reference(*inputs), wanted, g, create_graph=True))}
    return tuple(found.get(id(a)) for a in inputs)


def flatten(arrays) -> np.ndarray:
    """Arrays of any shape, one after the other, as one vector."""
    return np.concatenate([np.ravel(a) for a in arrays]) if arrays else np.zeros(0)


def unflatten(vector, params) -> list:
    """Pieces of a vector in the shapes of `params`: the inverse of flatten."""
    ends = np.cumsum([p.size for p in params])
    if np.shape(vector) != (ends[-1] if len(ends) else 0,):
        raise ValueError(f"expected a vector of {ends[-1] if len(ends) else 0} numbers, one for each parameter; "
                         f"got shape {np.shape(vector)}")
    return [np.reshape(vector[end - p.size:end], p.shape) for end, p in zip(ends, params)]


def hvp(closure, params, v) -> np.ndarray:
    """The Hessian of closure() times v, without the Hessian: the gradient of gᵀv, where g is the gradient.

    closure: returns a scalar Tensor. params: a list of Tensors. v: a vector, in the order of params, flattened.
    Costs a few gradients, whatever P (Pearlmutter 1994, Fast exact multiplication by the Hessian).
    """
    params = as_list(params, "hvp: params")
    with switched(settings, "record", True):
        gradients = grad(closure(), params, create_graph=True)
        return _second(gradients, params, unflatten(np.asarray(v), params))


def hessian(closure, params) -> np.ndarray:
    """The (P, P) matrix of second derivatives of closure() with respect to the P numbers in params: P passes."""
    params = as_list(params, "hessian: params")
    with switched(settings, "record", True):
        gradients = grad(closure(), params, create_graph=True)
        rows = [_second(gradients, params, unflatten(e, params)) for e in np.eye(sum(p.size for p in params))]
    return np.array(rows).reshape(len(rows), len(rows))


def _second(gradients, params, v) -> np.ndarray:
    """d(Σ gᵢᵀvᵢ)/d params, flattened; a gradient that is constant has none."""
    products = [(g * np.asarray(vi, g.dtype)).sum() for g, vi in zip(gradients, v) if g.requires_grad]
    if not products:
        return flatten([np.zeros(p.shape, p.dtype) for p in params])
    return flatten(grad(sum(products[1:], products[0]), params, retain_graph=True))
