"""Adam: momentum and a learning rate for every parameter. AdamW: Adam with honest weight decay."""
import numpy as np

from ..arguments import check_fraction
from ..kernels import updates
from .optimizer import FirstOrder, check_eps


class Adam(FirstOrder):
    """m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  w ← w − lr · m̂ / (√v̂ + ε) (Kingma & Ba 2015).

    m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ) undo the bias of averages that start at 0.
    lr: default 1e-3. betas: (β₁, β₂), default (0.9, 0.999). eps: default 1e-8.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, clip_norm=None):
        super().__init__(params, lr, clip_norm)
        self.beta1, self.beta2 = betas
        check_fraction("betas[0]", self.beta1)
        check_fraction("betas[1]", self.beta2)
        check_eps(eps, self.flat.w.dtype)
        self.eps, self.t = eps, 0
        self.m = np.zeros_like(self.flat.w)
        self.v = np.zeros_like(self.flat.w)

    def update(self, w, g):
        self.t += 1
        number = w.dtype.type                                # float32 numbers keep the kernel in float32
        updates.adam(w, g, self.m, self.v, number(self.rate), number(self.beta1), number(self.beta2), number(self.eps),
                     number(1 - self.beta1 ** self.t), number(1 - self.beta2 ** self.t))


class AdamW(Adam):
    """w ← (1 − lr·λ)w before each step of Adam (Loshchilov & Hutter 2019).

    A penalty λ|w|²/2 in the loss would be divided by √v̂ like any gradient, and so hardly act on weights whose gradients
    are large. weight_decay: λ ≥ 0, default 0.01.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, clip_norm=None):
        super().__init__(params, lr, betas, eps, clip_norm)
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay is {weight_decay!r}; expected a number >= 0")
        self.weight_decay = weight_decay

    def update(self, w, g):
        w *= w.dtype.type(1 - self.rate * self.weight_decay)
        super().update(w, g)
