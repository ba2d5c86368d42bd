"""Normalisation: BatchNorm1d, BatchNorm2d, LayerNorm, LocalResponseNorm.

Activations whose mean and spread wander during training make every layer chase the one below. Batch norm and layer norm
take both out, y = γ x̂ + β with x̂ = (x − μ)/√(σ² + ε), and learn the γ and β that the network wants instead; they differ in
what μ and σ² are taken over. For x (N, C, H, W):

    batch norm      all examples and places of one channel: (N, H, W). Examples depend on each other; evaluation differs
    layer norm      one example, over its last axes: training and evaluation are alike

Read ops/normalization.py for the maths of the gradient.
"""
import numpy as np

from ..arguments import check_count
from ..autograd.settings import default_dtype
from ..autograd.tensor import Tensor
from ..ops import matmul, reshape
from ..ops.normalization import batch_norm, layer_norm, moments
from .module import Array, Module, Parameter, as_input


class BatchNorm(Module):
    """Base of BatchNorm1d and BatchNorm2d, which say what shapes they take: each channel to mean 0 and variance 1.

    x̂ = (x − μ)/√(σ² + ε), y = x̂ · weight + bias. In training μ and σ² = Σ(x − μ)²/n are those of the batch, n numbers a
    channel; in evaluation the running statistics. After each training batch running ← (1 − momentum) · running + momentum ·
    the batch's, with the *unbiased* variance Σ(x − μ)²/(n − 1) (PyTorch's convention). y has the shape of x.

    num_features: C. eps: ε, above 0, default 1e-5. momentum: from 0 to 1, default 0.1; smaller for small batches.
    Attributes: weight, bias (C,), start at 1 and 0; buffers running_mean, running_var (C,), num_batches_tracked.
    Raises ValueError for other settings and shapes, and in training for a batch with fewer than 2 numbers a channel.
    Ioffe & Szegedy 2015, Batch normalization, algorithms 1 and 2.
    """
    shapes = {}                         # number of axes: the shape in words

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        check_count(f"{type(self).__name__}: num_features", num_features)
        if momentum is None or not 0 <= momentum <= 1:
            raise ValueError(f"{type(self).__name__}: momentum is {momentum}; expected a number from 0 to 1: how much the "
                             "newest batch counts")
        check_eps(self, eps)
        dtype = default_dtype()
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = Parameter(np.ones(num_features, dtype)), Parameter(np.zeros(num_features, dtype))
        self.register_buffer("running_mean", np.zeros(num_features, dtype))
        self.register_buffer("running_var", np.ones(num_features, dtype))
        self.register_buffer("num_batches_tracked", np.array(0))

    def forward(self, x: Array) -> Tensor:
        x = as_input(x, self.weight.dtype)
        self.check(x.shape)
        if self.training:
            n = x.size // self.weight.size
            if n < 2:
                raise ValueError(f"{type(self).__name__}: x has shape {x.shape}: {n} number for each channel has no variance; "
                                 "train with at least 2, or call eval() first")
            mean, var = moments(x.numpy())
            self.track(mean.real, var.real, n)                                  # real: see as_input
            return batch_norm(x, self.weight, self.bias, mean, var, self.eps)
        scale = self.weight / np.sqrt(self.running_var + self.weight.dtype.type(self.eps))
        column = scale.shape + (1,) * (x.ndim - 2)                              # (C, 1, 1): broadcasts against (N, C, H, W)
        return x * reshape(scale, column) + reshape(self.bias - self.running_mean * scale, column)

    def check(self, shape):
        """Raise ValueError for an x of a shape that does not fit."""
        features, = self.weight.shape
        if len(shape) not in self.shapes or shape[1] != features:
            words = " or ".join(self.shapes.values()).replace("C", str(features))
            last = len(shape) in self.shapes and len(shape) > 2 and shape[-1] == features
            order = (0, len(shape) - 1, *range(1, len(shape) - 1))
            raise ValueError(f"{type(self).__name__}: x has shape {shape}; expected {words}"
                             + (f": channels come before places: x.transpose{order}" if last else ""))

    def track(self, mean: np.ndarray, var: np.ndarray, n: int):
        """Let the running statistics follow a batch's mean and (biased) variance (C,), taken over n numbers each."""
        m, dtype = self.momentum, self.running_mean.dtype
        self.running_mean = ((1 - m) * self.running_mean + m * mean).astype(dtype)
        self.running_var = ((1 - m) * self.running_var + m * n / (n - 1) * var).astype(dtype)
        self.num_batches_tracked = np.asarray(self.num_batches_tracked + 1)

    def __repr__(self):
        return f"{type(self).__name__}({self.weight.size})"


class BatchNorm1d(BatchNorm):
    """Batch norm of x (N, C), or (N, C, L) with n = N·L numbers a channel. Arguments and attributes: see BatchNorm."""
    shapes = {2: "(N, C)", 3: "(N, C, L)"}


class BatchNorm2d(BatchNorm):
    """Batch norm of images x (N, C, H, W), with n = N·H·W numbers a channel. Arguments and attributes: see BatchNorm."""
    shapes = {4: "(N, C, H, W)"}


def check_eps(layer, eps):
    """Raise unless eps keeps the root from 0, where all numbers are equal."""
    if not eps > 0:
        raise ValueError(f"{type(layer).__name__}: eps is {eps}; expected a number above 0; 1e-5 is usual")


class LayerNorm(Module):
    """Each example, over its last axes, to mean 0 and variance 1, then y = x̂ · weight + bias.

    x̂ = (x − μ)/√(σ² + ε), with mean μ and (biased) variance σ² of each example on its own, so that training and
    evaluation are alike. x, y: (..., *normalized_shape).

    normalized_shape: an int or a tuple, the lengths of the axes to go over. eps: ε, above 0, default 1e-5.
    Attributes: weight, bias, of shape normalized_shape; start at 1 and 0. Raises ValueError for an x of another shape.
    Ba, Kiros & Hinton 2016, Layer normalization.
    """

    def __init__(self, normalized_shape: int | tuple, eps: float = 1e-5):
        shape, dtype = normalized_shape, default_dtype()
        if np.asarray(shape).dtype.kind not in "iu" or np.min(shape) < 1:
            raise ValueError(f"LayerNorm: normalized_shape is {shape}; expected one length or more, ints, each at least 1")
        check_eps(self, eps)
        self.eps = eps
        self.weight, self.bias = Parameter(np.ones(shape, dtype)), Parameter(np.zeros(shape, dtype))

    def forward(self, x: Array) -> Tensor:
        x = as_input(x, self.weight.dtype)
        shape = self.weight.shape
        if x.shape[max(x.ndim - len(shape), 0):] != shape:
            raise ValueError(f"LayerNorm: x has shape {x.shape}; its last axes must be {shape}")
        return layer_norm(x, self.weight, self.bias, self.eps)

    def __repr__(self):
        return f"LayerNorm({', '.join(map(str, self.weight.shape))})"


class LocalResponseNorm(Module):
    """y = x / (k + alpha/size · Σ x²)^beta, the sum over `size` neighbouring channels: strong ones silence the others.

    x, y: (N, C, ...), channels second. For channel c the sum goes from c − ⌊size/2⌋ to c + ⌊(size − 1)/2⌋; channels beyond
    the ends count as 0. size: of the window, at least 1. alpha, beta, k: defaults 1e-4, 0.75, 1, PyTorch's.
    Krizhevsky, Sutskever & Hinton 2012, ImageNet classification, section 3.3: size 5, k 2, beta 0.75, and an alpha of 1e-4
    that is *not* divided by size, so pass 5e-4. There the networks of today have batch norm.
    Raises ValueError for a size below 1 or an x with fewer than 2 axes.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        check_count("LocalResponseNorm: size", size)
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Array) -> Tensor:
        x = as_input(x)
        if x.ndim < 2:
            raise ValueError(f"LocalResponseNorm: x has shape {x.shape}; expected (N, C, ...), channels second")
        N, C, *places = x.shape
        away = np.arange(C) - np.arange(C)[:, None]                             # channel c′ − channel c: (C, C)
        near = (-(self.size // 2) <= away) & (away <= (self.size - 1) // 2)
        columns = reshape(x * x, (N, C, int(np.prod(places))))                  # (N, C, ...) -> (N, C, L)
        sums = matmul(near.astype(x.dtype), columns)                            # (C, C) @ (N, C, L) -> (N, C, L)
        return x * (self.k + self.alpha / self.size * reshape(sums, x.shape)) ** -self.beta

    def __repr__(self):
        return f"LocalResponseNorm({self.size}, alpha={self.alpha:g}, beta={self.beta:g}, k={self.k:g})"
