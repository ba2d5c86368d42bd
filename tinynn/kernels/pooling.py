"""Max pooling: the largest number of each window, and where it was; and the way back.

Shapes: x (N, C, H, W) -> (N, C, Ho, Wo); windows kh × kw, strides sh, sw, paddings ph, pw (what is outside the image is
never the largest). index (N, C, Ho, Wo), int32: the place among the H·W numbers of its plane. Threads share out the planes.
"""
import numpy as np

from .registry import kernel, prange


@kernel
def maxima(x, kh, kw, sh, sw, ph, pw):
    """(y, index). Of several largest numbers the first counts; NaN counts as the largest, as in NumPy."""
    W, outside = x.shape[3], np.iinfo(x.dtype).min if x.dtype.kind == "i" else -np.inf
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=outside)
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
    planes = x.reshape(N * C, H * W)
    for p in prange(N * C):
        plane, best, at = planes[p], y[p], index[p]
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
