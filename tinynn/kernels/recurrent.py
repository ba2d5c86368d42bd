"""A whole LSTM sequence in one call, forward and backward: backpropagation through time (BPTT), by hand.

At each step t, for each example of the batch, with the gates i (input), f (forget), g (candidate), o (output):

    z = W_ih x_t + W_hh h_(t−1) + b             (4H,), in the order i, f, g, o
    i, f, o = σ(z_i), σ(z_f), σ(z_o);  g = tanh(z_g)
    c_t = f c_(t−1) + i g                       the cell: kept, forgotten, written
    h_t = o tanh(c_t)                           what is shown of it

Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000. Arrays have time first: (T, N, ·),
so that one step is one contiguous block. ops/recurrent.py has the same in ops, to read first.
The loops share the batch out among threads, BLOCK examples each.
"""
import numpy as np

from .registry import helper, kernel, prange

BLOCK = 32


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
    T, N, H = len(z), h0.shape[0], h0.shape[1]
    states, cells = np.empty((T + 2, N, H), z.dtype), np.empty((T + 1, N, H), z.dtype)
    shown = np.empty((T, N, H), z.dtype)
    half = z.dtype.type(0.5)
    W = W_hh.T.copy()                                                       # (H, 4H)
    for block in prange((N + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        stop = min(start + BLOCK, N)
        new = np.empty((stop - start, 4 * H), z.dtype)
        states[0, start:stop], cells[0, start:stop] = h0[start:stop], c0[start:stop]
        for t in range(T):
            np.dot(states[t, start:stop], W, new)
            for n in range(stop - start):
                gates, add = z[t, start + n], new[n]
                for j in range(2 * H):
                    gates[j] = half * (gates[j] + add[j])
                for j in range(2 * H, 3 * H):
                    gates[j] += add[j]
                for j in range(3 * H, 4 * H):
                    gates[j] = half * (gates[j] + add[j])
                tanh(gates, gates)
                for j in range(2 * H):
                    gates[j] = half + half * gates[j]
                for j in range(3 * H, 4 * H):
                    gates[j] = half + half * gates[j]
                old, cell = cells[t, start + n], cells[t + 1, start + n]
                show, h = shown[t, start + n], states[t + 1, start + n]
                i, f, g, o = gates[:H], gates[H:2 * H], gates[2 * H:3 * H], gates[3 * H:]
                for j in range(H):
                    cell[j] = f[j] * old[j] + i[j] * g[j]
                tanh(cell, show)
                for j in range(H):
                    h[j] = o[j] * show[j]
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
                i, f, g, o = gates[t, n, :H], gates[t, n, H:2 * H], gates[t, n, 2 * H:3 * H], gates[t, n, 3 * H:]
                di, df, dg, do = dz[t, n, :H], dz[t, n, H:2 * H], dz[t, n, 2 * H:3 * H], dz[t, n, 3 * H:]
                dhn, dcn, show, old, outside = dh[n], dc[n], shown[t, n], cells[t, n], dstates[t, n]
                for j in range(H):
                    a = dhn[j] + outside[j]
                    b = dcn[j] + a * o[j] * (one - show[j] * show[j])
                    di[j] = b * g[j] * i[j] * (one - i[j])
                    df[j] = b * old[j] * f[j] * (one - f[j])
                    dg[j] = b * i[j] * (one - g[j] * g[j])
                    do[j] = a * show[j] * o[j] * (one - o[j])
                    dcn[j] = b * f[j]
            np.dot(dz[t, start:stop], W_hh, dh[start:stop])                 # (n, 4H) @ (4H, H) -> (n, H)
    return dz, dh, dc


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
