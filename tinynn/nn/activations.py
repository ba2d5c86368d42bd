"""Activation functions as layers, to stand in a Sequential. The maths is in tinynn/ops: activations.py, elementary.py.

All keep the shape of x. Read losses.py next.
"""
from .. import ops
from ..autograd.tensor import Tensor
from .module import Array, Module, as_input


class Tanh(Module):
    """y = tanh x, in (−1, 1)."""

    def forward(self, x: Array) -> Tensor:
        return ops.tanh(as_input(x))


class ReLU(Module):
    """y = max(x, 0)."""

    def forward(self, x: Array) -> Tensor:
        return ops.relu(as_input(x))


class LeakyReLU(Module):
    """y = x where x > 0, else negative_slope · x (default 0.01), so that no unit's gradient dies out."""

    def __init__(self, negative_slope: float = 0.01):
        self.negative_slope = negative_slope

    def forward(self, x: Array) -> Tensor:
        return ops.leaky_relu(as_input(x), self.negative_slope)

    def __repr__(self):
        return f"LeakyReLU({self.negative_slope})"


class Sigmoid(Module):
    """y = 1/(1 + e⁻ˣ), in (0, 1). Before BCEWithLogitsLoss leave it out: that loss takes the x."""

    def forward(self, x: Array) -> Tensor:
        return ops.sigmoid(as_input(x))


class GELU(Module):
    """y = x · Φ(x), with Φ the normal distribution function: a smooth ReLU (Hendrycks & Gimpel 2016)."""

    def forward(self, x: Array) -> Tensor:
        return ops.gelu(as_input(x))


class Softmax(Module):
    """y = eˣ/Σ eˣ along the axis `dim` (default: the last). Before CrossEntropyLoss leave it out: that takes the x."""

    def __init__(self, dim: int = -1):
        self.dim = dim

    def forward(self, x: Array) -> Tensor:
        return ops.softmax(as_input(x), self.dim)

    def __repr__(self):
        return f"Softmax({self.dim})"
