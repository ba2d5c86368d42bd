"""Layers: Linear, Flatten, Sequential, Dropout, and the two normalisations.

Each is its formula in `forward`, written in ops, so gradients of any order come for free. N is the number of examples.
Read activations.py and losses.py next, then init.py for better starting weights.
"""
import numpy as np

from ..autograd.settings import default_dtype, default_rng
from ..autograd.tensor import Tensor
from ..ops import linear, mean, reshape, sqrt
from .module import Array, Module, Parameter, as_input


class Linear(Module):
    """y = x Wᵀ + b. x: (..., n_in), y: (..., n_out).

    bias: False leaves b out. rng: where the initial values come from; None (default) is the default Generator.
    Attributes: weight (n_out, n_in), bias (n_out,) or None; both start uniform in ±1/√n_in, as PyTorch's do.
    See `nn.init` for other starts. Raises ValueError for sizes below 1, or an x with another last axis.
    """

    def __init__(self, n_in: int, n_out: int, bias: bool = True, rng=None):
        if n_in < 1 or n_out < 1:
            raise ValueError(f"Linear: n_in is {n_in}, n_out is {n_out}; both must be at least 1")
        rng, bound, dtype = default_rng(rng), 1 / np.sqrt(n_in), default_dtype()
        self.weight = Parameter(rng.uniform(-bound, bound, (n_out, n_in)).astype(dtype))
        self.bias = Parameter(rng.uniform(-bound, bound, n_out).astype(dtype)) if bias else None

    def forward(self, x: Array) -> Tensor:
        return linear(as_input(x, self.weight.dtype), self.weight, self.bias)       # (..., n_in) -> (..., n_out)

    def __repr__(self):
        n_out, n_in = self.weight.shape
        return f"Linear({n_in}, {n_out}{', bias=False' if self.bias is None else ''})"


class Flatten(Module):
    """All axes but the first become one: (N, ...) -> (N, K), K numbers for each example."""

    def forward(self, x: Array) -> Tensor:
        x = as_input(x)
        return reshape(x, (x.shape[0], int(np.prod(x.shape[1:]))))      # (N, ...) -> (N, K); −1 would fail for N = 0


class Sequential(Module):
    """Layers one after the other: Sequential(a, b)(x) = b(a(x)).

    model[i] is layer i, model[i:j] a Sequential of the same layers (not copies); len and iteration work.
    Raises TypeError for a layer that is not a Module.
    """

    def __init__(self, *layers: Module):
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential: layer {i} is a {type(layer).__name__}; expected Modules, as in "
                                "Sequential(nn.Linear(1, 50), nn.Tanh())")
        self.layers = layers

    def _members(self):
        return ((name.removeprefix("layers."), value) for name, value in super()._members())    # "0.weight" for short

    def forward(self, x: Array) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x

    def __getitem__(self, index):
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __len__(self):
        return len(self.layers)

    def __iter__(self):
        return iter(self.layers)


class Dropout(Module):
    """In training, set each element to 0 with probability p and multiply the others by 1/(1 − p); otherwise y = x.

    The factor keeps the mean of y at x, so that nothing is left to do in evaluation ("inverted" dropout).
    p: default 0.5; 0.1–0.5 is usual. Raises ValueError for p outside [0, 1).
    rng: None (default) draws from the default Generator, at each call.
    Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting.
    """

    def __init__(self, p: float = 0.5, rng=None):
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p is {p}; it must be at least 0 and below 1")
        self.p, self.rng = p, None if rng is None else default_rng(rng)

    def forward(self, x: Array) -> Tensor:
        x = as_input(x)
        if not self.training or self.p == 0:
            return x
        kept = default_rng(self.rng).random(x.shape, dtype=x.dtype) >= self.p
        return x * (kept * x.dtype.type(1 / (1 - self.p)))

    def __repr__(self):
        return f"Dropout({self.p})"


class BatchNorm1d(Module):
    """Each feature, over the batch, to mean 0 and variance 1, then y = x̂ · weight + bias.

    x̂ = (x − μ)/√(σ² + ε), with μ and σ² = Σ(x − μ)²/n taken over the batch in training, and the running statistics in
    evaluation. After each training batch running ← (1 − momentum) · running + momentum · batch's, with the *unbiased*
    variance Σ(x − μ)²/(n − 1) (PyTorch's convention). x, y: (N, C), or (N, C, L) with n = N·L numbers a feature.

    num_features: C. eps: ε, default 1e-5. momentum: default 0.1; smaller for small batches.
    Attributes: weight, bias (C,), start at 1 and 0; buffers running_mean, running_var (C,), num_batches_tracked.
    Raises ValueError for other shapes, and in training for a batch with fewer than 2 numbers a feature.
    Ioffe & Szegedy 2015, Batch normalization, algorithms 1 and 2.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        if num_features < 1:
            raise ValueError(f"BatchNorm1d: num_features is {num_features}; expected at least 1")
        dtype = default_dtype()
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = Parameter(np.ones(num_features, dtype)), Parameter(np.zeros(num_features, dtype))
        self.register_buffer("running_mean", np.zeros(num_features, dtype))
        self.register_buffer("running_var", np.ones(num_features, dtype))
        self.register_buffer("num_batches_tracked", np.array(0))

    def forward(self, x: Array) -> Tensor:
        x = as_input(x, self.weight.dtype)
        features, = self.weight.shape
        if x.ndim not in (2, 3) or x.shape[1] != features:
            raise ValueError(f"BatchNorm1d: x has shape {x.shape}; expected (N, {features}) or (N, {features}, L)")
        column = (features,) + (1,) * (x.ndim - 2)          # (C,) or (C, 1): broadcasts against x
        if self.training:
            axes, n = (0,) if x.ndim == 2 else (0, 2), x.size // features
            if n < 2:
                raise ValueError(f"BatchNorm1d: x has shape {x.shape}: {n} number for each feature has no variance; "
                                 "train with at least 2, or call eval() first")
            mu = mean(x, axes, keepdims=True)               # (N, C) -> (1, C), or (N, C, L) -> (1, C, 1)
            centred = x - mu
            var = mean(centred * centred, axes, keepdims=True)      # (1, C) or (1, C, 1), too
            self.track(mu.data.real.reshape(features), var.data.real.reshape(features), n)      # real: see as_input
        else:
            centred = x - self.running_mean.reshape(column)
            var = self.running_var.reshape(column)
        scale = reshape(self.weight, column) / sqrt(var + self.eps)
        return centred * scale + reshape(self.bias, column)         # the shape of x

    def track(self, mu: np.ndarray, var: np.ndarray, n: int):
        """Let the running statistics follow a batch's mean and (biased) variance (C,), taken over n numbers each."""
        m = self.momentum
        self.running_mean = (1 - m) * self.running_mean + m * mu
        self.running_var = (1 - m) * self.running_var + m * n / (n - 1) * var
        self.num_batches_tracked = np.asarray(self.num_batches_tracked + 1)

    def __repr__(self):
        return f"BatchNorm1d({self.weight.size})"


class LayerNorm(Module):
    """Each example, over its last axes, to mean 0 and variance 1, then y = x̂ · weight + bias.

    x̂ = (x − μ)/√(σ² + ε), with mean μ and (biased) variance σ² of each example on its own, so that training and
    evaluation are alike. x, y: (..., *normalized_shape).

    normalized_shape: an int or a tuple, the lengths of the axes to go over. eps: ε, default 1e-5.
    Attributes: weight, bias, of shape normalized_shape; start at 1 and 0. Raises ValueError for an x of another shape.
    Ba, Kiros & Hinton 2016, Layer normalization.
    """

    def __init__(self, normalized_shape: int | tuple, eps: float = 1e-5):
        shape, dtype = normalized_shape, default_dtype()
        self.eps = eps
        self.weight, self.bias = Parameter(np.ones(shape, dtype)), Parameter(np.zeros(shape, dtype))

    def forward(self, x: Array) -> Tensor:
        x = as_input(x, self.weight.dtype)
        shape = self.weight.shape
        if x.shape[max(x.ndim - len(shape), 0):] != shape:
            raise ValueError(f"LayerNorm: x has shape {x.shape}; its last axes must be {shape}")
        axes = tuple(range(-len(shape), 0))
        centred = x - mean(x, axes, keepdims=True)                      # mean: (..., *shape) -> (..., 1)
        var = mean(centred * centred, axes, keepdims=True)              # (..., *shape) -> (..., 1)
        return centred / sqrt(var + self.eps) * self.weight + self.bias

    def __repr__(self):
        return f"LayerNorm({', '.join(map(str, self.weight.shape))})"
