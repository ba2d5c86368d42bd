"""Pooling: max_pool2d and avg_pool2d, a number for every window of an image.

x: (N, C, H, W) -> (N, C, Ho, Wo), Ho = ⌊(H + 2·padding − kernel_size)/stride⌋ + 1, Wo alike. kernel_size, stride, padding:
ints or pairs (down, across); stride: default (None) the kernel_size, so that windows touch; padding: at most half of it.
H, W: at least 1. Raises ValueError for other shapes and sizes, TypeError for an x that is not float32 or float64.
"""
import numpy as np

from ..autograd.op import op, saved
from ..kernels import pooling as kernels
from .convolution import checked, dense, pair


def max_pool2d(x, kernel_size, stride=None, padding=0):
    """The largest number of each window; padding never counts. Its gradient goes to where it was, to the first of equals."""
    return largest(*arguments("max_pool2d", x, kernel_size, stride, padding))


def avg_pool2d(x, kernel_size, stride=None, padding=0):
    """The mean of each window, where padding counts as zeros, as PyTorch's does."""
    return averages(*arguments("avg_pool2d", x, kernel_size, stride, padding))


def arguments(name, x, kernel_size, stride, padding) -> tuple:
    """(x, kh, kw, sh, sw, ph, pw), checked."""
    k, p = pair(name, "kernel_size", kernel_size, 1), pair(name, "padding", padding, 0)
    s = k if stride is None else pair(name, "stride", stride, 1)
    x, = checked(name, x)
    for size, kernel, pad in zip(x.shape[2:], k, p):
        if 2 * pad > kernel:
            raise ValueError(f"{name}: padding is {padding}, kernel_size {kernel_size}; expected at most half of it, or some "
                             "windows would hold nothing but padding")
        if kernel > size + 2 * pad:
            raise ValueError(f"{name}: a window of kernel_size {kernel_size} is larger than the image, {x.shape[2]} × "
                             f"{x.shape[3]}, with its padding of {padding}; use a smaller window")
    return x, *k, *s, *p


# --- maxima ------------------------------------------------------------------------------------------------------------

@op(shapes="(n,c,h,w)->(n,c,i,j)", analytic=False)
def largest(x, kh, kw, sh, sw, ph, pw):
    """max_pool2d. Saves where the maxima are."""
    y, index = kernels.maxima(dense(x), kh, kw, sh, sw, ph, pw)
    return saved(y, (index, *x.shape[2:]))


@largest.vjp
def _(g, saved):
    return scatter(g, *saved)


@op(shapes="(n,c,i,j)->(n,c,h,w)")
def scatter(d, index, H, W):
    """Each number of d to the place that `index` names, in planes of zeros, H × W; where two meet they add up."""
    return kernels.scatter(dense(d), index, H, W)


@scatter.vjp
def _(g, index):
    return gather(g, index)


@op(shapes="(n,c,h,w)->(n,c,i,j)")
def gather(x, index):
    """The transpose of scatter: the numbers at the places that `index` names."""
    N, C, H, W = x.shape
    taken = np.take_along_axis(x.reshape(N * C, H * W), index.reshape(N * C, index.shape[2] * index.shape[3]), 1)
    return saved(taken.reshape(index.shape), (H, W))


@gather.vjp
def _(g, index, saved):
    return scatter(g, index, *saved)


# --- means -------------------------------------------------------------------------------------------------------------

@op(shapes="(n,c,h,w)->(n,c,i,j)")
def averages(x, kh, kw, sh, sw, ph, pw):
    """avg_pool2d: for each place in the window, a picture of those numbers; their sum, divided by their count."""
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    return sum(x[place] for place in places(x.shape, kh, kw, sh, sw)) * x.dtype.type(1 / (kh * kw))


@averages.vjp
def _(g, x, kh, kw, sh, sw, ph, pw):
    return spread(g, x.shape[2], x.shape[3], kh, kw, sh, sw, ph, pw)


@op(shapes="(n,c,i,j)->(n,c,h,w)")
def spread(d, H, W, kh, kw, sh, sw, ph, pw):
    """The transpose of averages: an equal share of d for every number of its window."""
    dx = np.zeros((*d.shape[:2], H + 2 * ph, W + 2 * pw), d.dtype)
    share = d * d.dtype.type(1 / (kh * kw))
    for place in places(dx.shape, kh, kw, sh, sw):
        dx[place] += share
    return dx[:, :, ph:ph + H, pw:pw + W]


@spread.vjp
def _(g, kh, kw, sh, sw, ph, pw):
    return averages(g, kh, kw, sh, sw, ph, pw)


def places(shape, kh, kw, sh, sw) -> list:
    """For each (u, v) of the window, the index of all numbers that stand there in some window."""
    Ho, Wo = (shape[2] - kh) // sh + 1, (shape[3] - kw) // sw + 1
    return [(slice(None), slice(None), slice(u, u + sh * Ho, sh), slice(v, v + sw * Wo, sw))
            for u in range(kh) for v in range(kw)]
