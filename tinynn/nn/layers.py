"""Layers: Linear, Flatten, Sequential, Dropout.

Each is its formula in `forward`, written in ops, so gradients of any order come for free. N is the number of examples.
Read activations.py and losses.py next, then init.py for better starting weights, and normalization.py.
"""
import numpy as np

from ..arguments import check_count
from ..autograd.settings import default_dtype, default_rng
from ..autograd.tensor import Tensor
from ..ops import linear, reshape
from .module import Array, Module, Parameter, as_input


class Linear(Module):
    """y = x Wᵀ + b. x: (..., n_in), y: (..., n_out).

    bias: False leaves b out. rng: where the initial values come from; None (default) is the default Generator.
    Attributes: weight (n_out, n_in), bias (n_out,) or None; both start uniform in ±1/√n_in, as PyTorch's do.
    See `nn.init` for other starts. Raises ValueError for sizes below 1, or an x with another last axis.
    """

    def __init__(self, n_in: int, n_out: int, bias: bool = True, rng=None):
        check_count("Linear: n_in", n_in)
        check_count("Linear: n_out", n_out)
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
        if x.ndim == 0:
            raise ValueError("Flatten: x has shape (); expected (N, ...), examples first; x[None] makes a batch of one")
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
