"""BFGS: learns the inverse of the Hessian from how the gradient changes. lbfgs.py does it without the matrix."""
import numpy as np

from .descent import Descent


class BFGS(Descent):
    """d = −H·g, with H ≈ the inverse Hessian, improved at each step (Broyden, Fletcher, Goldfarb, Shanno 1970).

    H must satisfy H·y = s for the last step s and the change of the gradient y along it:
    H ← (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ, ρ = 1/(yᵀs) (Nocedal & Wright 2006, eq. 6.17). H stays positive definite as long as
    yᵀs > 0; other pairs are skipped. H starts as I. (Scaling it by yᵀs/(yᵀy) after the first step, eq. 6.20, serves L-BFGS,
    but here it made H tiny, and kept it so: after 500 steps on sin(x²) the loss was 20 times higher.)
    min_grad: default 1e-6. c1: 1e-4. c2: 0.9. Memory and time per step grow with P², the parameters squared.
    """

    def __init__(self, params, min_grad=1e-6, c1=1e-4, c2=0.9):
        super().__init__(params, min_grad, c1, c2)
        self.H = np.zeros((0, 0), self.flat.w.dtype)            # empty: no step yet

    def direction(self, g):
        return -(self.H @ g) if self.H.size else -g

    def first_guess(self, g, d):
        return 1.0 if self.H.size else min(1.0, 1.0 / float(np.sqrt(g @ g)))

    def learn(self, s, y, g):
        ys = y @ s
        if ys <= 1e-10 * np.sqrt((y @ y) * (s @ s)):
            return
        if not self.H.size:
            self.H = np.eye(len(s), dtype=s.dtype)
        # Multiplied out, with v = ρHy − ρ(1 + ρyᵀHy)/2 · s: H ← H − svᵀ − vsᵀ.
        Hy = self.H @ y
        v = Hy / ys - (1 + (y @ Hy) / ys) / (2 * ys) * s
        svt = np.outer(s, v)
        self.H -= svt
        self.H -= svt.T

    def forget(self):
        self.H = np.zeros((0, 0), self.flat.w.dtype)
