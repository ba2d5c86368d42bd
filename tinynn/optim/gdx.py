"""GDX: gradient descent that finds its own learning rate: faster while things go well, slower when they don't."""
import numpy as np

from ..arguments import check_fraction, check_positive
from .descent import Descent


class GDX(Descent):
    """Momentum with an adaptive rate, as MATLAB's `traingdx`: dX = mc·dX − (1 − mc)·lr·g, tried before it is taken.

    If the new loss exceeds the old one by more than a factor 1.04, the step is rejected, lr ← 0.7·lr, and the momentum
    is replaced by a plain gradient step, dX = −lr·g. Else it is taken, and if the loss fell, lr ← 1.05·lr.
    lr: the first rate, default 0.01. mc: default 0.9. min_grad: default 1e-5. Needs a closure that returns the same loss
    each time, so full batches.
    """

    def __init__(self, params, lr=0.01, mc=0.9, min_grad=1e-5):
        super().__init__(params, min_grad, c1=1e-4, c2=0.9)        # of a line search, which it does not use
        check_positive("lr", lr)
        check_fraction("mc", mc)
        self.lr, self.mc = lr, mc
        self.dX = np.zeros_like(self.flat.w)

    def search(self, closure, w, loss, g, d) -> bool:
        number = w.dtype.type
        self.info["lr"] = self.lr
        self.dX = number(self.mc) * self.dX + number(1 - self.mc) * number(self.lr) * d
        self.flat.set(w + self.dX)
        new = self.evaluate(closure)
        if not new <= loss + 0.04 * abs(loss):                  # also if it is NaN
            self.go_back(closure, w, loss, g)
            self.lr *= 0.7
            self.dX = number(self.lr) * d
        elif new < loss:
            self.lr *= 1.05
        return True

    def direction(self, g):
        return -g

    def forget(self):
        self.dX = np.zeros_like(self.flat.w)
