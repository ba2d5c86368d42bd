"""Convolution: forward, and the two gradients, of the input and of the weights.

    y[n, o, i, j] = b[o] + Σ_{c, u, v} x[n, c, i·s_h + u − p_h, j·s_w + v − p_w] · W[o, c, u, v]        zeros outside the image

Seven nested loops: over n, o, i, j, c, u, v. The references write them as one einsum over a view of all windows. The loops
turn one image after the other into a matrix whose columns are its windows ("im2col", as in Chellapilla, Puri & Simard
2006), small enough to stay in the cache, and leave the arithmetic to BLAS. winograd.py has a faster way for 3 × 3 windows.

Shapes: x (N, C, H, W), W (O, C, kh, kw), y (N, O, Ho, Wo), Ho = ⌊(H + 2 p_h − kh)/s_h⌋ + 1. Strides s and paddings p are
ints, two of each. Threads share out the images, BLOCK at a time.
"""
import numpy as np

from .registry import helper, kernel, prange

BLOCK = 8


def windows(x, kh, kw, sh, sw, ph, pw):
    """A view of all windows of the padded images: (N, C, H, W) -> (N, C, Ho, Wo, kh, kw)."""
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    return np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(2, 3))[:, :, ::sh, ::sw]


@kernel
def forward(x, W, b, sh, sw, ph, pw):
    """y (N, O, Ho, Wo). b (O,), added to it."""
    return np.einsum("ncijuv,ocuv->noij", windows(x, *W.shape[2:], sh, sw, ph, pw), W, optimize=True) + b[:, None, None]


@forward.numba(parallel=True)
def _(x, W, b, sh, sw, ph, pw):
    (N, C, H, width), (O, _, kh, kw) = x.shape, W.shape
    Ho, Wo = (H + 2 * ph - kh) // sh + 1, (width + 2 * pw - kw) // sw + 1
    y = np.empty((N, O, Ho * Wo), x.dtype)
    rows = W.reshape(O, C * kh * kw)
    for block in prange((N + BLOCK - 1) // BLOCK):
        padded = np.zeros((C, H + 2 * ph, width + 2 * pw), x.dtype)
        columns = np.empty((C * kh * kw, Ho * Wo), x.dtype)
        for n in range(block * BLOCK, min(block * BLOCK + BLOCK, N)):
            to_columns(x[n], padded, columns, kh, kw, sh, sw, ph, pw, Ho, Wo)
            np.dot(rows, columns, y[n])                         # (O, C·kh·kw) @ (C·kh·kw, Ho·Wo) -> (O, Ho·Wo)
            for o in range(O):
                y[n, o] += b[o]
    return y.reshape(N, O, Ho, Wo)


@kernel
def to_input(g, W, H, width, sh, sw, ph, pw):
    """dL/dx (N, C, H, width) from g = dL/dy: each output gives to the inputs that it saw. The transposed convolution."""
    (N, _, Ho, Wo), (_, C, kh, kw) = g.shape, W.shape
    dx = np.zeros((N, C, H + 2 * ph, width + 2 * pw), g.dtype)
    for u in range(kh):
        for v in range(kw):
            dx[:, :, u:u + sh * Ho:sh, v:v + sw * Wo:sw] += np.einsum("noij,oc->ncij", g, W[:, :, u, v], optimize=True)
    return dx[:, :, ph:ph + H, pw:pw + width]


@to_input.numba(parallel=True)
def _(g, W, H, width, sh, sw, ph, pw):
    (N, O, Ho, Wo), (_, C, kh, kw) = g.shape, W.shape
    dx = np.empty((N, C, H, width), g.dtype)
    rows = W.reshape(O, C * kh * kw).T.copy()
    flat = g.reshape(N, O, Ho * Wo)
    for block in prange((N + BLOCK - 1) // BLOCK):
        padded = np.empty((C, H + 2 * ph, width + 2 * pw), g.dtype)
        columns = np.empty((C * kh * kw, Ho * Wo), g.dtype)
        for n in range(block * BLOCK, min(block * BLOCK + BLOCK, N)):
            np.dot(rows, flat[n], columns)                      # (C·kh·kw, O) @ (O, Ho·Wo) -> (C·kh·kw, Ho·Wo)
            from_columns(columns, padded, dx[n], kh, kw, sh, sw, ph, pw, Ho, Wo)
    return dx


@kernel
def to_weight(x, g, kh, kw, sh, sw, ph, pw):
    """dL/dW (O, C, kh, kw) from g = dL/dy: each weight gets what it multiplied."""
    Ho, Wo = g.shape[2:]
    return np.einsum("ncijuv,noij->ocuv", windows(x, kh, kw, sh, sw, ph, pw)[:, :, :Ho, :Wo], g, optimize=True)


@to_weight.numba(parallel=True)
def _(x, g, kh, kw, sh, sw, ph, pw):
    (N, C, H, width), (_, O, Ho, Wo) = x.shape, g.shape
    flat, blocks = g.reshape(N, O, Ho * Wo), (N + BLOCK - 1) // BLOCK
    dW = np.zeros((blocks, O, C * kh * kw), x.dtype)            # a part for each block
    for block in prange(blocks):
        padded = np.zeros((C, H + 2 * ph, width + 2 * pw), x.dtype)
        columns, part = np.empty((C * kh * kw, Ho * Wo), x.dtype), np.empty((O, C * kh * kw), x.dtype)
        for n in range(block * BLOCK, min(block * BLOCK + BLOCK, N)):
            to_columns(x[n], padded, columns, kh, kw, sh, sw, ph, pw, Ho, Wo)
            np.dot(flat[n], columns.T, part)                    # (O, Ho·Wo) @ (Ho·Wo, C·kh·kw) -> (O, C·kh·kw)
            dW[block] += part
    return dW.sum(0).reshape(O, C, kh, kw)


@helper
def to_columns(x, padded, columns, kh, kw, sh, sw, ph, pw, Ho, Wo):
    """columns (C·kh·kw, Ho·Wo) ← the windows of one image x (C, H, W): a row for each element (c, u, v) of a window.

    padded (C, H + 2 ph, W + 2 pw): zeros, inside which the image is copied first.
    """
    C, H, W = x.shape
    for c in range(C):
        for h in range(H):
            for w in range(W):
                padded[c, h + ph, w + pw] = x[c, h, w]
    row = 0
    for c in range(C):
        plane = padded[c].reshape(-1)
        for u in range(kh):
            for v in range(kw):
                out = columns[row]
                for i in range(Ho):
                    start, at = i * Wo, (i * sh + u) * (W + 2 * pw) + v
                    for j in range(Wo):
                        out[start + j] = plane[at + j * sw]
                row += 1


@helper
def from_columns(columns, padded, x, kh, kw, sh, sw, ph, pw, Ho, Wo):
    """The way back: x (C, H, W) ← the sum of all that `columns` has for its elements. padded: overwritten."""
    C, H, W = x.shape
    padded[:] = 0
    row = 0
    for c in range(C):
        plane = padded[c].reshape(-1)
        for u in range(kh):
            for v in range(kw):
                given = columns[row]
                for i in range(Ho):
                    start, at = i * Wo, (i * sh + u) * (W + 2 * pw) + v
                    for j in range(Wo):
                        plane[at + j * sw] += given[start + j]
                row += 1
    for c in range(C):
        for h in range(H):
            for w in range(W):
                x[c, h, w] = padded[c, h + ph, w + pw]
