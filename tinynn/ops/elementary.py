"""Elementary functions, elementwise: one line of calculus each. `log` lives in arithmetic.py, as powers need it."""
import numpy as np

from ..autograd.op import op

TWO_OVER_ROOT_PI = 2 / float(np.sqrt(np.pi))


@op
def exp(x):
    """y = eˣ; dL/dx = dL/dy · y."""
    return np.exp(x)


@exp.vjp
def _(g, y):
    return g * y


@op(domain="positive")
def log1p(x):
    """y = ln(1 + x), exact for small x, too; dL/dx = dL/dy / (1 + x)."""
    return np.log1p(x)


@log1p.vjp
def _(g, x):
    return g / (1 + x)


@op(domain="positive")
def sqrt(x):
    """y = √x; dL/dx = dL/dy / (2y)."""
    return np.sqrt(x)


@sqrt.vjp
def _(g, y):
    return 0.5 * g / y


@op
def sin(x):
    """y = sin x; dL/dx = dL/dy · cos x."""
    return np.sin(x)


@sin.vjp
def _(g, x):
    return g * cos(x)


@op
def cos(x):
    """y = cos x; dL/dx = −dL/dy · sin x."""
    return np.cos(x)


@cos.vjp
def _(g, x):
    return -g * sin(x)


@op
def tanh(x):
    """Hyperbolic tangent: y = tanh x; dL/dx = dL/dy · (1 − y²)."""
    return np.tanh(x)


@tanh.vjp
def _(g, y):
    return g * (1 - y * y)


@op
def erf(x):
    """Error function: y = 2/√π ∫₀ˣ exp(−t²) dt; dL/dx = dL/dy · 2/√π · exp(−x²)."""
    from scipy.special import erf          # here, as importing SciPy takes as long as importing NumPy
    return erf(x)


@erf.vjp
def _(g, x):
    return g * (TWO_OVER_ROOT_PI * exp(-(x * x)))
