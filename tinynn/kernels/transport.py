"""Sinkhorn's iterations, to the end. transport.py says what they are for."""
import numpy as np

from .registry import helper, kernel

BOUND = 1e50            # a scaling beyond goes into its potential
FAR = -530.0            # e^FAR: what is smaller is 0 in K. Its part of a sum is below e^FAR · BOUND² = 1e-130
LARGE = 600.0           # nothing above e^LARGE is looked at, but where there is no weight, and 0 · ∞ would be NaN


@kernel
def sinkhorn_potentials(a, b, C, eps, tol, max_iter):
    """f (n,), g (m,), the number of iterations, and the error, for weights a (n,), b (m,) and costs C (n, m), float64.

        fᵢ ← −ε ln Σⱼ bⱼ e^((gⱼ − Cᵢⱼ)/ε),   then   gⱼ ← −ε ln Σᵢ aᵢ e^((fᵢ − Cᵢⱼ)/ε),   from g = 0, until

    Pᵢⱼ = aᵢ bⱼ e^((fᵢ + gⱼ − Cᵢⱼ)/ε) has the right sums: along its rows it has after each step of f; the error is what it
    lacks then along the columns, Σⱼ |Σᵢ Pᵢⱼ − bⱼ|. Ends when that is at most tol, or after max_iter iterations.
    In logarithms nothing overflows, however small ε is (Peyré & Cuturi 2019, Computational Optimal Transport, 4.4).
    """
    with np.errstate(divide="ignore"):
        log_a, log_b = np.log(a)[:, None], np.log(b)                        # −∞ where a weight is 0
    g = np.zeros(len(b))
    for k in range(1, max_iter + 1):
        f = -eps * log_sum_exp(log_b + (g - C) / eps, axis=1)               # (n, m) -> (n,)
        h = -eps * log_sum_exp(log_a + (f[:, None] - C) / eps, axis=0)      # (n, m) -> (m,), the next g
        error = np.abs(np.exp(log_b + (g - h) / eps) - b).sum()             # as Σᵢ Pᵢⱼ = bⱼ e^(gⱼ/ε) / e^(hⱼ/ε)
        if error <= tol or k == max_iter:
            return f, g, k, error
        g = h


def log_sum_exp(x, axis):
    """ln Σ eˣ along an axis, without overflow."""
    top = x.max(axis=axis, keepdims=True)
    return np.log(np.exp(x - top).sum(axis=axis)) + top.squeeze(axis)


# The same iterations, but most of them as two products with a matrix, which cost a twentieth of n·m exponentials:
#     K = e^((f + g − C)/ε),   u = 1 / K(b v),   v = 1 / Kᵀ(a u),   where f + ε ln u and g + ε ln v are the potentials.
# K is made, and u = v = 1, after an iteration in logarithms; when a scaling has grown too large, v goes into g, and the next
# iteration is in logarithms again (Schmitzer 2019, "Stabilized sparse scaling algorithms for entropy regularized transport
# problems", SIAM J. Sci. Comput. 41, algorithm 2). Both products take one pass over K: once a row of it has been summed, u of
# that row is known, and its part of Kᵀ(a u) can be added, while the row is still in the cache.
@sinkhorn_potentials.numba(fastmath={"contract", "reassoc", "nsz"})
def _(a, b, C, eps, tol, max_iter):
    n, m = C.shape
    f, g, h, s = np.zeros(n), np.zeros(m), np.zeros(m), np.zeros(m)
    K, u, w = np.empty((n, m)), np.empty(n), np.empty(m)
    k = 0
    while True:
        k += 1
        iterate_in_logarithms(a, b, C, eps, f, g, h)
        error = 0.0
        for j in range(m):
            error += abs(b[j] * np.exp(min((g[j] - h[j]) / eps, LARGE)) - b[j])
        if error <= tol or k == max_iter:
            return f, g, k, error
        g[:], w[:] = h, b                                                   # w = b v
        for i in range(n):
            for j in range(m):
                x = (f[i] + g[j] - C[i, j]) / eps
                K[i, j] = np.exp(min(x, LARGE)) if x > FAR else 0.0
        v = np.ones(m)
        while True:
            s[:] = 0.0
            low, high = np.inf, 0.0
            for i in range(n):
                row, total = K[i], 0.0
                for j in range(m):
                    total += row[j] * w[j]
                low, high = min(low, total), max(high, total)
                u[i] = 1.0 / total
                scale = a[i] * u[i]
                for j in range(m):
                    s[j] += scale * row[j]
            error = 0.0
            for j in range(m):
                low, high = min(low, s[j]), max(high, s[j])
                error += abs(w[j] * s[j] - b[j])
            if not (low > 1 / BOUND and high < BOUND):
                break                                                       # this iteration does not count
            k += 1
            if error <= tol or k == max_iter:
                return f + eps * np.log(u), g + eps * np.log(v), k, error
            for j in range(m):
                v[j] = 1.0 / s[j]
                w[j] = b[j] * v[j]
        for j in range(m):
            g[j] += eps * np.log(v[j])


@helper
def iterate_in_logarithms(a, b, C, eps, f, g, h):
    """Write the f that follows from g, and the next g, into f and h."""
    n, m = C.shape
    top, total = np.full(m, -np.inf), np.zeros(m)
    for i in range(n):
        high, s = -np.inf, 0.0
        for j in range(m):
            if b[j] > 0:
                high = max(high, g[j] - C[i, j])
        for j in range(m):
            s += b[j] * np.exp(min((g[j] - C[i, j] - high) / eps, 0.0))
        f[i] = -high - eps * np.log(s)
        if a[i] > 0:
            for j in range(m):
                top[j] = max(top[j], f[i] - C[i, j])
    for i in range(n):
        for j in range(m):
            total[j] += a[i] * np.exp(min((f[i] - C[i, j] - top[j]) / eps, 0.0))
    for j in range(m):
        h[j] = -top[j] - eps * np.log(total[j])
