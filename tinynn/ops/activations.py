"""Activation functions, elementwise. `tanh` lives in elementary.py."""
import numpy as np

from ..autograd.op import op
from ..autograd.tensor import Tensor
from ..kernels import activations as kernels
from .dtypes import as_floats
from .elementary import TWO_OVER_ROOT_PI, erf, exp

ROOT_HALF = float(np.sqrt(0.5))


@op
def sigmoid(x):
    """Logistic function: y = 1 / (1 + e⁻ˣ); dL/dx = dL/dy · y(1 − y).

    Computed from e^(−|x|), which cannot overflow: 1/(1 + e⁻ˣ) for x > 0, else eˣ/(1 + eˣ).
    """
    x = as_floats(x, size=2)
    e = np.exp(np.minimum(x, -x))                           # where() would take ten times as long as minimum and maximum
    return np.maximum(e, x > 0) / (1 + e)                   # True counts as 1, and e is never more


@sigmoid.vjp
def _(g, y):
    return g * y * (1 - y)


@op
def softplus(x):
    """A smooth relu: y = ln(1 + eˣ) = max(x, 0) + ln(1 + e^(−|x|)), which cannot overflow; dL/dx = dL/dy · sigmoid(x)."""
    x = as_floats(x, size=2)
    return np.maximum(x, 0) + np.log1p(np.exp(np.minimum(x, -x)))


@softplus.vjp
def _(g, x):
    return g * sigmoid(x)


@op(analytic=False)
def relu(x):
    """Rectified linear unit: y = max(x, 0); dL/dx = dL/dy where x > 0, else 0."""
    return np.maximum(x, 0)


@relu.vjp
def _(g, y):
    if isinstance(g, Tensor):
        return g * (y > 0)
    return kernels.relu_backward(np.ravel(g), np.ravel(np.broadcast_to(y, g.shape))).reshape(g.shape)


@op(analytic=False)
def leaky_relu(x, negative_slope=0.01):
    """y = x where x > 0, else negative_slope · x; dL/dx = dL/dy · 1 or negative_slope."""
    flat = as_floats(np.ravel(x))
    return kernels.leaky_relu_forward(flat, flat.dtype.type(negative_slope)).reshape(np.shape(x))


@leaky_relu.vjp
def _(g, x, negative_slope):
    slope = x.dtype.type(negative_slope)
    if isinstance(g, Tensor):
        return g * np.where(x > 0, x.dtype.type(1), slope)
    return kernels.leaky_relu_backward(np.ravel(g), np.ravel(np.broadcast_to(x, g.shape)), slope).reshape(g.shape)


@op
def gelu(x):
    """Gaussian error linear unit (Hendrycks & Gimpel 2016): y = x · Φ(x), with Φ(x) = (1 + erf(x/√2))/2.

    dL/dx = dL/dy · (Φ(x) + x · φ(x)), with the normal density φ(x) = exp(−x²/2)/√(2π).
    """
    return kernels.gelu_forward(as_floats(np.ravel(x))).reshape(np.shape(x))


@gelu.vjp
def _(g, x):
    if isinstance(g, Tensor):
        cumulative = 0.5 * (1 + erf(x * ROOT_HALF))
        density = 0.5 * ROOT_HALF * TWO_OVER_ROOT_PI * exp(-0.5 * x * x)
        return g * (cumulative + x * density)
    return kernels.gelu_backward(np.ravel(g), np.ravel(np.broadcast_to(x, g.shape))).reshape(g.shape)
