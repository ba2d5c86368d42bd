"""Whole sequences in one call, forward and backward: backpropagation through time (BPTT), by hand.

Three kinds of cells, from the simplest: rnn, gru, lstm. x_t is the input at step t, h_t the state that is shown, σ the
sigmoid; every equation holds for each example of the batch. Arrays of rnn and gru have time first, (T, N, ·), so that one
step is one contiguous block; those of lstm have blocks of examples first, see there. ops/recurrent.py has the same in ops,
step by step: read that first.

The loops share the batch out among threads, BLOCK examples each. All three are in one file because they share `tanh`: where
Numba's cache is concerned a helper has to stand beside its loops (registry.py).
"""
import numpy as np

from .registry import helper, kernel, prange

BLOCK = 32


@helper
def tanh(x):
    """x ← tanh(x), a vector; in float32 by a ratio of polynomials in x², off by at most 4e-7 (a test measures it).

    Numba's own tanh takes one number at a time, fifty times slower than arithmetic that the compiler does eight at a time.
    The coefficients are a least-squares fit to tanh(x)/x on [0, 9], reweighted until the relative error was even, 2e-8.
    """
    if x.itemsize == 8:
        for j in range(len(x)):
            x[j] = np.tanh(x[j])
        return
    for j in range(len(x)):
        a = min(max(x[j], np.float32(-9)), np.float32(9))
        u = a * a
        p = np.float32(2.0609077e-5) + u * np.float32(1.3354651e-8)
        p = np.float32(1) + u * (np.float32(0.13381025) + u * (np.float32(3.4955880e-3) + u * p))
        q = np.float32(3.2856345e-4) + u * np.float32(7.7765549e-7)
        q = np.float32(1) + u * (np.float32(0.46714342) + u * (np.float32(0.025876982) + u * q))
        x[j] = min(max(a * p / q, np.float32(-1)), np.float32(1))


# --- the plain recurrent network (Elman 1990):  h_t = tanh(W_ih x_t + W_hh h_(t−1) + b) -------------------------------

@kernel
def rnn_forward(z, h0, W_hh):
    """All steps. z (T, N, H): W_ih x + b of all steps; h0 (N, H); W_hh (H, H). Returns h_0 ... h_T: (T + 1, N, H)."""
    h = np.concatenate([h0[None], z])
    for t in range(len(z)):
        h[t + 1] = np.tanh(z[t] + h[t] @ W_hh.T)                            # (N, H) @ (H, H) -> (N, H)
    return h


@rnn_forward.numba(parallel=True, fastmath={"contract"})
def _(z, h0, W_hh):
    T, N, H = z.shape
    h = np.empty((T + 1, N, H), z.dtype)
    W = W_hh.T.copy()
    for block in prange((N + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        stop = min(start + BLOCK, N)
        h[0, start:stop] = h0[start:stop]
        for t in range(T):
            np.dot(h[t, start:stop], W, h[t + 1, start:stop])
            for n in range(start, stop):
                new, add = h[t + 1, n], z[t, n]
                for j in range(H):
                    new[j] += add[j]
                tanh(new)
    return h


@kernel
def rnn_backward(h, W_hh, dh):
    """BPTT. h (T + 1, N, H) from rnn_forward; dh (T, N, H): dL/dh_1 ... dL/dh_T. Returns dL/dz (T, N, H), dL/dh_0 (N, H).

        dz_t = (dL/dh_t + W_hhᵀ dz_(t+1)) (1 − h_t²)          from outside, and from the next step
    """
    dz, back = np.empty_like(dh), np.zeros_like(h[0])
    for t in reversed(range(len(dh))):
        dz[t] = (dh[t] + back) * (1 - h[t + 1] * h[t + 1])
        back = dz[t] @ W_hh                                                 # (N, H) @ (H, H) -> (N, H)
    return dz, back


@rnn_backward.numba(parallel=True, fastmath={"contract"})
def _(h, W_hh, dh):
    T, N, H = dh.shape
    dz, back = np.empty_like(dh), np.zeros((N, H), h.dtype)
    one = h.dtype.type(1)
    for block in prange((N + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        stop = min(start + BLOCK, N)
        for t in range(T - 1, -1, -1):
            for n in range(start, stop):
                out, a, b, y = dz[t, n], dh[t, n], back[n], h[t + 1, n]
                for j in range(H):
                    out[j] = (a[j] + b[j]) * (one - y[j] * y[j])
            np.dot(dz[t, start:stop], W_hh, back[start:stop])
    return dz, back


# --- the gated recurrent unit (GRU; Cho et al. 2014, in the form that PyTorch and cuDNN use) --------------------------
#
#     u = W_ih x_t + b_ih,  v = W_hh h_(t−1) + b_hh           (3H,) each, in the order r, z, n
#     r = σ(u_r + v_r)                                        reset: how much of the past enters the candidate
#     z = σ(u_z + v_z)                                        update: how much of the past stays
#     n = tanh(u_n + r v_n)                                   candidate
#     h_t = (1 − z) n + z h_(t−1)

@kernel
def gru_forward(u, h0, W_hh, b_hh):
    """All steps. u (T, N, 3H), h0 (N, H), W_hh (3H, H), b_hh (3H,). Turns u into the gates r, z, n, in place.

    Returns h_0 ... h_T, (T + 1, N, H), and v_n of all steps, (T, N, H).
    """
    T, N, H = len(u), *h0.shape
    h, v_n = np.empty((T + 1, N, H), u.dtype), np.empty((T, N, H), u.dtype)
    h[0] = h0
    for t in range(T):
        v = h[t] @ W_hh.T + b_hh                                            # (N, H) @ (H, 3H) -> (N, 3H)
        v_n[t] = v[:, 2 * H:]
        u[t, :, :2 * H] = 0.5 + 0.5 * np.tanh(0.5 * (u[t, :, :2 * H] + v[:, :2 * H]))       # σ(a) = (1 + tanh(a/2))/2
        r, z, n = np.split(u[t], 3, axis=1)                                 # (N, H) each, views
        n[...] = np.tanh(n + r * v_n[t])
        h[t + 1] = (1 - z) * n + z * h[t]
    return h, v_n


@gru_forward.numba(parallel=True, fastmath={"contract"})
def _(u, h0, W_hh, b_hh):
    T, N, H = len(u), h0.shape[0], h0.shape[1]
    h, v_n = np.empty((T + 1, N, H), u.dtype), np.empty((T, N, H), u.dtype)
    one, half = u.dtype.type(1), u.dtype.type(0.5)
    W = W_hh.T.copy()                                                       # (H, 3H)
    for block in prange((N + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        stop = min(start + BLOCK, N)
        v = np.empty((stop - start, 3 * H), u.dtype)
        h[0, start:stop] = h0[start:stop]
        for t in range(T):
            np.dot(h[t, start:stop], W, v)
            for m in range(stop - start):
                gates, add, candidate = u[t, start + m], v[m], v_n[t, start + m]
                old, new = h[t, start + m], h[t + 1, start + m]
                r, z, n = gates[:H], gates[H:2 * H], gates[2 * H:]
                for j in range(2 * H):
                    gates[j] = half * (gates[j] + add[j] + b_hh[j])
                tanh(gates[:2 * H])
                for j in range(2 * H):
                    gates[j] = half + half * gates[j]
                for j in range(H):
                    candidate[j] = add[2 * H + j] + b_hh[2 * H + j]
                    n[j] += r[j] * candidate[j]
                tanh(n)
                for j in range(H):
                    new[j] = (one - z[j]) * n[j] + z[j] * old[j]
    return h, v_n


@kernel
def gru_backward(gates, h, v_n, W_hh, dh):
    """BPTT. gates, h, v_n from gru_forward; dh (T, N, H): dL/dh_1 ... dL/dh_T.

    Returns dL/du and dL/dv of all steps, (T, N, 3H), and dL/dh_0 (N, H). With a = dL/dh_t + what comes from step t + 1:

        du_n = a (1 − z)(1 − n²),  du_z = a (h_(t−1) − n) z(1 − z),  du_r = du_n v_n r(1 − r)
        dv is the same but for dv_n = du_n r;  and back to h_(t−1) goes  a z + W_hhᵀ dv
    """
    H = h.shape[2]
    du, dv, back = np.empty_like(gates), np.empty_like(gates), np.zeros_like(h[0])
    for t in reversed(range(len(dh))):
        r, z, n = np.split(gates[t], 3, axis=1)                             # (N, H) each
        a = dh[t] + back
        du_n = a * (1 - z) * (1 - n * n)
        du[t] = np.concatenate([du_n * v_n[t] * r * (1 - r), a * (h[t] - n) * z * (1 - z), du_n], axis=1)
        dv[t, :, :2 * H], dv[t, :, 2 * H:] = du[t, :, :2 * H], du_n * r
        back = a * z + dv[t] @ W_hh                                         # (N, 3H) @ (3H, H) -> (N, H)
    return du, dv, back


@gru_backward.numba(parallel=True, fastmath={"contract"})
def _(gates, h, v_n, W_hh, dh):
    T, N, H = dh.shape
    du, dv, back = np.empty_like(gates), np.empty_like(gates), np.zeros((N, H), h.dtype)
    one = h.dtype.type(1)
    for block in prange((N + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        stop = min(start + BLOCK, N)
        kept = np.empty((stop - start, H), h.dtype)                         # a z
        for t in range(T - 1, -1, -1):
            for m in range(start, stop):
                r, z, n = gates[t, m, :H], gates[t, m, H:2 * H], gates[t, m, 2 * H:]
                outside, later, old, candidate, keep = dh[t, m], back[m], h[t, m], v_n[t, m], kept[m - start]
                u, v = du[t, m], dv[t, m]
                for j in range(H):
                    a = outside[j] + later[j]
                    d = a * (one - z[j]) * (one - n[j] * n[j])
                    u[j] = d * candidate[j] * r[j] * (one - r[j])
                    u[H + j] = a * (old[j] - n[j]) * z[j] * (one - z[j])
                    u[2 * H + j] = d
                    v[j] = u[j]
                    v[H + j] = u[H + j]
                    v[2 * H + j] = d * r[j]
                    keep[j] = a * z[j]
            np.dot(dv[t, start:stop], W_hh, back[start:stop])
            back[start:stop] += kept
    return du, dv, back


# --- long short-term memory (LSTM; Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000) -----------
#
#     z = W s_t,  s_t = (h_(t−1), x_t, 1)         W = (W_hh, W_ih, b): (4H, S), S = H + D + 1; z (4H,), in the order
#                                                 i (input), f (forget), g (candidate), o (output)
#     i, f, o = σ(z_i), σ(z_f), σ(z_o);  g = tanh(z_g)
#     c_t = f c_(t−1) + i g                       the cell: kept, forgotten, written
#     h_t = o tanh(c_t)                           what is shown of it
#
# Examples are columns here, n of them side by side in each of B blocks, and everything that is kept for the way back has
# the shape (B, T, ·, n): each gate of a step is one run of memory, and threads share out the blocks.

@kernel
def lstm_forward(x, h0, c0, W):
    """All steps. x (N, T, D), h0, c0 (N, H), W (4H, S).

    Returns y (N, T + 1, H): h_1 ... h_T, then c_T (an op has one value); and for the way back s (B, T + 1, S, n): s_1 ...,
    and of s_(T+1) only h_T; gates (B, T, 4H, n), cells (B, T + 1, H, n): c_0 ... c_T, and shown (B, T, H, n): tanh(c_t).
    """
    (N, T, D), H = x.shape, h0.shape[1]
    B, n = blocks(N)
    s, gates = np.ones((B, T + 1, H + D + 1, n), W.dtype), np.empty((B, T, 4 * H, n), W.dtype)
    cells, shown = np.empty((B, T + 1, H, n), W.dtype), np.empty((B, T, H, n), W.dtype)
    s[:, 0, :H], cells[:, 0] = (to_columns(a[:, None], B, n)[:, 0] for a in (h0, c0))           # (N, H) -> (B, H, n)
    s[:, :T, H:-1], s[:, T, H:] = to_columns(x, B, n), 0                    # (N, T, D) -> (B, T, D, n)
    for t in range(T):
        z = W @ s[:, t]                                                     # (4H, S) @ (B, S, n) -> (B, 4H, n)
        i, f, o = (0.5 + 0.5 * np.tanh(0.5 * z[:, k * H:(k + 1) * H]) for k in (0, 1, 3))       # σ(a) = (1 + tanh(a/2))/2
        g = np.tanh(z[:, 2 * H:3 * H])
        cells[:, t + 1] = f * cells[:, t] + i * g
        shown[:, t] = np.tanh(cells[:, t + 1])
        s[:, t + 1, :H] = o * shown[:, t]
        gates[:, t] = np.concatenate([i, f, g, o], axis=1)                  # 4 of (B, H, n) -> (B, 4H, n)
    y = np.concatenate([s[:, 1:, :H], cells[:, T:]], axis=1)                # (B, T + 1, H, n)
    return to_rows(y, N), s, gates, cells, shown


@lstm_forward.numba(parallel=True, fastmath={"contract"})
def _(x, h0, c0, W):
    N, T, D = x.shape
    H = h0.shape[1]
    B, n = blocks(N)
    dtype, half, size = W.dtype, W.dtype.type(0.5), H * n
    y, s, gates = np.empty((N, T + 1, H), dtype), np.zeros((B, T + 1, H + D + 1, n), dtype), np.empty((B, T, 4 * H, n), dtype)
    cells, shown = np.zeros((B, T + 1, H, n), dtype), np.empty((B, T, H, n), dtype)
    halved = W.copy()                                                       # σ(a) = ½ + ½ tanh(½a), but tanh(a) for g
    for r in range(4 * H):
        if r < 2 * H or r >= 3 * H:
            halved[r] *= half
    for k in prange(B):
        start, stop = k * n, min(k * n + n, N)
        for t in range(T):
            for m in range(start, stop):
                for j in range(D):
                    s[k, t, H + j, m - start] = x[m, t, j]
            for e in range(n):
                s[k, t, H + D, e] = 1
        for m in range(start, stop):
            for j in range(H):
                s[k, 0, j, m - start], cells[k, 0, j, m - start] = h0[m, j], c0[m, j]
        for t in range(T):
            np.dot(halved, s[k, t], gates[k, t])                            # (4H, S) @ (S, n) -> (4H, n)
            z, show, h = gates[k, t].reshape(-1), shown[k, t].reshape(-1), s[k, t + 1].reshape(-1)
            old, cell = cells[k, t].reshape(-1), cells[k, t + 1].reshape(-1)
            tanh(z)
            for e in range(2 * size):
                z[e] = half + half * z[e]
            for e in range(3 * size, 4 * size):
                z[e] = half + half * z[e]
            for e in range(size):
                cell[e] = z[size + e] * old[e] + z[e] * z[2 * size + e]
            for e in range(size):
                show[e] = cell[e]
            tanh(show)
            for e in range(size):
                h[e] = z[3 * size + e] * show[e]
            for m in range(start, stop):
                for j in range(H):
                    y[m, t, j] = s[k, t + 1, j, m - start]
        for m in range(start, stop):
            for j in range(H):
                y[m, T, j] = cells[k, T, j, m - start]
    return y, s, gates, cells, shown


@kernel
def lstm_backward(dy, s, gates, cells, shown, W):
    """BPTT. dy (N, T + 1, H): dL/dy; the rest from lstm_forward. Returns dL/d of x (N, T, D), h0, c0 (N, H), W (4H, S).

        (dh, dx_t, ·) = Wᵀ dz_t                     what step t passes back to h_(t−1), to which dL/dh_(t−1) is added
        dc = dc_(t+1) f_(t+1) + dh o (1 − tanh²c)
        dz_i = dc g i(1 − i),  dz_f = dc c_(t−1) f(1 − f),  dz_g = dc i (1 − g²),  dz_o = dh tanh(c) o(1 − o)
        dW = Σ_t dz_t s_tᵀ
    """
    N, T, H = len(dy), dy.shape[1] - 1, dy.shape[2]
    B, n = blocks(N)
    outside, dz, ds = to_columns(dy, B, n), np.empty_like(gates), np.zeros_like(s)
    dc = outside[:, T]                                                      # (B, H, n)
    for t in reversed(range(T)):
        i, f, g, o = np.split(gates[:, t], 4, axis=1)                       # (B, H, n) each
        dh = ds[:, t + 1, :H] + outside[:, t]
        dc = dc + dh * o * (1 - shown[:, t] * shown[:, t])
        dz[:, t] = np.concatenate([dc * g * i * (1 - i), dc * cells[:, t] * f * (1 - f), dc * i * (1 - g * g),
                                   dh * shown[:, t] * o * (1 - o)], axis=1)                     # 4 (B, H, n) -> (B, 4H, n)
        ds[:, t] = W.T @ dz[:, t]                                           # (S, 4H) @ (B, 4H, n) -> (B, S, n)
        dc = dc * f
    dW = np.einsum("btkn,btsn->ks", dz, s[:, :T])
    return to_rows(ds[:, :T, H:-1], N), to_rows(ds[:, :1, :H], N)[:, 0], to_rows(dc[:, None], N)[:, 0], dW


@lstm_backward.numba(parallel=True, fastmath={"contract"})
def _(dy, s, gates, cells, shown, W):
    N, T, H = len(dy), dy.shape[1] - 1, dy.shape[2]
    S = W.shape[1]
    B, n = blocks(N)
    dtype, one, size, back = W.dtype, W.dtype.type(1), H * n, W.T.copy()
    dx, dh0, dc0 = np.empty((N, T, S - H - 1), dtype), np.empty((N, H), dtype), np.empty((N, H), dtype)
    dW = np.zeros((B, 4 * H * S), dtype)                                    # a part for each block
    for k in prange(B):
        start, stop = k * n, min(k * n + n, N)
        ds, dc, dz, d = np.zeros((S, n), dtype), np.zeros((H, n), dtype), np.empty((4 * H, n), dtype), np.empty(size, dtype)
        step_dW = np.empty((4 * H, S), dtype)
        a, c, u, total, add = ds.reshape(-1), dc.reshape(-1), dz.reshape(-1), dW[k], step_dW.reshape(-1)
        for m in range(start, stop):
            for j in range(H):
                dc[j, m - start] = dy[m, T, j]
        for t in range(T - 1, -1, -1):
            for m in range(start, stop):
                for j in range(H):
                    ds[j, m - start] += dy[m, t, j]
            z, show, old = gates[k, t].reshape(-1), shown[k, t].reshape(-1), cells[k, t].reshape(-1)
            for e in range(size):                           # one quantity a loop: with more the compiler gives up on SIMD
                d[e] = c[e] + a[e] * z[3 * size + e] * (one - show[e] * show[e])
            for e in range(size):
                u[e] = d[e] * z[2 * size + e] * z[e] * (one - z[e])
            for e in range(size):
                u[size + e] = d[e] * old[e] * z[size + e] * (one - z[size + e])
            for e in range(size):
                u[2 * size + e] = d[e] * z[e] * (one - z[2 * size + e] * z[2 * size + e])
            for e in range(size):
                u[3 * size + e] = a[e] * show[e] * z[3 * size + e] * (one - z[3 * size + e])
            for e in range(size):
                c[e] = d[e] * z[size + e]
            np.dot(back, dz, ds)                                            # (S, 4H) @ (4H, n) -> (S, n)
            np.dot(dz, s[k, t].T, step_dW)                                  # (4H, n) @ (n, S) -> (4H, S)
            for e in range(len(add)):
                total[e] += add[e]
            for m in range(start, stop):
                for j in range(S - H - 1):
                    dx[m, t, j] = ds[H + j, m - start]
        for m in range(start, stop):
            for j in range(H):
                dh0[m, j], dc0[m, j] = ds[j, m - start], dc[j, m - start]
    return dx, dh0, dc0, dW.sum(0).reshape(4 * H, S)


@helper
def blocks(N):
    """(B, n): N examples in B blocks of n ≤ BLOCK, as even as can be; the last may have columns of zeros."""
    B = max((N + BLOCK - 1) // BLOCK, 1)
    return B, max((N + B - 1) // B, 1)


def to_columns(a, B, n):
    """(N, T, K) -> (B, T, K, n)."""
    padded = np.concatenate([a, np.zeros((B * n - len(a), *a.shape[1:]), a.dtype)])
    return padded.reshape(B, n, *a.shape[1:]).transpose(0, 2, 3, 1).copy()


def to_rows(a, N):
    """(B, T, K, n) -> (N, T, K)."""
    B, T, K, n = a.shape
    return a.transpose(0, 3, 1, 2).reshape(B * n, T, K)[:N]
