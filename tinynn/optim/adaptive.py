"""A learning rate for every parameter: Adagrad, RMSprop, Adadelta, each a repair of the one before. adam.py is next.

s is a sum or a running mean of squared gradients; dividing by √s makes steps of one size in all directions.
"""
import numpy as np

from ..arguments import check_fraction
from .optimizer import FirstOrder, check_eps


class Adagrad(FirstOrder):
    """s ← s + g²;  w ← w − lr·g / (√s + ε) (Duchi 2011). s only grows, so steps only shrink.

    lr: default 0.01. eps: default 1e-10.
    """

    def __init__(self, params, lr=0.01, eps=1e-10, clip_norm=None):
        super().__init__(params, lr, clip_norm)
        check_eps(eps, self.flat.w.dtype)
        self.eps = eps
        self.s = np.zeros_like(self.flat.w)

    def update(self, w, g):
        self.s += g * g
        w -= w.dtype.type(self.rate) * g / (np.sqrt(self.s) + w.dtype.type(self.eps))


class RMSprop(FirstOrder):
    """s ← α·s + (1 − α)·g²;  w ← w − lr·g / (√s + ε) (Hinton 2012, lecture 6): Adagrad that forgets.

    lr: default 0.01. alpha: memory in [0, 1), default 0.99. eps: default 1e-8.
    """

    def __init__(self, params, lr=0.01, alpha=0.99, eps=1e-8, clip_norm=None):
        super().__init__(params, lr, clip_norm)
        check_fraction("alpha", alpha)
        check_eps(eps, self.flat.w.dtype)
        self.alpha, self.eps = alpha, eps
        self.s = np.zeros_like(self.flat.w)

    def update(self, w, g):
        alpha = w.dtype.type(self.alpha)
        self.s *= alpha
        self.s += (1 - alpha) * (g * g)
        w -= w.dtype.type(self.rate) * g / (np.sqrt(self.s) + w.dtype.type(self.eps))


class Adadelta(FirstOrder):
    """s ← ρs + (1 − ρ)g²;  Δ = √(u + ε)/√(s + ε) · g;  u ← ρu + (1 − ρ)Δ²;  w ← w − lr·Δ (Zeiler 2012).

    u, the mean squared step, gives Δ the units of w; so lr = 1 (default) mostly needs no tuning.
    rho: memory in [0, 1), default 0.9. eps: inside both roots, default 1e-6; it sets the size of the first steps.
    """

    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, clip_norm=None):
        super().__init__(params, lr, clip_norm)
        check_fraction("rho", rho)
        check_eps(eps, self.flat.w.dtype)
        self.rho, self.eps = rho, eps
        self.s = np.zeros_like(self.flat.w)
        self.u = np.zeros_like(self.flat.w)

    def update(self, w, g):
        rho, eps = w.dtype.type(self.rho), w.dtype.type(self.eps)
        self.s *= rho
        self.s += (1 - rho) * (g * g)
        delta = np.sqrt(self.u + eps) / np.sqrt(self.s + eps) * g
        self.u *= rho
        self.u += (1 - rho) * (delta * delta)
        w -= w.dtype.type(self.rate) * delta
