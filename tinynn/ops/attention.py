"""Attention: every query takes a mean of the values, weighted by how well it matches their keys (Vaswani et al. 2017).

    weights = softmax(q kᵀ/√d + mask),  y = weights v           q (..., T, d), k (..., S, d), v (..., S, e) -> (..., T, e)

Comes twice: `attention_reference` in ops, which the engine differentiates to any order, and the op `attention`, the same in
kernels (kernels/attention.py). √d, as the dot product of two random vectors of d numbers has that standard deviation: without
it the softmax of long vectors is all but one-hot, and its gradient all but zero.
"""
from math import prod

import numpy as np

from ..autograd.backward import reference_vjp
from ..autograd.op import op, saved
from ..autograd.settings import settings, switched
from ..autograd.tensor import Tensor, as_array
from ..kernels import attention as kernels
from .dtypes import check_dtypes
from .products import matmul
from .reductions import softmax
from .shaping import reshape, swapaxes, transpose


def attention_weights(q, k, mask=None):
    """softmax(q kᵀ/√d + mask): (..., T, d), (..., S, d) -> (..., T, S); every row sums to 1. mask: see `attention`."""
    scores = matmul(q, swapaxes(k, -1, -2)) * q.shape[-1] ** -0.5                   # (..., T, d) @ (..., d, S) -> (..., T, S)
    if mask is not None:
        with switched(settings, "anomaly", False):                                  # −∞ is meant
            scores = scores + additive(mask, scores.shape, scores.dtype)
    return softmax(scores)


def attention_reference(q, k, v, mask=None):
    """`attention` in ops."""
    return matmul(attention_weights(q, k, mask), v)                                 # (..., T, S) @ (..., S, e) -> (..., T, e)


@op(shapes="(n,h,t,d),(n,h,s,d),(n,h,s,e)->(n,h,t,e)")
def attention(q, k, v, mask=None):
    """softmax(q kᵀ/√d + mask) v. q: (..., T, d), k: (..., S, d), v: (..., S, e), result: (..., T, e).

    mask: None, or an array that broadcasts to (..., T, S): bool, True where a query must *not* look at a key (as for
    PyTorch's nn.MultiheadAttention; its scaled_dot_product_attention has it the other way round), or numbers to add to the
    scores, −inf to forbid. Raises ValueError for shapes that don't fit, or a query that may look at no key at all; TypeError
    unless q, k and v are all float32 or all float64.
    """
    lead, T, S = q.shape[:-2], q.shape[-2], k.shape[-2]
    if k.shape[:-2] != lead or v.shape[:-1] != k.shape[:-1] or k.shape[-1] != q.shape[-1] or S == 0 or k.shape[-1] == 0:
        raise ValueError("the shapes must be q (..., T, d), k (..., S, d), v (..., S, e), with equal leading axes, S and d at "
                         "least 1")
    y, weights = forward(*(by_token(a) for a in (q, k, v)), mask, (*lead, T, S))
    return saved(y.swapaxes(1, 2).reshape(*lead, T, v.shape[-1]), weights)          # (N, T, h, e) -> (N, h, T, e)


@attention.vjp
def _(g, q, k, v, mask, saved):
    if isinstance(g, Tensor):
        return reference_vjp(attention_reference, g, q, k, v, mask)
    arrays = [by_token(a) for a in (q, k, v)]
    gradients = [np.empty_like(a) for a in arrays]
    kernels.attention_backward(by_token(g), *arrays, saved, *gradients)
    return (*(d.swapaxes(1, 2).reshape(x.shape) for d, x in zip(gradients, (q, k, v))),
            lambda: dscores(by_head(g), by_head(v), saved).reshape(*q.shape[:-1], k.shape[-2]))


def self_attention_reference(z, heads, mask=None):
    """`self_attention` in ops."""
    N, T, K = z.shape
    q, k, v = transpose(reshape(z, (N, T, 3, heads, K // (3 * heads))), (2, 0, 3, 1, 4))    # -> 3 of (N, h, T, d)
    return reshape(transpose(attention_reference(q, k, v, mask), (0, 2, 1, 3)), (N, T, K // 3))


@op(shapes="(n,t,k)->(n,t,m)")
def self_attention(z, heads, mask=None):
    """`attention` of tokens among themselves: z (N, T, 3·h·d), the queries, keys and values of h heads side by side, as one
    product makes them -> (N, T, h·d). Spares taking them apart, and putting their gradients together again."""
    N, T, K = z.shape
    y, weights = forward(*apart(z, heads), mask, (N, heads, T, T))
    return saved(y.reshape(N, T, K // 3), weights)                                  # (N, T, h, d) -> (N, T, h·d)


@self_attention.vjp
def _(g, z, heads, mask, saved):
    if isinstance(g, Tensor):
        return reference_vjp(self_attention_reference, g, z, heads, mask)
    (q, k, v), dz = apart(z, heads), np.empty(z.shape, z.dtype)
    g = np.ascontiguousarray(g).reshape(q.shape)                                    # (N, T, h·d) -> (N, T, h, d)
    kernels.attention_backward(g, q, k, v, saved, *apart(dz, heads))                # writes into dz
    return dz, None, lambda: dscores(g.swapaxes(1, 2), v.swapaxes(1, 2), saved)


def apart(z, heads):
    """Queries, keys and values as views of z: (N, T, 3·h·d) -> 3 of (N, T, h, d)."""
    N, T, K = z.shape
    return np.ascontiguousarray(z).reshape(N, T, 3, heads, K // (3 * heads)).transpose(2, 0, 1, 3, 4)


def dscores(g, v, w):
    """dL/dmask, through the softmax: g (N, h, T, e), v (N, h, S, e), weights w (N, h, T, S) -> (N, h, T, S)."""
    dw = np.matmul(g, v.swapaxes(2, 3))                                             # (N, h, T, e) @ (N, h, e, S)
    return w * (dw - (dw * w).sum(3, keepdims=True))


def forward(q, k, v, mask, shape):
    """The kernel of q (N, T, h, d), k, v (N, S, h, ·). mask: as in `attention`; shape: that of the scores, for the mask."""
    check_dtypes("", q=q, k=k, v=v)
    if mask is None:
        mask = np.broadcast_to(np.zeros(1, q.dtype), (0, 0, 0, 0))
    else:
        mask = by_head(np.broadcast_to(additive(mask, shape, q.dtype), shape))
    return kernels.attention_forward(q, k, v, mask)


def additive(mask, shape, dtype):
    """A mask as numbers to be added to the scores, checked: True becomes −∞, False 0. shape, dtype: of the scores."""
    values, dtype = np.asarray(as_array(mask)), np.finfo(dtype).dtype               # of complex scores, that of the real part
    if values.dtype.kind not in "bf":
        raise TypeError(f"mask has dtype {values.dtype}; expected bool, True where a query must not look at a key, or floats "
                        "to be added to the scores")
    try:
        fits = np.broadcast_shapes(values.shape, shape) == tuple(shape)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"mask has shape {values.shape}; it must broadcast to {shape}, queries by keys in the last two axes")
    with np.errstate(over="ignore"):                                                # what is below the lowest float32 forbids
        if values.dtype == bool:
            mask = np.where(values, dtype.type(-np.inf), dtype.type(0))
        else:
            mask = mask.astype(dtype) if isinstance(mask, Tensor) else values.astype(dtype, copy=False)
    forbidden = np.broadcast_to(as_array(mask) == -np.inf, np.broadcast_shapes(values.shape, shape[-2:])).all(-1)
    if forbidden.any():
        where = tuple(int(i) for i in np.argwhere(forbidden)[0])
        raise ValueError(f"the mask leaves query {where} no key to look at, and the softmax of nothing is undefined; let it "
                         "see at least one (itself, say)")
    return mask


def by_head(x):
    """(..., T, d) -> (N, h, T, d): what leads, as examples and heads; what is missing has length 1."""
    if x.ndim < 4:
        return x.reshape(*x.shape[:-2], *(1,) * (4 - x.ndim), *x.shape[-2:])
    return x.reshape(prod(x.shape[:-3]), *x.shape[-3:])


def by_token(x):
    """(..., T, d) -> (N, T, h, d), contiguous; no copy, if that is how the numbers lie in memory."""
    return np.ascontiguousarray(by_head(x).swapaxes(1, 2))
