"""Batch norm and layer norm: one pass for the mean and variance, one for the output; backward in two passes.

Both standardise groups of n numbers, x̂ = (x − μ)/√(σ² + ε), and then scale and shift: y = γ x̂ + β. With dL/dx̂ = γ dL/dy,

    dL/dx = (dL/dx̂ − mean(dL/dx̂) − x̂ · mean(dL/dx̂ · x̂)) / √(σ² + ε)

where the means are over the group: they are what comes back through μ and through σ². (In ops/normalization.py it is written
out in ops, without this.) In batch norm a group is a channel, and γ, β are numbers; in layer norm it is a row, and they are
vectors. All sums are in float64, whatever the dtype of x: one of a million numbers in float32 would lose three digits.
"""
import numpy as np

from .registry import kernel, prange


# --- batch norm: groups are the channels of x (N, C, L), N examples, L places -----------------------------------------

@kernel
def moments(x):
    """Mean μ and variance σ² = Σ(x − μ)²/n of each channel, n = N·L numbers: (N, C, L) -> (C,), (C,), in float64."""
    mean = x.mean((0, 2), dtype=np.result_type(x, np.float64))
    centred = x - mean[:, None]
    return mean, (centred * centred).mean((0, 2))


# One pass: σ² = Σd²/n − (Σd/n)², with d = x − (the channel's first number). Without a shift the difference could lose all
# digits; with this one it can't: none of n numbers is further than √n σ from their mean, so Σd²/n is at most (n + 1)σ².
@moments.numba(parallel=True, fastmath={"contract", "reassoc"})
def _(x):
    N, C, L = x.shape
    mean, var = np.empty(C), np.empty(C)
    for c in prange(C):
        first = np.float64(x[0, c, 0])
        total = squares = 0.0
        for n in range(N):
            row = x[n, c]
            for i in range(L):
                d = row[i] - first
                total += d
                squares += d * d
        total /= N * L
        mean[c], var[c] = first + total, squares / (N * L) - total * total
    return mean, var


@kernel
def channels_forward(x, mean, r, weight, bias):
    """y = (x − mean) · r γ + β. x (N, C, L); mean, r = 1/√(σ² + ε), weight γ and bias β (C,); y is like x."""
    y = (x - mean[:, None]) * (r * weight)[:, None] + bias[:, None]
    return y.astype(np.result_type(x, weight, bias), copy=False)


@channels_forward.numba(parallel=True, fastmath={"contract"})
def _(x, mean, r, weight, bias):
    N, C, L = x.shape
    y = np.empty_like(x)
    for n in prange(N):
        for c in range(C):
            row, out = x[n, c], y[n, c]
            m, s, b = x.dtype.type(mean[c]), x.dtype.type(r[c] * weight[c]), bias[c]
            for i in range(L):
                out[i] = (row[i] - m) * s + b
    return y


@kernel
def channels_backward(g, x, mean, r, weight):
    """g = dL/dy and x (N, C, L); mean, r and weight as above. Returns dL/dx like x, and dL/dγ and dL/dβ (C,)."""
    standard = (x - mean[:, None]) * r[:, None]                             # x̂
    dbias = g.sum((0, 2), dtype=np.result_type(g, np.float64))              # Σ dL/dy
    dweight = (g * standard).sum((0, 2))                                    # Σ dL/dy · x̂
    n = x.shape[0] * x.shape[2]
    dx = (weight * r)[:, None] * (g - (dbias / n)[:, None] - standard * (dweight / n)[:, None])
    return dx.astype(np.result_type(g, x, weight), copy=False), dweight, dbias


@channels_backward.numba(parallel=True, fastmath={"contract", "reassoc"})
def _(g, x, mean, r, weight):
    N, C, L = x.shape
    dx, dweight, dbias = np.empty_like(x), np.empty(C), np.empty(C)
    for c in prange(C):
        m, total, product = x.dtype.type(mean[c]), 0.0, 0.0
        for n in range(N):
            gs, xs = g[n, c], x[n, c]
            for i in range(L):
                total += gs[i]
                product += gs[i] * np.float64(xs[i] - m)
        dbias[c], dweight[c] = total, product * r[c]
        shift = x.dtype.type(total / (N * L))
        factor = x.dtype.type(dweight[c] * r[c] / (N * L))
        scale = x.dtype.type(weight[c] * r[c])
        for n in range(N):
            gs, xs, out = g[n, c], x[n, c], dx[n, c]
            for i in range(L):
                out[i] = scale * (gs[i] - shift - (xs[i] - m) * factor)
    return dx, dweight, dbias


# --- layer norm: groups are the rows of x (M, D) ----------------------------------------------------------------------

@kernel
def rows_forward(x, weight, bias, eps):
    """y = γ x̂ + β for each row. x (M, D), weight γ and bias β (D,). Returns y like x, and μ and 1/√(σ² + ε), (M,)."""
    mean = x.mean(1, dtype=np.result_type(x, np.float64))
    centred = x - mean[:, None]
    r = 1 / np.sqrt((centred * centred).mean(1) + eps)
    return (centred * r[:, None] * weight + bias).astype(np.result_type(x, weight, bias), copy=False), mean, r


@rows_forward.numba(parallel=True, fastmath={"contract", "reassoc"})
def _(x, weight, bias, eps):
    M, D = x.shape
    y, mean, r = np.empty_like(x), np.empty(M), np.empty(M)
    for m in prange(M):
        row, out, total, squares = x[m], y[m], 0.0, 0.0
        for i in range(D):
            total += row[i]
        mean[m] = total / D
        for i in range(D):
            d = row[i] - mean[m]
            squares += d * d
        r[m] = 1 / np.sqrt(squares / D + eps)
        mu, s = x.dtype.type(mean[m]), x.dtype.type(r[m])
        for i in range(D):
            out[i] = (row[i] - mu) * s * weight[i] + bias[i]
    return y, mean, r


@kernel
def rows_backward(g, x, mean, r, weight):
    """g = dL/dy and x (M, D), mean and r (M,) from rows_forward. Returns dL/dx like x, dL/dγ and dL/dβ (D,)."""
    standard = (x - mean[:, None]) * r[:, None]                             # x̂
    d = g * weight.astype(mean.dtype)                                       # dL/dx̂
    dx = (d - d.mean(1, keepdims=True) - standard * (d * standard).mean(1, keepdims=True)) * r[:, None]
    dx = dx.astype(np.result_type(g, x, weight), copy=False)
    return dx, (g * standard).sum(0), g.sum(0, dtype=np.result_type(g, np.float64))


BLOCK = 32              # rows that one thread takes at a time


@rows_backward.numba(parallel=True, fastmath={"contract", "reassoc"})
def _(g, x, mean, r, weight):
    M, D = x.shape
    blocks = (M + BLOCK - 1) // BLOCK
    dx, dweight, dbias = np.empty_like(x), np.zeros((blocks, D)), np.zeros((blocks, D))
    for block in prange(blocks):
        dw, db, standard, d = dweight[block], dbias[block], np.empty(D, x.dtype), np.empty(D, x.dtype)
        for m in range(block * BLOCK, min((block + 1) * BLOCK, M)):
            gs, xs, out, total, product = g[m], x[m], dx[m], 0.0, 0.0
            mu, s = x.dtype.type(mean[m]), x.dtype.type(r[m])
            for i in range(D):
                standard[i] = (xs[i] - mu) * s
                d[i] = gs[i] * weight[i]
            for i in range(D):
                total += d[i]
                product += d[i] * np.float64(standard[i])
            shift, factor = x.dtype.type(total / D), x.dtype.type(product / D)
            for i in range(D):
                out[i] = (d[i] - shift - standard[i] * factor) * s
            for i in range(D):
                db[i] += gs[i]
                dw[i] += gs[i] * standard[i]
    return dx, dweight.sum(0), dbias.sum(0)
