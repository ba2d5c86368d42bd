"""Sinkhorn's iterations, to the end. transport/entropic.py says what they are for."""
import numpy as np

from .registry import helper, kernel

BOUND = 1e50            # a scaling beyond goes into its potential
FAR = -530.0            # what is smaller in K is e^FAR; its part of a sum is below e^FAR · BOUND² = 1e-130
LARGE = 600.0           # nothing above e^LARGE is looked at, but where there is no weight, and 0 · ∞ would be NaN
LOG2E, LN2, WHOLE = 1.4426950408889634, 0.6931471805599453, 1.5 * 2.0**52


@kernel
def sinkhorn(a, b, C, eps, tol, max_iter):
    """P (n, m), f (n,), g (m,), how many iterations, and the error, for weights a (n,), b (m,), costs C (n, m), all float64.

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
            return np.exp(log_a + log_b + (f[:, None] + g - C) / eps), f, g, k, error
        g = h


def log_sum_exp(x, axis):
    """ln Σ eˣ along an axis, without overflow."""
    top = x.max(axis=axis, keepdims=True)
    return np.log(np.exp(x - top).sum(axis=axis)) + top.squeeze(axis)


# The same iterations, but most of them as two products with a matrix, which cost a tenth of n·m exponentials:
#     K = e^((f + g − C)/ε),   u = 1 / K(b v),   v = 1 / Kᵀ(a u),   where f + ε ln u and g + ε ln v are the potentials.
# K is made with an f that is found in logarithms, and then u = v = 1. When a scaling has grown too large, v goes into g, and a
# new K is made (Schmitzer 2019, "Stabilized sparse scaling algorithms for entropy regularized transport problems", SIAM J.
# Sci. Comput. 41, algorithm 2). Both products take one pass over K: once a row of it has been summed, u of that row is known,
# and its part of s = Kᵀ(a u) can be added while the row is in the cache.
@sinkhorn.numba(fastmath={"contract", "reassoc", "nsz"})
def _(a, b, C, eps, tol, max_iter):
    n, m = C.shape
    K, f, u, v, w = np.empty((n, m)), np.empty(n), np.empty(n), np.empty(m), np.empty(m)
    g, h, s = np.zeros(m), np.empty(m), np.empty(m)
    k, fresh = 0, True
    while True:
        if fresh:
            u[:], v[:], w[:] = 1.0, 1.0, b                                  # w = b v
            fits = rows_in_logarithms(a, b, C, eps, g, f, K, s)
            if not fits:                                                    # a column of the new K is too small, or too large
                columns_in_logarithms(a, C, eps, f, h)
                for j in range(m):
                    s[j] = np.exp(min((g[j] - h[j]) / eps, LARGE))
        else:
            fits = rows_by_products(a, w, K, u, s)
            if not fits:
                for j in range(m):
                    g[j] += eps * np.log(v[j])
                fresh = True
                continue                                                    # this one does not count
        k += 1
        error = 0.0
        for j in range(m):
            error += abs(w[j] * s[j] - b[j])
        if error <= tol or k == max_iter:
            for i in range(n):
                scale = a[i] * u[i]
                for j in range(m):
                    K[i, j] *= scale * w[j]                                 # now it is P
            return K, f + eps * np.log(u), g + eps * np.log(v), k, error
        if fits:
            fresh = False
            for j in range(m):
                v[j] = 1.0 / s[j]
                w[j] = b[j] * v[j]
        else:
            g[:] = h


@helper
def rows_by_products(a, w, K, u, s):
    """u = 1 / (K w) and s = Kᵀ(a u), written into u and s. False: one of them is too large or too small."""
    n, m = K.shape
    low, high = np.inf, 0.0
    s[:] = 0.0
    for i in range(n):
        total = 0.0
        for j in range(m):
            total += K[i, j] * w[j]
        low, high = min(low, total), max(high, total)
        u[i] = 1.0 / total
        scale = a[i] * u[i]
        for j in range(m):
            s[j] += scale * K[i, j]
    return 1 / BOUND < min(low, s.min()) and max(high, s.max()) < BOUND


@helper
def rows_in_logarithms(a, b, C, eps, g, f, K, s):
    """f that follows from g, K of both, and s = Kᵀa, written into f, K and s. False: one of s is too large or too small."""
    n, m = C.shape
    s[:] = 0.0
    for i in range(n):
        top, total = -np.inf, 0.0
        for j in range(m):
            if b[j] > 0:
                top = max(top, g[j] - C[i, j])
        row = K[i]
        for j in range(m):
            row[j] = (g[j] - C[i, j] - top) / eps
        exponentials(row)
        for j in range(m):
            total += b[j] * row[j]
        f[i] = -top - eps * np.log(total)
        scale = 1.0 / total
        for j in range(m):
            row[j] *= scale
            s[j] += a[i] * row[j]
    return 1 / BOUND < s.min() and s.max() < BOUND


@helper
def columns_in_logarithms(a, C, eps, f, h):
    """The g that follows from f, written into h."""
    n, m = C.shape
    top, total, row = np.full(m, -np.inf), np.zeros(m), np.empty(m)
    for i in range(n):
        if a[i] > 0:
            for j in range(m):
                top[j] = max(top[j], f[i] - C[i, j])
    for i in range(n):
        for j in range(m):
            row[j] = min((f[i] - C[i, j] - top[j]) / eps, 0.0)
        exponentials(row)
        for j in range(m):
            total[j] += a[i] * row[j]
    for j in range(m):
        h[j] = -top[j] - eps * np.log(total[j])


@helper
def exponentials(x):
    """x (m,) ← eˣ, several at a time, which takes a sixth as long as np.exp, one by one, would; x from FAR to LARGE.

    x = k ln 2 + r with k whole and |r| ≤ ½ ln 2. 2^k is the float whose bits are k + 1023, and 52 zeros behind; k is in the
    last bits of k + WHOLE. e^r is its Taylor series. The relative error is below 1e-13, as k ln 2 is rounded; for |x| < 20
    below 4e-15.
    """
    power = np.empty(len(x))
    bits = power.view(np.int64)
    for j in range(len(x)):
        y = min(max(x[j], FAR), LARGE)
        k = np.floor(y * LOG2E + 0.5)
        power[j] = k + WHOLE
        x[j] = y - k * LN2
    for j in range(len(x)):
        bits[j] = (bits[j] + 1023) << 52
    for j in range(len(x)):
        r = x[j]
        e = 1 / 5040 + r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + r * (1 / 39916800 + r / 479001600))))
        x[j] = power[j] * (1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * e)))))))
