"""Whole sequences in one call, forward and backward: backpropagation through time (BPTT), by hand.

Three kinds of cells, from the simplest: rnn, gru, lstm. x_t is the input at step t, h_t the state that is shown, σ the
sigmoid; every equation holds for each example of the batch. Arrays have time first, (T, N, ·), so that one step is one
contiguous block. ops/recurrent.py has the same in ops, step by step: read that first.

The loops share the batch out among threads, BLOCK examples each.
"""
import numpy as np

from .registry import helper, kernel, prange

BLOCK = 32


@helper
def tanh(x, y):
    """y ← tanh(x), vectors; in float32 by a ratio of polynomials in x², off by at most 4e-7 (tests measure it).

    Numba's own tanh takes one number at a time, fifty times slower than arithmetic that the compiler makes parallel. The
    coefficients are a least-squares fit to tanh(x)/x on [0, 9], reweighted until the relative error was even, 2e-8.
    """
    if x.itemsize == 8:
        for j in range(len(x)):
            y[j] = np.tanh(x[j])
        return
    for j in range(len(x)):
        a = min(max(x[j], np.float32(-9)), np.float32(9))
        u = a * a
        p = np.float32(2.0609077e-5) + u * np.float32(1.3354651e-8)
        p = np.float32(1) + u * (np.float32(0.13381025) + u * (np.float32(3.4955880e-3) + u * p))
        q = np.float32(3.2856345e-4) + u * np.float32(7.7765549e-7)
        q = np.float32(1) + u * (np.float32(0.46714342) + u * (np.float32(0.025876982) + u * q))
        y[j] = min(max(a * p / q, np.float32(-1)), np.float32(1))


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
                tanh(new, new)
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
                tanh(gates[:2 * H], gates[:2 * H])
                for j in range(2 * H):
                    gates[j] = half + half * gates[j]
                for j in range(H):
                    candidate[j] = add[2 * H + j] + b_hh[2 * H + j]
                    n[j] += r[j] * candidate[j]
                tanh(n, n)
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
#     z = W_ih x_t + W_hh h_(t−1) + b             (4H,), in the order i (input), f (forget), g (candidate), o (output)
#     i, f, o = σ(z_i), σ(z_f), σ(z_o);  g = tanh(z_g)
#     c_t = f c_(t−1) + i g                       the cell: kept, forgotten, written
#     h_t = o tanh(c_t)                           what is shown of it

@kernel
def lstm_forward(z, h0, c0, W_hh):
    """All steps of one layer. z (T, N, 4H): W_ih x + b of all steps; h0, c0 (N, H); W_hh (4H, H).

    Turns z into the gates, in place. Returns states (T + 2, N, H): h_0 ... h_T, then c_T again (an op has one value);
    cells (T + 1, N, H): c_0 ... c_T; shown (T, N, H): tanh(c_1) ... tanh(c_T).
    """
    T, N, H = len(z), *h0.shape
    states, cells = np.empty((T + 2, N, H), z.dtype), np.empty((T + 1, N, H), z.dtype)
    shown = np.empty((T, N, H), z.dtype)
    states[0], cells[0] = h0, c0
    for t in range(T):
        z[t] += states[t] @ W_hh.T                                          # (N, H) @ (H, 4H) -> (N, 4H)
        z[t, :, :2 * H] = 0.5 + 0.5 * np.tanh(0.5 * z[t, :, :2 * H])        # σ(z) = (1 + tanh(z/2))/2, safe for any z
        z[t, :, 2 * H:3 * H] = np.tanh(z[t, :, 2 * H:3 * H])
        z[t, :, 3 * H:] = 0.5 + 0.5 * np.tanh(0.5 * z[t, :, 3 * H:])
        i, f, g, o = np.split(z[t], 4, axis=1)                              # (N, H) each
        cells[t + 1] = f * cells[t] + i * g
        shown[t] = np.tanh(cells[t + 1])
        states[t + 1] = o * shown[t]
    states[T + 1] = cells[T]
    return states, cells, shown


@lstm_forward.numba(parallel=True, fastmath={"contract"})
def _(z, h0, c0, W_hh):
    # Rows are short, so what can runs over a whole block: tanh, of all gates alike, between a scaling before and after that
    # makes σ(a) = ½ + ½ tanh(½a) of it, and tanh(a) = 0 + 1 tanh(1a).
    T, N, H = len(z), h0.shape[0], h0.shape[1]
    states, cells = np.empty((T + 2, N, H), z.dtype), np.empty((T + 1, N, H), z.dtype)
    shown = np.empty((T, N, H), z.dtype)
    scale, shift = np.full((BLOCK, 4 * H), 0.5, z.dtype), np.full((BLOCK, 4 * H), 0.5, z.dtype)
    scale[:, 2 * H:3 * H], shift[:, 2 * H:3 * H] = 1, 0
    half, whole = shift.reshape(-1), scale.reshape(-1)
    W = W_hh.T.copy()                                                       # (H, 4H)
    for block in prange((N + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        stop = min(start + BLOCK, N)
        new = np.empty((stop - start, 4 * H), z.dtype)
        add = new.reshape(-1)
        states[0, start:stop], cells[0, start:stop] = h0[start:stop], c0[start:stop]
        for t in range(T):
            np.dot(states[t, start:stop], W, new)
            gates = z[t, start:stop].reshape(-1)
            for k in range(len(gates)):
                gates[k] = whole[k] * (gates[k] + add[k])
            tanh(gates, gates)
            for k in range(len(gates)):
                gates[k] = half[k] + whole[k] * gates[k]
            for n in range(start, stop):
                for j in range(H):
                    cells[t + 1, n, j] = z[t, n, H + j] * cells[t, n, j] + z[t, n, j] * z[t, n, 2 * H + j]
            tanh(cells[t + 1, start:stop].reshape(-1), shown[t, start:stop].reshape(-1))
            for n in range(start, stop):
                for j in range(H):
                    states[t + 1, n, j] = z[t, n, 3 * H + j] * shown[t, n, j]
        states[T + 1, start:stop] = cells[T, start:stop]
    return states, cells, shown


@kernel
def lstm_backward(gates, cells, shown, W_hh, dstates):
    """BPTT: dL/dz of all steps, (T, N, 4H), dL/dh0 and dL/dc0, (N, H).

    gates, cells, shown: from lstm_forward. dstates (T + 1, N, H): dL/dh_1 ... dL/dh_T, then dL/dc_T from outside.

        dh = dL/dh_t + W_hhᵀ dz_(t+1)               from outside, and from the next step
        dc = dc_(t+1) f_(t+1) + dh o (1 − tanh²c)
        dz_i = dc g i(1 − i),  dz_f = dc c_(t−1) f(1 − f),  dz_g = dc i (1 − g²),  dz_o = dh tanh(c) o(1 − o)
    """
    T, N, H = shown.shape
    dz = np.empty_like(gates)
    dh, dc = np.zeros((N, H), gates.dtype), dstates[T].copy()
    for t in reversed(range(T)):
        i, f, g, o = np.split(gates[t], 4, axis=1)                          # (N, H) each
        dh = dh + dstates[t]
        dc = dc + dh * o * (1 - shown[t] * shown[t])
        dz[t] = np.concatenate([dc * g * i * (1 - i), dc * cells[t] * f * (1 - f), dc * i * (1 - g * g),
                                dh * shown[t] * o * (1 - o)], axis=1)       # 4 of (N, H) -> (N, 4H)
        dh = dz[t] @ W_hh                                                   # (N, 4H) @ (4H, H) -> (N, H)
        dc = dc * f
    return dz, dh, dc


@lstm_backward.numba(parallel=True, fastmath={"contract"})
def _(gates, cells, shown, W_hh, dstates):
    T, N, H = shown.shape
    dz = np.empty_like(gates)
    dh, dc = np.zeros((N, H), gates.dtype), dstates[T].copy()
    one = gates.dtype.type(1)
    for block in prange((N + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        stop = min(start + BLOCK, N)
        for t in range(T - 1, -1, -1):
            for n in range(start, stop):
                for j in range(H):
                    i, f = gates[t, n, j], gates[t, n, H + j]
                    g, o, show = gates[t, n, 2 * H + j], gates[t, n, 3 * H + j], shown[t, n, j]
                    a = dh[n, j] + dstates[t, n, j]
                    b = dc[n, j] + a * o * (one - show * show)
                    dz[t, n, j] = b * g * i * (one - i)
                    dz[t, n, H + j] = b * cells[t, n, j] * f * (one - f)
                    dz[t, n, 2 * H + j] = b * i * (one - g * g)
                    dz[t, n, 3 * H + j] = a * show * o * (one - o)
                    dc[n, j] = b * f
            np.dot(dz[t, start:stop], W_hh, dh[start:stop])                 # (n, 4H) @ (4H, H) -> (n, H)
    return dz, dh, dc
