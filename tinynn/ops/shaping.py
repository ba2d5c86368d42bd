"""Ops that move numbers about and change none: reshape, transpose, indexing, concatenate, stack, pad.

Their vjps move the gradients back. `broadcast_to` and `sum_to_shape` live in autograd/primitives.py.
A `per_example` rule (see autograd/jacobian.py) is the same move with one more axis in front.
"""
import numpy as np

from ..autograd.op import op, saved
from ..autograd.tensor import Tensor, as_array


@op(shapes="(m,n)->(k)", rule="the new shape must hold as many elements as x")
def reshape(x, shape):
    """The elements of x in row-major order in a new shape, where one length may be −1; the gradient goes back."""
    return saved(np.reshape(x, shape), np.shape(x))


@reshape.vjp
def _(g, saved):
    return reshape(g, saved)


@reshape.per_example
def _(g, saved):
    return reshape(g, (len(g),) + saved)


@op(shapes="(m,n)->(n,m)", rule="axes must name each axis of x once")
def transpose(x, axes=None):
    """The axes of x in another order (default: reversed); the gradient's axes go back."""
    return np.transpose(x, axes)


@transpose.vjp
def _(g, axes):
    return transpose(g, None if axes is None else inverse(axes))


@transpose.per_example
def _(g, axes):
    back = inverse(axes) if axes is not None else range(g.ndim - 2, -1, -1)
    return transpose(g, (0, *(i + 1 for i in back)))


def inverse(axes) -> tuple:
    """The permutation that undoes `axes`."""
    return tuple(int(i) for i in np.argsort([axis % len(axes) for axis in axes]))


def swapaxes(x, i, j):
    """x with its axes i and j exchanged."""
    axes = list(range(np.ndim(x)))
    if not all(-len(axes) <= axis < len(axes) for axis in (i, j)):
        raise ValueError(f"swapaxes: the axes are {i} and {j}; x has {len(axes)}")
    axes[i], axes[j] = axes[j], axes[i]
    return transpose(x, tuple(axes))


def expand_dims(x, axis):
    """x with a new axis of length 1 at `axis`, counted in the result."""
    ndim = np.ndim(x) + 1
    if not isinstance(axis, (int, np.integer)):
        raise TypeError(f"expand_dims: axis is {axis!r}; expected an int")
    if not -ndim <= axis < ndim:
        raise ValueError(f"expand_dims: axis is {axis}; the result has {ndim} axes")
    axis %= ndim
    shape = np.shape(x)
    return reshape(x, shape[:axis] + (1,) + shape[axis:])


def squeeze(x, axis=None):
    """x without the given axis, or tuple of axes, of length 1 (default: without any of them)."""
    shape, ndim = np.shape(x), np.ndim(x)
    given = [i for i, n in enumerate(shape) if n == 1] if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if any(not -ndim <= i < ndim or shape[i] != 1 for i in given):
        raise ValueError(f"squeeze: shape {shape} has no axis {axis} of length 1")
    return reshape(x, tuple(n for i, n in enumerate(shape) if i not in given and i - ndim not in given))


@op(shapes="(m,n)->(n)")
def getitem(x, index):
    """x[index], for basic (numbers, slices, None, ...), integer-array and bool indices.

    dL/dx is dL/dy put where it was taken from, and 0 elsewhere; an element that was taken twice gets the sum.
    """
    return saved(np.array(x[index]) if not is_basic(index) else x[index], x.shape)


@getitem.vjp
def _(g, index, saved):
    return put(g, index, saved)


@getitem.per_example
def _(g, index, saved):
    index = index if isinstance(index, tuple) else (index,)
    return put(g, (slice(None), *index), (len(g),) + saved)


@op(shapes="(n)->(m,n)")
def put(g, index, shape):
    """The transpose of getitem: zeros of `shape` with g added at `index`."""
    result = np.zeros(shape, np.asarray(g).dtype)
    if is_basic(index):
        result[index] = g
    else:
        np.add.at(result, index, g)
    return result


@put.vjp
def _(g, index):
    return getitem(g, index)


def is_basic(index) -> bool:
    """True if x[index] is a view, in which no element occurs twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is Ellipsis or isinstance(part, (int, np.integer, slice))
               and not isinstance(part, (bool, np.bool_)) for part in parts)


def take(x, index):
    """x[index], where the index may hold Tensors of ints; what `x[index]` calls. Arrays in it are copied, for the way back."""
    def own(i):
        i = as_array(i)
        return i.copy() if isinstance(i, np.ndarray) else i
    index = tuple(own(i) for i in index) if isinstance(index, tuple) else own(index)
    return getitem(x, np.asarray(index, None if index else int) if isinstance(index, list) else index)


@op(shapes="(),(m),(n)->(k)", rule="the xs must have equal shapes, but for the length along axis")
def joined(axis, *xs):
    """The op behind concatenate: dL/dx is the slice of dL/dy where x went."""
    ends = np.cumsum([x.shape[axis] for x in xs])
    axis = axis % xs[0].ndim
    pieces = [(slice(None),) * axis + (slice(int(end) - x.shape[axis], int(end)),) for end, x in zip(ends, xs)]
    return saved(np.concatenate(xs, axis), pieces)


joined.name = "concatenate"            # in messages: what its users have called


@joined.vjp
def _(g, saved):
    return tuple(lambda piece=piece: getitem(g, piece) for piece in saved)


def concatenate(xs, axis=0):
    """The arrays or Tensors of a list, one after the other along an existing axis."""
    xs = [x if isinstance(x, Tensor) else np.asarray(x) for x in xs]
    if not xs:
        raise ValueError("concatenate: xs is empty; expected at least one array")
    return joined(axis, *xs)


def stack(xs, axis=0):
    """The arrays or Tensors of a list, all of one shape, along a new axis."""
    xs = [expand_dims(x, axis) for x in xs]
    return xs[0] if len(xs) == 1 else concatenate(xs, axis)


@op(shapes="(n)->(m)")
def pad(x, width, value=0.0):
    """x with `value` around it; width as in np.pad: n, (before, after), or a pair for each axis."""
    y = np.pad(x, width, constant_values=value)
    pairs = np.broadcast_to(width, (x.ndim, 2))
    return saved(y, tuple(slice(int(before), int(before) + n) for (before, _), n in zip(pairs, x.shape)))


@pad.vjp
def _(g, saved):
    return getitem(g, saved)
