"""What all optimizers share: the flat vector, `step`, the state. Read gd.py for the simplest one.

A training loop, for any optimizer:

    def closure():
        return loss(model(x), y)                # for LevenbergMarquardt and BayesianRegularization: model(x) - y

    for optimizer.epoch in range(epochs):       # learning-rate schedules look at it
        print(optimizer.step(closure))          # the loss before the step
        if optimizer.stop:                      # "gradient below 1e-05", say
            break
"""
from collections import deque

import numpy as np

from ..arguments import check_positive
from ..autograd.tensor import Tensor
from .flat import FlatVector


class Optimizer:
    """Base class. Subclasses define `step`; first-order ones inherit it from FirstOrder and define `update`.

    Attributes: stop (why there is no point in going on, or None), info (what the last step reports, by name).
    """

    def __init__(self, params):
        self.flat = FlatVector(params)
        self.stop = None
        self.info = {}
        self.epoch = 0                          # set by `fit`, for learning-rate schedules

    def step(self, closure) -> float:
        """Improve the parameters once; returns the loss before the step. closure() returns the loss as a Tensor.

        The parameters' `.grad` are pieces of one vector afterwards, which the next step overwrites: to keep one, copy it.
        """
        raise NotImplementedError

    def state_dict(self) -> dict:
        """Everything a step depends on but the parameters, by name: what a checkpoint keeps of an optimizer.

        So an optimizer's state must be public attributes: numbers, strings, or arrays of P numbers, or some times P, in w's
        dtype, as np.zeros_like(self.flat.w). Names that begin with _ are for what can be computed again; they are not kept.
        TypeError: an attribute is a list, a dict, a set, a deque or a Generator, which would be lost.
        """
        kinds = (np.ndarray, np.number, bool, int, float, str, type(None))
        for name, value in vars(self).items():
            lost = isinstance(value, (list, dict, set, deque, np.random.Generator))
            if lost and not name.startswith("_") and name != "info":
                raise TypeError(f"{type(self).__name__}.{name} is a {type(value).__name__}, which a checkpoint would lose: "
                                f"keep an array of numbers, (k, P); a setting, or what can be computed again, call _{name}")
        return {name: value.copy() if isinstance(value, np.ndarray) else
                value.item() if isinstance(value, np.number) else value
                for name, value in vars(self).items() if isinstance(value, kinds) and not name.startswith("_")}

    def load_state_dict(self, state: dict):
        """Take over what `state_dict` of an optimizer with the same settings returned."""
        own = self.state_dict()
        if set(state) != set(own):
            raise ValueError(f"the state is not one of {type(self).__name__}: it has {sorted(state)}, "
                             f"expected {sorted(own)}")
        for name, value in state.items():           # of P numbers, or of some vectors of P numbers (BFGS, L-BFGS)
            if isinstance(value, np.ndarray) and (value.dtype != self.flat.w.dtype or value.size % self.flat.w.size):
                raise ValueError(f"the state's {name} has shape {value.shape} and dtype {value.dtype}; the optimizer has "
                                 f"{self.flat.w.size} parameters of {self.flat.w.dtype}")
        for name, value in state.items():
            setattr(self, name, value.copy() if isinstance(value, np.ndarray) else value)


class FirstOrder(Optimizer):
    """An optimizer that needs one gradient a step.

    lr: the learning rate: a positive number, or a function of the epoch (see schedules.py).
    clip_norm: gradients longer than this are scaled down to it (Pascanu 2013); None (default): never.
    """

    def __init__(self, params, lr, clip_norm=None):
        super().__init__(params)
        if not callable(lr):
            check_positive("lr", lr)
        if clip_norm is not None:
            check_positive("clip_norm", clip_norm)
        self.lr, self.clip_norm = lr, clip_norm

    @property
    def rate(self) -> float:
        """The learning rate of this epoch."""
        return self.lr(self.epoch) if callable(self.lr) else self.lr

    def step(self, closure=None):
        """One update. With a closure: computes the gradients, returns the loss. Without: uses `.grad`, returns None."""
        self.flat.check_current()
        value = None
        if closure is None:
            g = self.flat.gather()
        else:
            loss = check_loss(closure())
            g, value = self.flat.gradient(loss), loss.item()
        if self.clip_norm is not None:
            norm = np.linalg.norm(g.astype(float))                  # a square may be too large for float32
            if norm > self.clip_norm:
                g *= g.dtype.type(self.clip_norm / norm)
        self.update(self.flat.w, g)
        self.flat.touch()
        self.info = {"lr": self.rate}
        return value

    def update(self, w, g):
        """Change w in place, given the gradient g; both (P,), of the parameters' dtype.

        In place: w -= ...; `w = w - ...` would change nothing. self.rate is the learning rate of this epoch, also if lr is a
        schedule; w.dtype.type(self.rate) keeps float32 in float32. What must be remembered: see `state_dict`.
        """
        raise NotImplementedError


def check_loss(loss) -> Tensor:
    """The closure's result, if it is a scalar Tensor from which gradients can be computed."""
    if not isinstance(loss, Tensor) or loss.size != 1:
        raise TypeError(f"closure() returned a {type(loss).__name__}{of_shape(loss)}; expected a scalar Tensor, the loss")
    if getattr(loss._node, "kept", ()) is None:
        raise RuntimeError("closure() has called backward, which freed the loss's graph; it must only return the loss: step "
                           "computes the gradients, and there is none to set to zero")
    return loss


def of_shape(x) -> str:
    """For error messages: " of shape (2,)", or nothing if x has none."""
    return f" of shape {x.shape}" if hasattr(x, "shape") else ""


def check_eps(eps, dtype):
    """Raise ValueError unless eps is a number > 0, also in the parameters' dtype."""
    check_positive("eps", eps)
    if not dtype.type(eps) > 0:
        raise ValueError(f"eps is {eps}, which is 0 in {dtype}; expected a larger number")
