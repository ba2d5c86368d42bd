"""Activation functions in one pass.

relu's way back, which NumPy takes a bool array for, half as fast; leaky relu, two passes of one thread in NumPy; and GELU,
which in NumPy takes an error function, computed one number at a time, and ten temporary arrays.
"""
import math

import numpy as np

from .registry import helper, kernel, prange

ROOT_HALF, ROOT_2PI = math.sqrt(0.5), math.sqrt(2 * math.pi)


def singles(*numbers) -> tuple:
    """Numbers as float32."""
    return tuple(np.float32(number) for number in numbers)


# The normal distribution function Φ(x) = ½ + x·P(x²)/Q(x²), and GELU's slope Φ(x) + xφ(x) likewise, for |x| <= EDGE, where
# both have come within 4e-7 of 0 or 1. Least-squares fits, reweighted until the error was even, 1e-8 and 1e-7; rounding in
# float32 makes that 2e-7 and 4e-7 (a test measures it). In ascending powers of x².
EDGE = np.float32(5.6)
P_CUMULATIVE = singles(0.39894225, 0.034268625, 0.00470007, 0.00017265249, 6.3386899e-6, 2.2173428e-8)
Q_CUMULATIVE = singles(1, 0.25256466, 0.028876908, 0.0019063576, 7.4663738e-5, 1.1796848e-6)
P_SLOPE = singles(0.79788495, -0.030866799, 0.014216316, 2.1915672e-5, 3.5841916e-5, 1.9113577e-7)
Q_SLOPE = singles(1, 0.29465352, 0.0410193, 0.0035248386, 0.00019266456, 8.8954231e-6)


@helper
def ratio(x, p, q):
    """½ + x·P(x²)/Q(x²) in float32; 0 below −EDGE, 1 above EDGE. The compiler does eight or sixteen x at a time."""
    u = x * x
    over = p[0] + u * (p[1] + u * (p[2] + u * (p[3] + u * (p[4] + u * p[5]))))
    under = q[0] + u * (q[1] + u * (q[2] + u * (q[3] + u * (q[4] + u * q[5]))))
    y = np.float32(0.5) + x * over / under
    return np.float32(1) if x > EDGE else np.float32(0) if x < -EDGE else y            # NaN stays NaN


@kernel
def relu_backward(g, y):
    """dL/dx = g where y = max(x, 0) is positive, else 0. g, y: vectors."""
    return np.where(y > 0, g, g.dtype.type(0))


@relu_backward.numba
def _(g, y):
    dx, zero = np.empty_like(g), g.dtype.type(0)
    for i in range(g.size):
        dx[i] = g[i] if y[i] > 0 else zero
    return dx


@kernel
def leaky_relu_forward(x, slope):
    """y = x where x > 0, else slope · x. x: a vector; slope: of its dtype."""
    return np.where(x > 0, x, slope * x)


@leaky_relu_forward.numba(parallel=True)
def _(x, slope):
    y = np.empty_like(x)
    for i in prange(x.size):
        y[i] = x[i] if x[i] > 0 else slope * x[i]
    return y


@kernel
def leaky_relu_backward(g, x, slope):
    """dL/dx = g where x > 0, else slope · g. g, x: vectors; slope: of their dtype."""
    return np.where(x > 0, g, slope * g)


@leaky_relu_backward.numba(parallel=True)
def _(g, x, slope):
    dx = np.empty_like(g)
    for i in prange(g.size):
        dx[i] = g[i] if x[i] > 0 else slope * g[i]
    return dx


@kernel
def gelu_forward(x):
    """y = x · Φ(x), elementwise. x: a vector; y is like x."""
    from scipy.special import erf
    return x * (0.5 * (1 + erf(x * ROOT_HALF)))


@gelu_forward.numba(parallel=True, fastmath={"contract"})
def _(x):
    y = np.empty_like(x)
    if x.itemsize == 8:
        for i in prange(x.size):
            y[i] = x[i] * (0.5 * (1 + math.erf(x[i] * ROOT_HALF)))
    else:
        for i in prange(x.size):
            y[i] = x[i] * ratio(x[i], P_CUMULATIVE, Q_CUMULATIVE)
    return y


@kernel
def gelu_backward(g, x):
    """dL/dx = g · (Φ(x) + x · φ(x)), with φ(x) = exp(−x²/2)/√(2π). g, x: vectors; the result is like x."""
    from scipy.special import erf
    return g * (0.5 * (1 + erf(x * ROOT_HALF)) + x * (np.exp(-0.5 * (x * x)) / ROOT_2PI))


@gelu_backward.numba(parallel=True, fastmath={"contract"})
def _(g, x):
    dx = np.empty_like(x)
    if x.itemsize == 8:
        for i in prange(x.size):
            dx[i] = g[i] * (0.5 * (1 + math.erf(x[i] * ROOT_HALF)) + x[i] * (math.exp(-0.5 * (x[i] * x[i])) / ROOT_2PI))
    else:
        for i in prange(x.size):
            dx[i] = g[i] * ratio(x[i], P_SLOPE, Q_SLOPE)
    return dx
