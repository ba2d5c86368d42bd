"""Ops that take axes away: sum, mean, var, max, min, logsumexp; and softmax and log_softmax, which need those sums.

axis: an int, a tuple of ints, or None (default) for all axes. keepdims: leave the axis, with length 1.
"""
import numpy as np

from ..autograd.op import op, saved
from ..autograd.primitives import broadcast_to
from ..autograd.tensor import as_array
from .arithmetic import where
from .dtypes import as_floats
from .elementary import exp
from .shaping import reshape


def keep_axes(g, shape, axis):
    """g, which lacks the axes that were reduced, in the shape that keepdims=True would have given."""
    if axis is None or not shape:
        return reshape(g, (1,) * len(shape))
    reduced = [a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))]
    return reshape(g, tuple(1 if i in reduced else n for i, n in enumerate(shape)))


def count(shape, axis) -> int:
    """How many elements go into one."""
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return int(np.prod([shape[a] for a in axes]))


@op(shapes="(m,n)->(m)")
def sum(x, axis=None, keepdims=False):
    """y = Σ x along axes; every x that went in gets dL/dy."""
    return saved(np.sum(x, axis=axis, keepdims=keepdims), np.shape(x))


@sum.vjp
def _(g, axis, saved):
    return broadcast_to(keep_axes(g, saved, axis), saved)


@op(shapes="(m,n)->(m)")
def mean(x, axis=None, keepdims=False):
    """y = Σ x / n along axes; every x that went in gets dL/dy / n."""
    return saved(np.mean(x, axis=axis, keepdims=keepdims), np.shape(x))


@mean.vjp
def _(g, axis, saved):
    return broadcast_to(keep_axes(g / count(saved, axis), saved, axis), saved)


@op(shapes="(m,n)->(m)")
def var(x, axis=None, keepdims=False, ddof=0):
    """Variance: y = Σ (x − x̄)² / (n − ddof) along axes; dL/dx = dL/dy · 2(x − x̄) / (n − ddof)."""
    centred = x - np.mean(x, axis=axis, keepdims=True)       # np.var would take |x − x̄|², wrong for complex steps
    return np.sum(centred * centred, axis=axis, keepdims=keepdims) / (count(np.shape(x), axis) - ddof)


@var.vjp
def _(g, x, axis, ddof):
    centred = x - mean(x, axis, True)
    n = count(x.shape, axis) - ddof
    return keep_axes(g, x.shape, axis) * centred * (2 / n if n else np.nan)


@op(shapes="(m,n)->(m)", analytic=False)
def max(x, axis=None, keepdims=False):
    """The largest element along axes; dL/dy goes to it, in equal parts where several are largest."""
    return np.max(x, axis=axis, keepdims=keepdims)


@op(shapes="(m,n)->(m)", analytic=False)
def min(x, axis=None, keepdims=False):
    """The smallest element along axes; dL/dy goes to it, in equal parts where several are smallest."""
    return np.min(x, axis=axis, keepdims=keepdims)


@min.vjp
@max.vjp
def _(g, y, x, axis):
    chosen = x == keep_axes(y, x.shape, axis)                        # a bool array, also when x is a Tensor
    ties = np.sum(chosen, axis=axis, keepdims=True)
    return where(chosen, keep_axes(g, x.shape, axis) / ties.astype(g.dtype), 0.0)


@op(shapes="(m,n)->(m)")
def logsumexp(x, axis=None, keepdims=False):
    """y = ln Σ eˣ along axes; dL/dx = dL/dy · e^(x − y). The largest x is taken out first, so nothing overflows."""
    x = as_floats(x, size=2)
    largest = np.max(x.real, axis=axis, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0).astype(x.real.dtype)
    with np.errstate(divide="ignore"):                                      # ln 0 is the right answer where all x are −∞
        y = np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True)) + largest
    return y if keepdims else np.squeeze(y, tuple(range(x.ndim)) if axis is None else axis)


@logsumexp.vjp
def _(g, y, x, axis):
    y = where(as_array(y) == -np.inf, 0.0, y)                               # e^(−∞ + ∞) of a row of −∞ is no number
    return keep_axes(g, x.shape, axis) * exp(x - keep_axes(y, x.shape, axis))


@op(shapes="(m,n)->(m,n)")
def softmax(x, axis=-1):
    """y = eˣ / Σ eˣ along an axis: positive, and sums to 1; dL/dx = y · (dL/dy − Σ dL/dy · y)."""
    x = as_floats(x, size=2)
    e = np.exp(x - np.max(x.real, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


@softmax.vjp
def _(g, y, axis):
    return y * (g - sum(g * y, axis, True))


@op(shapes="(m,n)->(m,n)")
def log_softmax(x, axis=-1):
    """y = x − ln Σ eˣ along an axis; dL/dx = dL/dy − eʸ · Σ dL/dy. Finite where ln(softmax(x)) would be −∞."""
    x = as_floats(x, size=2)
    shifted = x - np.max(x.real, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@log_softmax.vjp
def _(g, y, axis):
    return g - exp(y) * sum(g, axis, True)
