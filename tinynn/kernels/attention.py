"""Scaled dot-product attention, forward and backward: softmax(QKᵀ/√d)V for every example and head.

Arrays have tokens before heads, (N, T, h, d), as a linear layer leaves them, so that nothing need be transposed: N examples,
T queries, S keys, h heads, d numbers in a query or key, e in a value. ops/attention.py has the same in ops: read that first.
The loops share the examples out among threads; each head's little matrices fit into a core's cache, where the scores are
made, exponentiated, and used at once.
"""
import numpy as np

from .registry import helper, kernel, prange

LOWEST = np.float32(-87)                # e^−87 = 2e-38 is nearly the smallest number of full precision


@helper
def exp(x, powers):
    """x ← eˣ, a vector of numbers up to 0; in float32 off by at most 3e-7 relatively (a test measures it), 0 below e^−87.

    Numba's own exp takes one number at a time; NumPy's can't be called from a loop. eˣ = 2ᵏ eᶠ with the whole number k next
    to x/ln 2, and f = x − k ln 2 in ±0.35, where the series to f⁷/7! will do. 2ᵏ is put together from its bits: k + 127, 23
    places up. powers: an int32 vector as long as x, to work in.
    """
    if x.itemsize == 8:
        for i in range(len(x)):
            x[i] = np.exp(x[i])
        return
    high, low = np.float32(0.693359375), np.float32(-2.12194440e-4)         # ln 2 in two parts: k · high is exact
    for i in range(len(x)):
        a = LOWEST if x[i] < LOWEST else x[i]                               # NaN stays NaN
        k = np.floor(a * np.float32(1.44269504) + np.float32(0.5))
        f = (a - k * high) - k * low
        series = np.float32(1 / 120) + f * (np.float32(1 / 720) + f * np.float32(1 / 5040))
        series = np.float32(1 / 2) + f * (np.float32(1 / 6) + f * (np.float32(1 / 24) + f * series))
        powers[i] = np.int32(0) if x[i] < LOWEST else (np.int32(k) + np.int32(127)) << np.int32(23)
        x[i] = np.float32(1) + f * (np.float32(1) + f * series)
    twos = powers.view(np.float32)                                          # 2ᵏ, or 0
    for i in range(len(x)):
        x[i] *= twos[i]


@kernel
def attention_forward(q, k, v, mask):
    """Returns y (N, T, h, e) and the weights w = softmax(qkᵀ/√d + mask), (N, h, T, S).

    q (N, T, h, d), k (N, S, h, d), v (N, S, h, e); mask (N, h, T, S), or of size 0 for none: what to add to the scores.
    """
    scores = np.einsum("nthd,nshd->nhts", q, k) * (1 / np.sqrt(q.shape[3])).astype(q.real.dtype)
    if mask.size:
        scores = scores + mask
    w = np.exp(scores - scores.real.max(axis=3, keepdims=True))
    w /= w.sum(axis=3, keepdims=True)
    return np.einsum("nhts,nshe->nthe", w, v), w


@attention_forward.numba(parallel=True, fastmath={"contract", "reassoc"})
def _(q, k, v, mask):
    N, T, h, d = q.shape
    S, e, number = k.shape[1], v.shape[3], q.dtype.type
    y, w, scale = np.empty((N, T, h, e), q.dtype), np.empty((N, h, T, S), q.dtype), number(1 / np.sqrt(d))
    for n in prange(N):
        Q, KT = np.empty((T, d), q.dtype), np.empty((d, S), q.dtype)
        V, Y = np.empty((S, e), q.dtype), np.empty((T, e), q.dtype)
        for head in range(h):
            gather(q[n], head, scale, Q)
            gather(k[n], head, number(1), KT.T)
            scores = w[n, head]
            np.dot(Q, KT, scores)                                           # (T, d) @ (d, S) -> (T, S)
            for t in range(T):
                row, largest = scores[t], number(-np.inf)
                if mask.size:
                    for s in range(S):
                        row[s] += mask[n, head, t, s]
                for s in range(S):
                    largest = max(largest, row[s])
                for s in range(S):
                    row[s] -= largest
        exp(w[n].reshape(h * T * S), np.empty(h * T * S, np.int32))         # all heads at once: short loops are slow
        for head in range(h):
            weights = w[n, head]
            for t in range(T):
                row, total = weights[t], number(0)
                for s in range(S):
                    total += row[s]
                for s in range(S):
                    row[s] /= total
            gather(v[n], head, number(1), V)
            np.dot(weights, V, Y)                                           # (T, S) @ (S, e) -> (T, e)
            scatter(Y, y[n], head)
    return y, w


@helper
def gather(x, head, factor, into):
    """into (T, d) ← factor · x[:, head], of x (T, h, d)."""
    for t in range(into.shape[0]):
        for j in range(into.shape[1]):
            into[t, j] = factor * x[t, head, j]


@helper
def scatter(a, x, head):
    """x[:, head] ← a (T, d), of x (T, h, d)."""
    for t in range(a.shape[0]):
        for j in range(a.shape[1]):
            x[t, head, j] = a[t, j]


@kernel
def attention_backward(g, q, k, v, w, dq, dk, dv):
    """g (N, T, h, e) = dL/dy; w from attention_forward. Writes dL/dq, dL/dk, dL/dv into arrays like q, k, v.

        dV = wᵀg,  dw = gVᵀ,  ds = w · (dw − Σ dw · w) (through the softmax),  dQ = ds K/√d,  dK = dsᵀ Q/√d
    """
    dw = np.einsum("nthe,nshe->nhts", g, v)
    ds = w * (dw - (dw * w).sum(axis=3, keepdims=True)) * (1 / np.sqrt(q.shape[3])).astype(q.real.dtype)
    dq[...], dk[...] = np.einsum("nhts,nshd->nthd", ds, k), np.einsum("nhts,nthd->nshd", ds, q)
    dv[...] = np.einsum("nhts,nthe->nshe", w, g)


@attention_backward.numba(parallel=True, fastmath={"contract", "reassoc"})
def _(g, q, k, v, w, dq, dk, dv):
    N, T, h, d = q.shape
    S, e, number = k.shape[1], v.shape[3], q.dtype.type
    scale = number(1 / np.sqrt(d))
    for n in prange(N):
        Q, dQ = np.empty((T, d), q.dtype), np.empty((T, d), q.dtype)
        K, dK = np.empty((S, d), q.dtype), np.empty((S, d), q.dtype)
        VT, dV = np.empty((e, S), q.dtype), np.empty((S, e), q.dtype)
        G, ds = np.empty((T, e), q.dtype), np.empty((T, S), q.dtype)
        for head in range(h):
            gather(q[n], head, scale, Q)
            gather(k[n], head, scale, K)
            gather(v[n], head, number(1), VT.T)
            gather(g[n], head, number(1), G)
            weights = w[n, head]
            np.dot(weights.T, G, dV)                                        # (S, T) @ (T, e) -> (S, e)
            np.dot(G, VT, ds)                                               # (T, e) @ (e, S) -> (T, S): dL/dw
            for t in range(T):
                row, weight, total = ds[t], weights[t], number(0)
                for s in range(S):
                    total += row[s] * weight[s]
                for s in range(S):
                    row[s] = weight[s] * (row[s] - total)
            np.dot(ds, K, dQ)                                               # (T, S) @ (S, d) -> (T, d)
            np.dot(ds.T, Q, dK)                                             # (S, T) @ (T, d) -> (S, d)
            scatter(dQ, dq[n], head)
            scatter(dK, dk[n], head)
            scatter(dV, dv[n], head)
