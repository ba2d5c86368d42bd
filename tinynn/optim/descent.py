"""One step along a direction, by line search: what conjugate gradient, BFGS and L-BFGS have in common. (GDX has a search of
its own.)

    d = direction(g);  α by line search;  s = α·d;  w ← w + s;  learn(s, g_new − g, ...)
"""
import numpy as np

from ..arguments import check_positive
from .line_search import strong_wolfe
from .optimizer import Optimizer, check_loss


class Descent(Optimizer):
    """Base class of the optimizers that search along a line; subclasses define `direction`, `learn`, `forget`, `first_guess`.

    min_grad: stop when the gradient's length is below it. c1, c2: see line_search.py.
    """

    def __init__(self, params, min_grad, c1, c2):
        super().__init__(params)
        check_positive("min_grad", min_grad)
        if not 0 < c1 < c2 < 1:
            raise ValueError(f"c1 is {c1}, c2 is {c2}; expected 0 < c1 < c2 < 1")
        self.min_grad, self.c1, self.c2 = min_grad, c1, c2
        self._known = None                      # (closure, moment, loss, gradient): of the last evaluation

    def direction(self, g):
        """The direction to search along, given the gradient."""
        raise NotImplementedError

    def learn(self, s, y, g):
        """Take note of the step s, of the change of the gradient y, and of the new gradient g."""
        raise NotImplementedError

    def forget(self):
        """Start afresh: the next direction is −g."""
        raise NotImplementedError

    def first_guess(self, g, d) -> float:
        """The step length that the line search tries first."""
        raise NotImplementedError

    def step(self, closure) -> float:
        """One line search; returns the loss before it.

        closure() must return the same loss each time it is called with the same parameters. A closure object stands for
        one function: the next step starts from what the last search found out about it. For other data pass another one.
        """
        self.flat.check_current()
        with self.flat.or_back() as w:
            return self.improve(closure, w)

    def improve(self, closure, w) -> float:
        """The step itself, from w."""
        loss, g = self.here(closure)
        norm = float(np.sqrt(g @ g))
        self.info, self.stop = {"gradient_norm": norm, "step_length": 0.0}, None
        if not np.isfinite(loss) or not np.isfinite(norm):
            self.stop = "the loss or its gradient is not finite"
        elif norm < self.min_grad:
            self.stop = f"gradient below {self.min_grad:g}"
        if self.stop:
            return loss
        d = self.direction(g)
        if not d @ g < 0:
            self.forget()
            d = self.direction(g)
        if not self.search(closure, w, loss, g, d):
            self.forget()                                       # once more, along −g
            if not self.search(closure, w, loss, g, self.direction(g)):
                self.go_back(closure, w, loss, g)
                self.stop = "the line search found no point that is good enough"
        return loss

    def search(self, closure, w, loss, g, d) -> bool:
        """Move along d to a point that satisfies the Wolfe conditions; False if there is none within reach."""
        slope = float(g @ d)
        if not slope < 0:
            return False

        def phi(alpha):
            self.flat.set(w + w.dtype.type(alpha) * d)
            value = self.evaluate(closure)
            return value, float(self.flat.g @ d)

        alpha = strong_wolfe(phi, loss, slope, self.first_guess(g, d), self.c1, self.c2)
        if alpha is None:
            return False
        self.learn(self.flat.w - w, self.flat.g - g, self.flat.g)
        self.info["step_length"] = alpha
        return True

    def evaluate(self, closure) -> float:
        """The loss at the present w, and its gradient in flat.g."""
        result = check_loss(closure())
        self.flat.gradient(result)
        value = result.item()
        moment = self.flat.moment(self.flat.leaves)
        self._known = closure, moment, value, self.flat.g.copy()                    # a copy: `.grad` is the caller's
        return value

    def go_back(self, closure, w, loss, g):
        """Undo a search: w, where the loss and its gradient are known."""
        self.flat.set(w)
        self.flat.g[...] = g
        self._known = closure, self.flat.moment(self.flat.leaves), loss, g

    def here(self, closure) -> tuple:
        """(loss, gradient) at the present w, evaluated unless the last line search did so for this closure."""
        if self._known is None or self._known[0] is not closure:
            first = check_loss(closure()).item()
            value = self.evaluate(closure)
            if value != first and not (np.isnan(value) and np.isnan(first)):
                raise ValueError(f"closure() returned {first} and then {value} for the same parameters; a line search "
                                 "compares losses, so call model.eval() or take dropout out, and use one batch")
        elif not self.flat.unchanged(self._known[1]):
            self.evaluate(closure)
        return self._known[2:]
