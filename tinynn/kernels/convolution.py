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
        columns = np.empty((C * kh * kw, Ho * Wo), x.dtype)
        for n in range(block * BLOCK, min(block * BLOCK + BLOCK, N)):
            to_columns(x[n], columns, kh, kw, sh, sw, ph, pw, Ho, Wo)
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
    dx = np.zeros((N, C, H, width), g.dtype)
    rows = W.reshape(O, C * kh * kw).T.copy()
    flat = g.reshape(N, O, Ho * Wo)
    for block in prange((N + BLOCK - 1) // BLOCK):
        columns = np.empty((C * kh * kw, Ho * Wo), g.dtype)
        for n in range(block * BLOCK, min(block * BLOCK + BLOCK, N)):
            np.dot(rows, flat[n], columns)                      # (C·kh·kw, O) @ (O, Ho·Wo) -> (C·kh·kw, Ho·Wo)
            from_columns(columns, dx[n], kh, kw, sh, sw, ph, pw, Ho, Wo)
    return dx


@kernel
def to_weight(x, g, kh, kw, sh, sw, ph, pw):
    """dL/dW (O, C, kh, kw) from g = dL/dy: each weight gets what it multiplied."""
    Ho, Wo = g.shape[2:]
    return np.einsum("ncijuv,noij->ocuv", windows(x, kh, kw, sh, sw, ph, pw)[:, :, :Ho, :Wo], g, optimize=True)


@to_weight.numba(parallel=True)
def _(x, g, kh, kw, sh, sw, ph, pw):
    (N, C, _, _), (_, O, Ho, Wo) = x.shape, g.shape
    flat, blocks = g.reshape(N, O, Ho * Wo), (N + BLOCK - 1) // BLOCK
    dW = np.zeros((blocks, O, C * kh * kw), x.dtype)            # a part for each block
    for block in prange(blocks):
        columns, part = np.empty((C * kh * kw, Ho * Wo), x.dtype), np.empty((O, C * kh * kw), x.dtype)
        for n in range(block * BLOCK, min(block * BLOCK + BLOCK, N)):
            to_columns(x[n], columns, kh, kw, sh, sw, ph, pw, Ho, Wo)
            np.dot(flat[n], columns.T, part)                    # (O, Ho·Wo) @ (Ho·Wo, C·kh·kw) -> (O, C·kh·kw)
            dW[block] += part
    return dW.sum(0).reshape(O, C, kh, kw)


@helper
def inside(v, stride, padding, size, n):
    """(first, stop): the windows j, of n, whose element v, at j·stride + v − padding, lies in the image, 0 ... size − 1."""
    first = min(max((padding - v + stride - 1) // stride, 0), n)
    return first, max(min((size - 1 - v + padding) // stride + 1, n), first)


@helper
def to_columns(x, columns, kh, kw, sh, sw, ph, pw, Ho, Wo):
    """columns (C·kh·kw, Ho·Wo) ← the windows of one image x (C, H, W): a row for each element (c, u, v) of a window."""
    C, H, width = x.shape
    row = 0
    for c in range(C):
        for u in range(kh):
            top, bottom = inside(u, sh, ph, H, Ho)
            for v in range(kw):
                left, right = inside(v, sw, pw, width, Wo)
                out = columns[row]
                out[:top * Wo] = 0
                out[bottom * Wo:] = 0
                for i in range(top, bottom):
                    line, start, shift = x[c, i * sh + u - ph], i * Wo, v - pw
                    for j in range(left):
                        out[start + j] = 0
                    if sw == 1:                                 # without a stride, the compiler copies eight at a time
                        for j in range(left, right):
                            out[start + j] = line[j + shift]
                    else:
                        for j in range(left, right):
                            out[start + j] = line[j * sw + shift]
                    for j in range(right, Wo):
                        out[start + j] = 0
                row += 1


@helper
def from_columns(columns, x, kh, kw, sh, sw, ph, pw, Ho, Wo):
    """The way back: every element of the windows is added to x (C, H, W) where it came from."""
    C, H, width = x.shape
    row = 0
    for c in range(C):
        for u in range(kh):
            top, bottom = inside(u, sh, ph, H, Ho)
            for v in range(kw):
                left, right = inside(v, sw, pw, width, Wo)
                for i in range(top, bottom):
                    line, given, shift = x[c, i * sh + u - ph], columns[row, i * Wo:(i + 1) * Wo], v - pw
                    if sw == 1:
                        for j in range(left, right):
                            line[j + shift] += given[j]
                    else:
                        for j in range(left, right):
                            line[j * sw + shift] += given[j]
                row += 1
