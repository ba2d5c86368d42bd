"""Momentum: steps accumulate along a valley and cancel across it."""
import numpy as np

from ..arguments import check_fraction
from .optimizer import FirstOrder


class Momentum(FirstOrder):
    """v ← mc·v + g;  w ← w − lr·v (Polyak 1964), in PyTorch's form. MATLAB's `traingdm` has (1 − mc)·g there: it moves as
    far with an lr that is 1/(1 − mc) times ours, ten times for mc = 0.9.

    mc: momentum coefficient in [0, 1), default 0.9: the step grows up to lr/(1 − mc) along a constant gradient.
    nesterov: w ← w − lr·(g + mc·v) instead, the gradient of where momentum will take us (Sutskever 2013).
    """

    def __init__(self, params, lr=0.01, mc=0.9, nesterov=False, clip_norm=None):
        super().__init__(params, lr, clip_norm)
        check_fraction("mc", mc)
        self.mc, self.nesterov = mc, nesterov
        self.v = np.zeros_like(self.flat.w)

    def update(self, w, g):
        lr, mc, v = w.dtype.type(self.rate), w.dtype.type(self.mc), self.v
        v *= mc
        v += g
        w -= lr * (g + mc * v) if self.nesterov else lr * v
