"""Conjugate gradient: directions that do not undo each other, at the price of one extra vector."""
import numpy as np

from .descent import Descent


class ConjugateGradient(Descent):
    """d ← −g + β·d, with a line search along d (Nocedal & Wright 2006, ch. 5).

    beta: "fletcher-reeves" (default) β = |g⁺|²/|g|², or "polak-ribiere" β = max(0, g⁺ᵀ(g⁺ − g)/|g|²).
    Starts again from −g every n steps (n parameters), when d leads uphill, and when successive gradients are far from
    orthogonal, |g⁺ᵀg| ≥ 0.2·|g⁺|² (Powell 1977).
    min_grad: default 1e-10. c1: 1e-4. c2: default 0.1; must be below 1/2 for Fletcher–Reeves, or d may lead uphill.
    """

    def __init__(self, params, beta="fletcher-reeves", min_grad=1e-10, c1=1e-4, c2=0.1):
        super().__init__(params, min_grad, c1, c2)
        if beta not in ("fletcher-reeves", "polak-ribiere"):
            raise ValueError(f'beta is {beta!r}; expected "fletcher-reeves" or "polak-ribiere"')
        if c2 >= 0.5:
            raise ValueError(f"c2 is {c2}; conjugate gradient needs c2 < 0.5")
        self.beta = beta
        self.d = np.zeros_like(self.flat.w)             # the next direction; zeros: none yet
        self.steps = 0                                  # since the last restart
        self.alpha = self.slope = 0.0                   # of the last step: alpha and gᵀd

    def direction(self, g):
        return self.d if self.d.any() else -g

    def first_guess(self, g, d):
        """Expect the gain of the last step: α·gᵀd = α₋·g₋ᵀd₋ (eq. 3.60); at first, go about a unit of length."""
        slope = float(g @ d)
        if not self.slope:
            return min(1.0, 1.0 / float(np.sqrt(g @ g)))
        return self.alpha * min(self.slope / slope, 10.0)

    def learn(self, s, y, g):
        old, d = g - y, self.direction(g - y)
        self.slope = float(old @ d)
        self.alpha = float(np.sqrt((s @ s) / (d @ d)))
        self.steps += 1
        if self.steps >= g.size or abs(g @ old) >= 0.2 * (g @ g):
            self.d, self.steps = -g, 0
        elif self.beta == "fletcher-reeves":
            self.d = (g @ g) / (old @ old) * d - g
        else:
            self.d = max(0, (g @ y) / (old @ old)) * d - g

    def forget(self):
        self.d, self.steps = np.zeros_like(self.flat.w), 0
        self.alpha = self.slope = 0.0
