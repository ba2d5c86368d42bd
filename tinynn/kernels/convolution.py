"""Convolution: forward, and the two gradients, of the input and of the weights.

    y[n, o, i, j] = b[o] + Σ_{c, u, v} x[n, c, i·s_h + u − p_h, j·s_w + v − p_w] · W[o, c, u, v]        zeros outside the image

Seven nested loops: over n, o, i, j, c, u, v. The references write them as one einsum over a view of all windows. The loops
turn one image after the other, or a few small ones, into a matrix whose columns are its windows ("im2col", as in
Chellapilla, Puri & Simard 2006), small enough to stay in the cache, and leave the arithmetic to BLAS. winograd.py has a
faster way for 3 × 3 windows, winograd_strided.py for those of 4 × 4 with stride 2.

Shapes: x (N, C, H, W), W (O, C, kh, kw), y (N, O, Ho, Wo), Ho = ⌊(H + 2 p_h − kh)/s_h⌋ + 1. Strides s and paddings p are
ints, two of each. Threads share out the images, BLOCK at a time, or more small ones.
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
    P, size = Ho * Wo, images(N, 256, Ho * Wo)
    some = side_by_side(P, size)
    for block in prange((N + size - 1) // size):
        lines, columns = np.empty((sh, (Ho + kh // sh) * Wo), x.dtype), np.zeros((C * kh * kw, some * P), x.dtype)
        product, end = np.empty((O, some * P), x.dtype), min(block * size + size, N)
        for first in range(block * size, end, some):
            for n in range(first, min(first + some, end)):
                to_columns(x[n], lines, columns, (n - first) * P, kh, kw, sh, sw, ph, pw, Ho, Wo)
            np.dot(rows, columns, product)                      # (O, C·kh·kw) @ (C·kh·kw, some·P) -> (O, some·P)
            for n in range(first, min(first + some, end)):
                for o in range(O):
                    of_n, from_o = product[o, (n - first) * P:(n - first + 1) * P], y[n, o]
                    for e in range(P):
                        from_o[e] = of_n[e] + b[o]
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
    P, size = Ho * Wo, images(N, 256, Ho * Wo)
    some = side_by_side(P, size)
    for block in prange((N + size - 1) // size):
        lines, columns = np.empty((sh, (Ho + kh // sh) * Wo), g.dtype), np.empty((C * kh * kw, some * P), g.dtype)
        d, end = np.zeros((O, some * P), g.dtype), min(block * size + size, N)
        for first in range(block * size, end, some):
            for n in range(first, min(first + some, end)):
                d[:, (n - first) * P:(n - first + 1) * P] = g[n].reshape(O, P)
            np.dot(rows, d, columns)                            # (C·kh·kw, O) @ (O, some·P) -> (C·kh·kw, some·P)
            for n in range(first, min(first + some, end)):
                from_columns(columns, (n - first) * P, lines, dx[n], kh, kw, sh, sw, ph, pw, Ho, Wo)
    return dx


@kernel
def to_weight(x, g, kh, kw, sh, sw, ph, pw):
    """dL/dW (O, C, kh, kw) from g = dL/dy: each weight gets what it multiplied."""
    Ho, Wo = g.shape[2:]
    return np.einsum("ncijuv,noij->ocuv", windows(x, kh, kw, sh, sw, ph, pw)[:, :, :Ho, :Wo], g, optimize=True)


@to_weight.numba(parallel=True)
def _(x, g, kh, kw, sh, sw, ph, pw):
    (N, C, _, _), (_, O, Ho, Wo) = x.shape, g.shape
    P = Ho * Wo
    size = images(N, 512, P)                                    # with 256, adding up the parts would take as long as they do
    some, blocks = side_by_side(P, size), (N + size - 1) // size
    dWT = np.zeros((max(blocks, 1), C * kh * kw, O), x.dtype)   # a part for each block, transposed: BLAS is faster so
    for block in prange(blocks):
        lines, part = np.empty((sh, (Ho + kh // sh) * Wo), x.dtype), np.empty((C * kh * kw, O), x.dtype)
        columns, d = np.zeros((C * kh * kw, some * P), x.dtype), np.zeros((some * P, O), x.dtype)
        start, end, total = block * size, min(block * size + size, N), dWT[block]
        for first in range(start, end, some):
            d[(end - first) * P:] = 0                           # images that are not there give nothing
            for n in range(first, min(first + some, end)):
                to_columns(x[n], lines, columns, (n - first) * P, kh, kw, sh, sw, ph, pw, Ho, Wo)
                d[(n - first) * P:(n - first + 1) * P] = g[n].reshape(O, P).T
            np.dot(columns, d, total if first == start else part)       # (C·kh·kw, some·P) @ (some·P, O) -> (C·kh·kw, O)
            if first > start:
                total += part
    whole = dWT[0]
    for block in range(1, blocks):
        whole += dWT[block]
    return whole.T.copy().reshape(O, C, kh, kw)


@helper
def images(N, outputs, P):
    """How many of N images, of P outputs each, a thread takes at a time: BLOCK; of small ones so many more that they have so
    many outputs together, but no more than half, or a second thread has nothing to do."""
    return max(BLOCK, min((N + 1) // 2, outputs // P))


@helper
def side_by_side(P, size):
    """How many images of P outputs, of `size`, share a product: some 256 columns, or W is packed and dW summed for too few."""
    return min(size, max(1, 256 // P))


@helper
def to_columns(x, lines, columns, start, kh, kw, sh, sw, ph, pw, Ho, Wo):
    """columns[:, start:start + Ho·Wo] ← the windows of one image x (C, H, W): a row for each element (c, u, v) of a window.

    Of a channel, what the windows' column v sees are the columns v − pw, v − pw + sw, ... of the image: picked once, into
    `lines` (sh, ·), these serve all u. Line i·sh + u stands as the (i + u//sh)-th of those with remainder u % sh, so the
    lines of all outputs follow each other, and a row of `columns` is copied in one go. (Remainders are counted: to divide
    for each line took longer than all else.)
    """
    for v in range(kw):
        first, last = seen(v, sw, pw, x.shape[2], Wo)
        lines[:] = 0                                            # and what no channel has a pixel for stays 0
        for c in range(len(x)):
            at, remainder = ph // sh * Wo + first, ph % sh
            for h in range(min(x.shape[1], (Ho - 1) * sh + kh - ph)):
                given, picked = x[c, h, first * sw + v - pw::sw], lines[remainder, at:]
                for j in range(last - first):                   # slices from 0: Numba asks of other indices if they are < 0
                    picked[j] = given[j]
                remainder += 1
                if remainder == sh:
                    remainder, at = 0, at + Wo
            for u in range(kh):
                row, some = columns[(c * kh + u) * kw + v, start:start + Ho * Wo], lines[u % sh, u // sh * Wo:][:Ho * Wo]
                for e in range(Ho * Wo):
                    row[e] = some[e]


@helper
def from_columns(columns, start, lines, x, kh, kw, sh, sw, ph, pw, Ho, Wo):
    """The way back: x (C, H, W) ← the sum of all that columns[:, start:start + Ho·Wo] has for its elements."""
    x[:] = 0
    for v in range(kw):
        first, last = seen(v, sw, pw, x.shape[2], Wo)
        for c in range(len(x)):
            lines[:] = 0
            for u in range(kh):
                row, some = columns[(c * kh + u) * kw + v, start:start + Ho * Wo], lines[u % sh, u // sh * Wo:][:Ho * Wo]
                for e in range(Ho * Wo):
                    some[e] += row[e]
            at, remainder = ph // sh * Wo + first, ph % sh
            for h in range(min(x.shape[1], (Ho - 1) * sh + kh - ph)):
                taken, summed = x[c, h, first * sw + v - pw::sw], lines[remainder, at:]
                for j in range(last - first):
                    taken[j] += summed[j]
                remainder += 1
                if remainder == sh:
                    remainder, at = 0, at + Wo


@helper
def seen(v, sw, pw, W, Wo):
    """(first, last + 1) of the outputs j whose window has its column v inside the image: 0 <= j·sw + v − pw < W."""
    return (max(pw - v, 0) + sw - 1) // sw, min((W - 1 + pw - v) // sw + 1, Wo)
