"""The three ops that the backward sweep itself needs: add, broadcast_to, and its transpose sum_to_shape."""
import numpy as np

from .op import op


@op
def add(a, b):
    """y = a + b, with broadcasting; dL/da = dL/db = dL/dy."""
    return a + b


@add.vjp
def _(g):
    return g, g


@op(shapes="(n)->(m,n)", rule="x.shape must broadcast to shape")
def broadcast_to(x, shape):
    """y = x repeated along new axes, and along axes of length 1, until it has `shape`; dL/dx sums over the copies."""
    return np.broadcast_to(x, shape)


@broadcast_to.vjp
def _(g):
    return g                           # the sweep sums to the shape of x, as for any broadcast argument


@op(shapes="(m,n)->(n)")
def sum_to_shape(x, shape):
    """y = x summed over the axes along which `shape` would be broadcast to x.shape; dL/dx repeats dL/dy."""
    if x.shape == shape:
        return x
    extra = x.ndim - len(shape)
    if extra < 0 or np.broadcast_shapes(shape, x.shape) != x.shape:
        raise ValueError(f"an array of shape {x.shape} cannot be summed to shape {shape}")
    ones = tuple(i + extra for i, n in enumerate(shape) if n == 1 and x.shape[i + extra] != 1)
    return x.sum(axis=tuple(range(extra)) + ones, keepdims=True).reshape(shape)


@sum_to_shape.vjp
def _(g, x):
    # dL/dy broadcasts back to the shape of x. g may be an array or a Tensor; broadcast_to takes both.
    return broadcast_to(g, x.shape)
