"""Max pooling: the largest number of each window, and where it was; and the way back.

Shapes: x (N, C, H, W) -> (N, C, Ho, Wo); windows kh × kw, strides sh, sw, paddings ph, pw (what is outside the image is
never the largest). index (N, C, Ho, Wo), int32: the place among the H·W numbers of its plane. Threads share out the planes.
"""
import numpy as np

from .registry import helper, kernel, prange


@kernel
def maxima(x, kh, kw, sh, sw, ph, pw):
    """(y, index). Of several largest numbers the first counts; NaN counts as the largest, as in NumPy."""
    W, padded = x.shape[3], np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=-np.inf)
    view = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(2, 3))[:, :, ::sh, ::sw]
    Ho, Wo = view.shape[2:4]
    flat = view.reshape(*view.shape[:4], kh * kw)                               # (N, C, Ho, Wo, kh·kw)
    u, v = np.divmod(np.argmax(flat, axis=-1), kw)
    row, column = np.arange(Ho)[:, None] * sh + u - ph, np.arange(Wo) * sw + v - pw
    row, column = np.maximum(row, 0), np.maximum(column, 0)                     # if all are -inf: the first in the image
    return np.max(flat, axis=-1), (row * W + column).astype(np.int32)


@maxima.numba(parallel=True)
def _(x, kh, kw, sh, sw, ph, pw):
    N, C, H, W = x.shape
    Ho, Wo = (H + 2 * ph - kh) // sh + 1, (W + 2 * pw - kw) // sw + 1
    y, index = np.empty((N * C, Ho * Wo), x.dtype), np.empty((N * C, Ho * Wo), np.int32)
    planes, halves = x.reshape(N * C, H * W), kh == kw == sh == sw == 2 and ph == pw == 0
    for p in prange(N * C):
        plane, best, at = planes[p], y[p], index[p]
        if halves:
            halve(plane, best, at, Ho, Wo, W)
            continue
        for i in range(Ho):
            top, bottom = max(i * sh - ph, 0), min(i * sh - ph + kh, H)
            for j in range(Wo):
                left, right = max(j * sw - pw, 0), min(j * sw - pw + kw, W)
                where = top * W + left
                largest = plane[where]
                for h in range(top, bottom):
                    for k in range(h * W + left, h * W + right):
                        value = plane[k]                        # without a branch, as none is easy to predict
                        better = (value > largest) | ((value != value) & (largest == largest))
                        largest, where = value if better else largest, k if better else where
                best[i * Wo + j], at[i * Wo + j] = largest, where
    return y.reshape(N, C, Ho, Wo), index.reshape(N, C, Ho, Wo)


@helper
def halve(plane, best, at, Ho, Wo, W):
    """The same for windows 2 × 2 side by side, as most networks have them, four times as fast: nothing is left to count."""
    for i in range(Ho):
        upper, lower = plane[2 * i * W:][:W], plane[(2 * i + 1) * W:][:W]
        largest, where = best[i * Wo:][:Wo], at[i * Wo:][:Wo]
        for j in range(Wo):
            k = np.int32(2 * i * W + 2 * j)
            a, b, c, d = upper[2 * j], upper[2 * j + 1], lower[2 * j], lower[2 * j + 1]
            above, at_above = (b, k + 1) if after(b, a) else (a, k)
            below, at_below = (d, k + W + 1) if after(d, c) else (c, k + W)
            largest[j], where[j] = (below, at_below) if after(below, above) else (above, at_above)


@helper
def after(b, a) -> bool:
    """Whether b, which comes later, is the larger of the two; NaN counts as the largest, the first one of several."""
    return not b <= a and a == a


@kernel
def scatter(g, index, H, W):
    """dL/dx (N, C, H, W) from g = dL/dy: each output's gradient to the input that it was."""
    N, C, Ho, Wo = g.shape
    dx = np.zeros((N * C, H * W), g.dtype)
    np.add.at(dx, (np.arange(N * C)[:, None], index.reshape(N * C, Ho * Wo)), g.reshape(N * C, Ho * Wo))
    return dx.reshape(N, C, H, W)


@scatter.numba(parallel=True)
def _(g, index, H, W):
    N, C, Ho, Wo = g.shape
    dx = np.empty((N * C, H * W), g.dtype)
    gs, at = g.reshape(N * C, Ho * Wo), index.reshape(N * C, Ho * Wo)
    for p in prange(N * C):
        dx[p] = 0
        for k in range(Ho * Wo):
            dx[p, at[p, k]] += gs[p, k]
    return dx.reshape(N, C, H, W)
