"""Optimizer updates as one pass over the parameters, where NumPy would make ten."""
import numpy as np

from .registry import kernel

# Averages below this are set to 0: those of a unit that no longer learns would go on shrinking, become denormal (below 1e-38
# in float32), and make each step ten times slower. m goes with v, as m/√0 would be a large step if ε is small.
NEGLIGIBLE = 1e-30


@kernel
def adam(w, g, m, v, lr, beta1, beta2, eps, correction1, correction2):
    """One step of Adam, in place in w, m and v (vectors); g is the gradient, the rest are numbers of w's dtype.

    m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  w ← w − lr · (m/c₁) / (√(v/c₂) + ε), with cᵢ = 1 − βᵢᵗ.
    """
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * (g * g)
    m[(np.abs(m) < NEGLIGIBLE) | (v < NEGLIGIBLE)] = 0
    v[v < NEGLIGIBLE] = 0
    w -= lr / correction1 * m / (np.sqrt(v) / np.sqrt(correction2) + eps)


@adam.numba
def _(w, g, m, v, lr, beta1, beta2, eps, correction1, correction2):
    one, zero = w.dtype.type(1), w.dtype.type(0)        # of this dtype: `1 - x` is float64 arithmetic in Numba
    rate, root = lr / correction1, one / np.sqrt(correction2)
    for i in range(w.size):
        mi = beta1 * m[i] + (one - beta1) * g[i]
        vi = beta2 * v[i] + (one - beta2) * (g[i] * g[i])
        mi = zero if (abs(mi) < NEGLIGIBLE) | (vi < NEGLIGIBLE) else mi         # NaN stays NaN
        vi = zero if vi < NEGLIGIBLE else vi
        m[i], v[i] = mi, vi
        w[i] -= rate * mi / (np.sqrt(vi) * root + eps)
