"""L-BFGS: BFGS from the last few steps only, so that a million parameters are no problem."""
import numpy as np

from ..arguments import check_count
from .descent import Descent


class LBFGS(Descent):
    """d = −H·g, with H built from the last `history` pairs (s, y), never as a matrix (Liu & Nocedal 1989).

    The two-loop recursion, Nocedal & Wright 2006, algorithm 7.4 (p. 178), starts from H₀ = sᵀy/(yᵀy)·I (eq. 7.20).
    history: default 10; 3 to 20 is usual. min_grad: default 1e-6. c1: 1e-4. c2: 0.9.
    """

    def __init__(self, params, history=10, min_grad=1e-6, c1=1e-4, c2=0.9):
        super().__init__(params, min_grad, c1, c2)
        check_count("history", history)
        self.history = int(history)
        self.S = np.zeros((0, self.flat.w.size), self.flat.w.dtype)       # steps, oldest first: (pairs, P)
        self.Y = np.zeros((0, self.flat.w.size), self.flat.w.dtype)       # changes of the gradient

    def direction(self, g):
        q, pairs = g.copy(), list(zip(self.S, self.Y))
        alphas = []
        for s, y in reversed(pairs):
            alpha = (s @ q) / (y @ s)
            alphas.append(alpha)
            q -= alpha * y
        if pairs:
            s, y = pairs[-1]
            q *= (s @ y) / (y @ y)
        for (s, y), alpha in zip(pairs, reversed(alphas)):
            q += (alpha - (y @ q) / (y @ s)) * s
        return -q

    def first_guess(self, g, d):
        return 1.0 if len(self.S) else min(1.0, 1.0 / float(np.sqrt(g @ g)))

    def learn(self, s, y, g):
        if y @ s > 1e-10 * np.sqrt((y @ y) * (s @ s)):
            self.S = np.vstack([self.S, s])[-self.history:]
            self.Y = np.vstack([self.Y, y])[-self.history:]

    def forget(self):
        self.S, self.Y = self.S[:0], self.Y[:0]
