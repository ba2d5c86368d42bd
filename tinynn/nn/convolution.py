"""Layers for images: Conv2d, ConvTranspose2d, MaxPool2d, AvgPool2d. ops/convolution.py and ops/pooling.py have the maths.

Images are (N, C, H, W): examples, channels (1 for grey, 3 for colours), height, width. Sizes, strides and paddings are ints,
or pairs (down, across).

    model = nn.Sequential(nn.Conv2d(1, 32, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2),  # (N, 1, 28, 28) -> (N, 32, 14, 14)
                          nn.Flatten(), nn.Linear(32 * 14 * 14, 10))                        # -> (N, 10)
"""
import numpy as np

from ..arguments import check_count
from ..autograd.settings import default_dtype, default_rng
from ..autograd.tensor import Tensor
from ..ops import avg_pool2d, conv2d, conv_transpose2d, max_pool2d, pad
from ..ops.convolution import pair
from .module import Array, Module, Parameter, as_input


class Conv2d(Module):
    """y[n, o] = bias[o] + Σ_c x[n, c] ⋆ weight[o, c] (LeCun et al. 1989). x: (N, c_in, H, W), y: (N, c_out, Ho, Wo).

    kernel_size: of the window. stride: steps of the window, default 1. padding: zeros around the image, default 0; "same"
    keeps height and width (stride 1 only; of an even window's odd number of zeros, the last go below and to the right).
    Ho = ⌊(H + 2·padding − kernel_size)/stride⌋ + 1, Wo alike.
    bias: False leaves it out. rng: for the initial values; None (default): the default Generator.
    Attributes: weight (c_out, c_in, kh, kw), bias (c_out,) or None; uniform in ±1/√(c_in·kh·kw) at first, as PyTorch's.
    """

    def __init__(self, c_in: int, c_out: int, kernel_size, stride=1, padding=0, bias: bool = True, rng=None):
        kh, kw = prepare(self, c_in, c_out, kernel_size, stride)
        if padding == "same" and self.stride != (1, 1):
            raise ValueError(f'Conv2d: padding "same" needs stride 1, not {stride}; give the padding as a number')
        self.padding = padding if padding == "same" else pair("Conv2d", "padding", padding, 0)
        start(self, (c_out, c_in, kh, kw), c_in * kh * kw, c_out, bias, rng)

    def forward(self, x: Array) -> Tensor:
        x = as_input(x, self.weight.dtype)
        if self.padding != "same":
            return conv2d(x, self.weight, self.bias, self.stride, self.padding)
        rest = [n - 1 for n in self.weight.shape[2:]]                   # zeros above and below, left and right
        if rest[0] % 2 or rest[1] % 2:
            x = pad(x, ((0, 0), (0, 0), *((n // 2, n - n // 2) for n in rest)))
            return conv2d(x, self.weight, self.bias)
        return conv2d(x, self.weight, self.bias, 1, (rest[0] // 2, rest[1] // 2))

    def __repr__(self):
        return f"Conv2d({described(self, *self.weight.shape[1::-1])})"


class ConvTranspose2d(Module):
    """The transpose of Conv2d, which makes images larger: y = bias + each input times the window, added where they overlap.

    x: (N, c_in, H, W), y: (N, c_out, Ho, Wo), Ho = (H − 1)·stride − 2·padding + kernel_size + output_padding.
    Arguments as for Conv2d; output_padding: default 0, less than the stride.
    Attributes: weight (c_in, c_out, kh, kw), bias (c_out,) or None; uniform in ±1/√(c_out·kh·kw) at first, as PyTorch's.
    """

    def __init__(self, c_in: int, c_out: int, kernel_size, stride=1, padding=0, output_padding=0, bias: bool = True, rng=None):
        kh, kw = prepare(self, c_in, c_out, kernel_size, stride)
        self.padding = pair("ConvTranspose2d", "padding", padding, 0)
        self.output_padding = pair("ConvTranspose2d", "output_padding", output_padding, 0)
        start(self, (c_in, c_out, kh, kw), c_out * kh * kw, c_out, bias, rng)

    def forward(self, x: Array) -> Tensor:
        return conv_transpose2d(as_input(x, self.weight.dtype), self.weight, self.bias, self.stride, self.padding,
                                self.output_padding)

    def __repr__(self):
        return f"ConvTranspose2d({described(self, *self.weight.shape[:2])})"


class MaxPool2d(Module):
    """The largest number of each window: (N, C, H, W) -> (N, C, Ho, Wo), as `tn.max_pool2d`.

    stride: default (None) the kernel_size. padding: default 0, at most half of it; what is outside never counts.
    """
    pool = staticmethod(max_pool2d)

    def __init__(self, kernel_size, stride=None, padding=0):
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Array) -> Tensor:
        return self.pool(as_input(x), self.kernel_size, self.stride, self.padding)

    def __repr__(self):
        more = f", stride={self.stride}" * (self.stride is not None) + f", padding={self.padding}" * (self.padding != 0)
        return f"{type(self).__name__}({self.kernel_size}{more})"


class AvgPool2d(MaxPool2d):
    """The mean of each window, as `tn.avg_pool2d`; what is outside counts as 0. Arguments as for MaxPool2d."""
    pool = staticmethod(avg_pool2d)


def prepare(layer, c_in, c_out, kernel_size, stride) -> tuple:
    """(kh, kw); keeps the stride."""
    name = type(layer).__name__
    check_count(f"{name}: c_in", c_in)
    check_count(f"{name}: c_out", c_out)
    layer.stride = pair(name, "stride", stride, 1)
    return pair(name, "kernel_size", kernel_size, 1)


def start(layer, shape, fan_in, c_out, bias, rng):
    """The initial weight and bias."""
    rng, bound, dtype = default_rng(rng), 1 / np.sqrt(fan_in), default_dtype()
    layer.weight = Parameter(rng.uniform(-bound, bound, shape).astype(dtype))
    layer.bias = Parameter(rng.uniform(-bound, bound, c_out).astype(dtype)) if bias else None


def described(layer, c_in, c_out) -> str:
    """The arguments that made a layer, for its repr."""
    def short(both):
        return both[0] if isinstance(both, tuple) and both[0] == both[1] else both
    parts = [c_in, c_out, short(layer.weight.shape[2:])]
    parts += [f"{name}={short(value)!r}" for name, default in (("stride", 1), ("padding", 0), ("output_padding", 0))
              if short(value := getattr(layer, name, 0)) != default]
    return ", ".join(map(str, parts)) + ", bias=False" * (layer.bias is None)
