"""Convolution: conv2d, and its transpose. (Deep learning's "convolution" is a cross-correlation: the window is not turned.)

Three functions that are linear in each argument, and of which each is what the others need for their gradients, because
they are the derivatives of one sum, S = Σ d·x·W over all windows, by each of its three factors:

    convolve(x, W) = dS/dd = y      to_input(d, W) = dS/dx = dL/dx      to_weight(x, d) = dS/dW = dL/dW       with d = dL/dy

So derivatives of every order are there without a further line. kernels/convolution.py has the loops, and the formula.
Shapes: x (N, C, H, W), weights (O, C, kh, kw), y and d (N, O, Ho, Wo).
"""
from math import prod

import numpy as np

from ..autograd.op import op
from ..autograd.tensor import Tensor
from ..kernels import convolution as kernels, winograd, winograd_strided
from ..kernels.products import dot
from .dtypes import check_dtypes
from .products import matmul
from .reductions import sum
from .shaping import reshape

dense = np.ascontiguousarray            # a kernel is compiled anew for every memory layout: one will do


def conv2d(x, W, b=None, stride=1, padding=0):
    """y[n, o] = b[o] + Σ_c x[n, c] ⋆ W[o, c], ⋆ the cross-correlation: every window, times the weights, summed.

    x: (N, C, H, W). W: (O, C, kh, kw). b: (O,) or None. stride, padding: ints or pairs (down, across); `padding` zeros are
    put around each image. y: (N, O, Ho, Wo), Ho = ⌊(H + 2·padding − kh)/stride⌋ + 1, Wo alike.
    Winograd's ways (float32; see WINOGRAD) may turn infinity, and finite numbers near the largest float, into NaN.
    ValueError: other shapes, a window larger than the padded image. TypeError: not all float32, nor all float64.
    """
    (sh, sw), (ph, pw) = pair("conv2d", "stride", stride, 1), pair("conv2d", "padding", padding, 0)
    x, W, b = checked("conv2d", x, W, b)
    if np.ndim(W) != 4 or W.shape[1] != x.shape[1] or 0 in W.shape[2:]:
        raise ValueError(f"conv2d: x has shape {x.shape}, W has shape {np.shape(W)}; expected (N, C, H, W) and (O, C, kh, kw) "
                         "with the same number of channels C, and a window of at least 1 × 1"
                         + hint_of_layout(x, W.shape[1] if np.ndim(W) == 4 else None))
    for size, p, k, axis in ((x.shape[2], ph, W.shape[2], "high"), (x.shape[3], pw, W.shape[3], "wide")):
        if k > size + 2 * p:
            raise ValueError(f"conv2d: the window is {k} {axis}, the image {size}, or {size + 2 * p} with its padding of {p}; "
                             "use a smaller window or more padding")
    check_bias("conv2d", b, len(W))
    return convolve(x, W, b, sh, sw, ph, pw)


def conv_transpose2d(x, W, b=None, stride=1, padding=0, output_padding=0):
    """The transpose of conv2d: every input gives a window of outputs, and where windows overlap they add up.

    x: (N, C, H, W). W: (C, O, kh, kw), as a conv2d from O to C channels has it. b: (O,) or None. y: (N, O, Ho, Wo),
    Ho = (H − 1)·stride − 2·padding + kh + output_padding: of the sizes from which conv2d would make H, `output_padding`
    (less than the stride) chooses. Dumoulin & Visin 2016, A guide to convolution arithmetic for deep learning, chapter 4.
    """
    (sh, sw), (ph, pw), (oh, ow) = (pair("conv_transpose2d", *of) for of in (
        ("stride", stride, 1), ("padding", padding, 0), ("output_padding", output_padding, 0)))
    x, W, b = checked("conv_transpose2d", x, W, b)
    if np.ndim(W) != 4 or W.shape[0] != x.shape[1] or 0 in W.shape[2:]:
        raise ValueError(f"conv_transpose2d: x has shape {x.shape}, W has shape {np.shape(W)}; expected (N, C, H, W) and "
                         "(C, O, kh, kw) with the same number of channels C, and a window of at least 1 × 1"
                         + hint_of_layout(x, W.shape[0] if np.ndim(W) == 4 else None))
    if oh >= sh or ow >= sw:
        raise ValueError(f"conv_transpose2d: output_padding is {output_padding}, stride is {stride}; it must be less")
    H, width = x.shape[2:]
    height, width = (H - 1) * sh - 2 * ph + W.shape[2] + oh, (width - 1) * sw - 2 * pw + W.shape[3] + ow
    if height < 1 or width < 1:
        raise ValueError(f"conv_transpose2d: x has shape {x.shape}, and a padding of {padding} leaves {height} × {width} "
                         "outputs; use less padding")
    check_bias("conv_transpose2d", b, W.shape[1])
    y = to_input(x, W, height, width, sh, sw, ph, pw)
    return y if b is None else y + reshape(b, (-1, 1, 1))               # (N, O, Ho, Wo) + (O, 1, 1)


# --- the three ---------------------------------------------------------------------------------------------------------

@op(shapes="(n,c,h,w),(o,c,u,v),(o)->(n,o,i,j)")
def convolve(x, W, b, sh, sw, ph, pw):
    """conv2d. b: None for zeros."""
    b = np.zeros(len(W), x.dtype) if b is None else dense(b)
    if sees_all(x.shape[2:], W.shape[2:], ph, pw):
        return (dot(flat(x), flat(W).T) + b).reshape(len(x), len(W), 1, 1)
    fast = winograd_for(x, W, W.shape, sh, sw, ph, pw)
    if fast:
        return fast.forward(dense(x), dense(W), b, ph, pw)
    return kernels.forward(dense(x), dense(W), b, sh, sw, ph, pw)


@convolve.vjp
def _(g, x, W, sh, sw, ph, pw):
    return (lambda: to_input(g, W, x.shape[2], x.shape[3], sh, sw, ph, pw),
            lambda: to_weight(x, g, W.shape[2], W.shape[3], sh, sw, ph, pw),
            lambda: sum_of_planes(g))


@op(shapes="(n,o,i,j),(o,c,u,v)->(n,c,h,w)")
def to_input(d, W, height, width, sh, sw, ph, pw):
    """dL/dx of `convolve` from d = dL/dy, for images height × width; and conv_transpose2d without a bias."""
    if sees_all((height, width), W.shape[2:], ph, pw):
        return dot(flat(d), flat(W)).reshape(len(d), *W.shape[1:])
    fast = winograd_for(d, W, W.shape, sh, sw, ph, pw)
    if fast:
        return fast.to_input(dense(d), dense(W), height, width, ph, pw)
    return kernels.to_input(dense(d), dense(W), height, width, sh, sw, ph, pw)


@to_input.vjp
def _(g, d, W, height, width, sh, sw, ph, pw):
    return (lambda: convolve(g, W, None, sh, sw, ph, pw),
            lambda: to_weight(g, d, W.shape[2], W.shape[3], sh, sw, ph, pw))


@op(shapes="(n,c,h,w),(n,o,i,j)->(o,c,u,v)")
def to_weight(x, d, kh, kw, sh, sw, ph, pw):
    """dL/dW of `convolve` from d = dL/dy, for windows kh × kw."""
    if sees_all(x.shape[2:], (kh, kw), ph, pw):
        return dot(flat(d).T, flat(x)).reshape(d.shape[1], x.shape[1], kh, kw)
    fast = winograd_for(x, d, (d.shape[1], x.shape[1], kh, kw), sh, sw, ph, pw)
    if fast:
        return fast.to_weight(dense(x), dense(d), ph, pw)
    return kernels.to_weight(dense(x), dense(d), kh, kw, sh, sw, ph, pw)


@to_weight.vjp
def _(g, x, d, kh, kw, sh, sw, ph, pw):
    return (lambda: to_input(d, g, x.shape[2], x.shape[3], sh, sw, ph, pw),
            lambda: convolve(x, g, None, sh, sw, ph, pw))


# --- ways to compute them ----------------------------------------------------------------------------------------------

def sees_all(image, window, ph, pw) -> bool:
    """Does one window see the whole image? Then the layer is a dense one: a DCGAN's generator begins with its transpose."""
    return tuple(image) == tuple(window) and ph == pw == 0


def flat(x):
    """(N, ...) -> (N, D), contiguous."""
    return dense(x).reshape(len(x), prod(x.shape[1:]))


# window and stride: the kernels, and the channels below which their additions cost more than is saved
WINOGRAD = {(3, 3, 1, 1): (winograd, 8), (4, 4, 2, 2): (winograd_strided, 16)}


def winograd_for(a, b, shape, sh, sw, ph, pw):
    """Winograd's kernels for weights of `shape` (O, C, kh, kw), or None. They are for float32, and winograd.to_input for
    paddings up to 2."""
    fast, least = WINOGRAD.get((*shape[2:], sh, sw), (None, 0))
    return fast if a.dtype == b.dtype == np.float32 and min(shape[:2]) >= least and max(ph, pw) <= 2 else None


# --- arguments ---------------------------------------------------------------------------------------------------------

def pair(name, argument, value, least) -> tuple:
    """(down, across) from an int or a pair of ints, each at least `least`."""
    both = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2 or not all(isinstance(n, (int, np.integer)) and type(n) is not bool and n >= least for n in both):
        raise ValueError(f"{name}: {argument} is {value!r}; expected an int >= {least}, or a pair of them (down, across)")
    return int(both[0]), int(both[1])


def checked(name, *arrays) -> list:
    """x, or x, W and b, as arrays or Tensors, if x is a batch of images with a pixel at least, and the dtypes are right."""
    arrays = [a if a is None or isinstance(a, Tensor) else np.asarray(a) for a in arrays]
    x = arrays[0]
    if x.ndim != 4 or 0 in x.shape[2:]:
        raise ValueError(f"{name}: x has shape {x.shape}; expected (N, C, H, W): images, channels, height, width, with sides "
                         "of at least 1" + "; x[None] makes a batch of one; for one channel, x[:, None]" * (x.ndim == 3))
    check_dtypes(f"{name}: ", **{letter: a for letter, a in zip("xWb", arrays) if a is not None})
    return arrays


def hint_of_layout(x, channels) -> str:
    """A fix for images whose channels come last."""
    return ("; the channels seem to come last: x.transpose(0, 3, 1, 2) puts them second"
            if x.shape[-1] == channels != x.shape[1] else "")


def check_bias(name, b, channels):
    """Raise unless b is None or has a number for each output channel."""
    if b is not None and np.shape(b) != (channels,):
        raise ValueError(f"{name}: b has shape {np.shape(b)}; expected ({channels},), a number for each output channel")


def sum_of_planes(g):
    """(N, O, H, W) -> (O,), by a product with ones, which is four times as fast as sum."""
    N, O, H, W = g.shape
    return sum(matmul(reshape(g, (N, O, H * W)), np.ones(H * W, g.dtype)), 0)       # (N, O, H·W) @ (H·W,) -> (N, O) -> (O,)
