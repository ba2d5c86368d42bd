"""Arithmetic and choices between values, elementwise with broadcasting. `add` lives in autograd/primitives.py.

Where there are two arguments and a gradient costs something, a vjp returns `lambda`s: in `2 * x` nobody needs that of the 2.
"""
import numpy as np

from ..autograd.op import op
from ..autograd.tensor import as_array


@op
def subtract(a, b):
    """y = a − b; dL/da = dL/dy, dL/db = −dL/dy."""
    return a - b


@subtract.vjp
def _(g):
    return g, lambda: -g


@op
def multiply(a, b):
    """y = a · b; dL/da = dL/dy · b, dL/db = dL/dy · a."""
    return a * b


@multiply.vjp
def _(g, a, b):
    return lambda: g * b, lambda: g * a


@op(domain=("real", "nonzero"))
def divide(a, b):
    """y = a / b; dL/da = dL/dy / b, dL/db = −dL/dy · y / b."""
    return np.true_divide(a, b)


@divide.vjp
def _(g, y, b):
    return lambda: g / b, lambda: -g * y / b


@op
def negative(x):
    """y = −x; dL/dx = −dL/dy."""
    return -x


@negative.vjp
def _(g):
    return -g


@op(domain=("positive", "real"))
def power(x, p):
    """y = x**p; dL/dx = dL/dy · p · x**(p − 1), dL/dp = dL/dy · y · ln x (taken as 0 where x = 0)."""
    return x ** p


@power.vjp
def _(g, y, x, p):
    if isinstance(p, (int, float)):
        return g * (p * x ** (p - 1)) if p else 0 * g          # x**0 is constant, even at x = 0
    return (lambda: g * p * x ** where((as_array(x) == 0) & (as_array(p) == 0), 1.0, p - 1),       # no 0 · ∞
            lambda: g * y * log(where(x == 0, 1.0, x)))


@op(domain="positive")
def log(x):
    """Natural logarithm: y = ln x; dL/dx = dL/dy / x."""
    return np.log(x)


@log.vjp
def _(g, x):
    return g / x


@op(analytic=False)
def sign(x):
    """−1, 0 or 1; its derivative is 0 wherever it has one."""
    return np.sign(x)


@sign.vjp
def _(g):
    return None


@op(analytic=False)
def abs(x):
    """y = |x|; dL/dx = dL/dy · sign x, and 0 at the kink x = 0."""
    return np.abs(x)


@abs.vjp
def _(g, x):
    return g * sign(x)


@op(analytic=False)
def maximum(a, b):
    """The larger of a and b, elementwise; the gradient goes to the larger one, half to each where they are equal."""
    return np.maximum(a, b)


@maximum.vjp
def _(g, a, b):
    return (lambda: where(a == b, 0.5 * g, where(a > b, g, 0.0)),
            lambda: where(a == b, 0.5 * g, where(a > b, 0.0, g)))


@op(analytic=False)
def minimum(a, b):
    """The smaller of a and b, elementwise; the gradient goes to the smaller one, half to each where they are equal."""
    return np.minimum(a, b)


@minimum.vjp
def _(g, a, b):
    return (lambda: where(a == b, 0.5 * g, where(a < b, g, 0.0)),
            lambda: where(a == b, 0.5 * g, where(a < b, 0.0, g)))


@op(analytic=False)
def clip(x, low=None, high=None):
    """y = x limited to [low, high] (numbers or None); dL/dx = dL/dy where x is inside, else 0."""
    if low is None and high is None:
        raise ValueError("low and high are both None; give at least one")
    return np.clip(x, low, high)


@clip.vjp
def _(g, y, x):
    return g * (x == y)


@op(shapes="(),(),()->()")
def where(condition, a, b):
    """a where condition (bool, not differentiated) is true, else b; the gradient goes to the one that was chosen."""
    if np.asarray(condition).dtype != bool:
        raise TypeError(f"condition has dtype {np.asarray(condition).dtype}; expected bool, as from x > 0")
    return np.where(condition, a, b)


@where.vjp
def _(g, condition):
    return None, lambda: where(condition, g, 0.0), lambda: where(condition, 0.0, g)
