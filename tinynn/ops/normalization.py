"""Batch norm and layer norm: x̂ = (x − μ)/√(σ² + ε), y = γ x̂ + β, where μ and σ² are those of a group of numbers.

`standardised` says what they do, in ops; the ops `batch_norm` and `layer_norm` compute the same in kernels
(kernels/normalization.py, which has the gradient), and take their second derivatives from it.
"""
from math import prod

import numpy as np

from ..autograd.backward import reference_vjp
from ..autograd.op import op, saved
from ..autograd.tensor import Tensor
from ..kernels import normalization as kernels
from .elementary import sqrt
from .reductions import mean
from .shaping import reshape

dense = np.ascontiguousarray


def standardised(x, weight, bias, eps, axes):
    """y = weight · x̂ + bias, with mean and variance over `axes`. weight, bias: broadcast against x."""
    centred = x - mean(x, axes, True)                               # mean: length 1 along axes
    var = mean(centred * centred, axes, True)
    return centred / sqrt(var + eps) * weight + bias


def batch_norm_reference(x, weight, bias, eps):
    """`batch_norm` in ops."""
    column = weight.shape + (1,) * (x.ndim - 2)                     # (C, 1, 1) for images: broadcasts against (N, C, H, W)
    return standardised(x, reshape(weight, column), reshape(bias, column), eps, (0, *range(2, x.ndim)))


def layer_norm_reference(x, weight, bias, eps):
    """`layer_norm` in ops."""
    return standardised(x, weight, bias, eps, tuple(range(-weight.ndim, 0)))


def moments(x: np.ndarray) -> tuple:
    """Mean and (biased) variance of each channel of an array x (N, C, ...): (C,), (C,), in float64."""
    return kernels.moments(by_channel(x))


@op(shapes="(n,c,l),(c),(c)->(n,c,l)")
def batch_norm(x, weight, bias, mean, var, eps=1e-5):
    """Each channel of x (N, C, ...) to mean 0 and variance 1, then times weight (C,), plus bias (C,).

    mean, var: what `moments` returns for the array x: handed in, as the layer needs them, too. They change with x, and the
    gradient takes that into account.
    """
    r = 1 / np.sqrt(var + eps)
    y = kernels.channels_forward(by_channel(x), mean, r, dense(weight), dense(bias)).reshape(x.shape)
    return saved(y, (mean, r))


@batch_norm.vjp
def _(g, x, weight, bias, eps, saved):
    if isinstance(g, Tensor):
        return reference_vjp(batch_norm_reference, g, x, weight, bias, eps)[:3]
    dx, dweight, dbias = kernels.channels_backward(by_channel(g), by_channel(x), *saved, dense(weight))
    return dx.reshape(x.shape), dweight, dbias


@op(shapes="(m,n),(n),(n)->(m,n)", rule="the last axes of x must be those of weight and bias")
def layer_norm(x, weight, bias, eps=1e-5):
    """x to mean 0 and variance 1 over its last axes, those of weight and bias; then times weight, plus bias."""
    y, mean, r = kernels.rows_forward(rows(x, weight), weight.ravel(), bias.ravel(), eps)
    return saved(y.reshape(x.shape), (mean, r))


@layer_norm.vjp
def _(g, x, weight, bias, eps, saved):
    if isinstance(g, Tensor):
        return reference_vjp(layer_norm_reference, g, x, weight, bias, eps)[:3]
    dx, dweight, dbias = kernels.rows_backward(rows(g, weight), rows(x, weight), *saved, weight.ravel())
    return dx.reshape(x.shape), dweight.reshape(weight.shape), dbias.reshape(weight.shape)


@layer_norm.per_example
def _(g, x, weight, bias, eps, saved):
    def dx():
        raise NotImplementedError("the input of a layer norm has no example axis")
    zero = np.zeros_like(weight)                                                # μ and r in `saved` are of all examples
    return dx, lambda: g * layer_norm(x, zero + 1, zero, eps), lambda: g        # dL/dy · x̂


def by_channel(x):
    """(N, C, ...) -> (N, C, L), contiguous."""
    return dense(x).reshape(*x.shape[:2], prod(x.shape[2:]))


def rows(x, weight):
    """(..., *shape of weight) -> (M, D), contiguous."""
    lead = x.ndim - weight.ndim
    if lead < 0 or x.shape[lead:] != weight.shape:
        raise ValueError(f"x has shape {x.shape}, weight {weight.shape}")
    return dense(x).reshape(prod(x.shape[:lead]), weight.size)
