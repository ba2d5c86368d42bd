"""The modern Hopfield network: the same idea with a steeper energy, and the update of attention.

Hopfield's energy is a sum of squared overlaps, −½Σ(ξ^q·x)², and neighbouring valleys run into each other when there are
more than about 0.14N patterns. Steeper functions of the overlap keep them apart: powers (Krotov & Hopfield 2016), the
exponential (Demircigil et al. 2017), for real-valued states log Σ exp (Ramsauer et al. 2021):

    E(x) = −(1/β) log Σ_q exp(β ξ^q·x) + ½xᵀx
    x ← Ξᵀ softmax(β Ξx)                        which is x − dE/dx, and never raises E

With x as query, the patterns Ξ as keys and as values, and β = 1/√d, this update *is* attention (nn.MultiheadAttention).
"""
import numpy as np

from ..autograd.tensor import Tensor
from ..ops import logsumexp, softmax
from .recall import Recall, as_states, check_limits, iterate


class ModernHopfield:
    """Stores any real patterns, (Q, N), one in each row.

    beta: the steepness, default 8/N, so that for ±1 patterns a tenth of the bits makes a factor e^1.6 of weight; small β
    blends patterns into averages, large β finds the nearest.
    """

    def __init__(self, patterns, beta: float | None = None):
        patterns = np.asarray(patterns)
        if patterns.ndim != 2 or patterns.size == 0:
            raise ValueError(f"patterns has shape {patterns.shape}; expected (Q, N), one pattern in each row")
        self.patterns = as_states(patterns, patterns.shape[1])
        self.beta = 8 / patterns.shape[1] if beta is None else beta
        if not 0 < self.beta < np.inf:
            raise ValueError(f"beta is {beta!r}; expected a number > 0")

    def energy(self, x):
        """E(x), see the top of this file: (..., N) -> (...). Takes Tensors, too."""
        return (x * x).sum(-1) / 2 - logsumexp(self.beta * (x @ self.patterns.T), axis=-1) / self.beta

    def update(self, x) -> np.ndarray | Tensor:
        """Each state becomes the average of the patterns, weighted by softmax(β·overlap). x: (..., N)."""
        return softmax(self.beta * (x @ self.patterns.T), axis=-1) @ self.patterns      # (..., Q) @ (Q, N) -> (..., N)

    def recall(self, x, steps: int = 100, tolerance: float = 1e-9, trajectory: bool = False) -> Recall:
        """Update the states x, (N,) or (M, N), until no unit moves more than `tolerance`, or `steps` times."""
        check_limits(steps, tolerance)
        result = iterate(self.update, as_states(x, self.patterns.shape[1]), steps, tolerance, trajectory)
        return result.one() if np.ndim(x) == 1 else result
