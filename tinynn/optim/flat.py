"""All parameters of an optimizer as one vector w, and their gradients as one vector g.

Each parameter's array becomes a view into w, so that an update, a line search or a Gauss–Newton step is vector maths in
the textbook's letters, and the model sees every change at once:

    w = [ W₁ . . . . | b₁ . . | W₂ . . . . | b₂ ]
          └ model[0].weight     └ model[2].weight
"""
from contextlib import contextmanager

import numpy as np

from ..autograd.backward import sweep
from ..autograd.tensor import Leaf, Tensor, clock


class FlatVector:
    """w and g for a list of parameters. Two optimizers of the same parameters share w."""

    def __init__(self, params):
        if isinstance(params, Tensor) or hasattr(params, "parameters"):
            raise TypeError(f"params is a {type(params).__name__}; expected a list of Tensors, such as model.parameters()")
        self.params, self.frozen = [], []
        for i, p in enumerate(params):
            if not isinstance(p, Tensor) or not isinstance(p._node, (Leaf, type(None))):
                raise TypeError(f"params[{i}] is not a leaf Tensor")
            if p.requires_grad and not any(p is q for q in self.params):             # a tied parameter counts once
                self.params.append(p)
            elif not p.requires_grad:
                self.frozen.append(p)
        if not self.params:
            raise ValueError("params holds no Tensor with requires_grad=True: there is nothing to train")
        dtypes = {p.dtype for p in self.params}
        if len(dtypes) > 1:
            raise TypeError(f"params have dtypes {', '.join(map(str, dtypes))}; make them one with model.astype(...)")
        ends = np.cumsum([p.size for p in self.params])
        self.slices = [slice(end - p.size, end) for p, end in zip(self.params, ends.tolist())]
        self.w = self.shared_buffer()
        if self.w is None:
            self.w = np.concatenate([p._data.ravel() for p in self.params])
            for p, s in zip(self.params, self.slices):
                p._data = self.w[s].reshape(p.shape)
                p._node.changed = next(clock)
        self.g = np.zeros_like(self.w)
        self.g_views = [self.g[s].reshape(p.shape) for p, s in zip(self.params, self.slices)]

    def shared_buffer(self):
        """The vector of which these parameters are already the views, in this order; None if there is none."""
        base = self.params[0]._data.base
        if not isinstance(base, np.ndarray) or base.shape != (self.slices[-1].stop,):
            return None
        same = all(p._data.base is base and p._data.ctypes.data == base[s].ctypes.data
                   for p, s in zip(self.params, self.slices))
        return base if same else None

    def check_current(self):
        """Raise RuntimeError if the parameters are no longer views into w: a step would move nothing."""
        for p in self.params:
            if p._data.base is not self.w or p._node is None:
                raise RuntimeError("the parameters now belong to another optimizer's vector, or were given another dtype "
                                   "or requires_grad=False; make a new optimizer for them")
        for p in self.frozen:
            if p.requires_grad:
                raise RuntimeError("a parameter was frozen when this optimizer was made, and requires gradients now: it "
                                   "would not be trained; make a new optimizer")

    def moment(self, leaves) -> tuple:
        """For `unchanged`: w and the leaves of a graph as they are now."""
        return self.w.copy(), tuple(leaves), next(clock)

    def unchanged(self, moment) -> bool:
        """Is w what it was at that moment, and has no leaf of that graph, another optimizer's perhaps, changed since?"""
        w, leaves, date = moment
        return np.array_equal(w, self.w, equal_nan=True) and all(leaf.changed <= date for leaf in leaves)

    def touch(self):
        """Note that w has changed, so that a graph made before refuses to go backward."""
        now = next(clock)
        for p in self.params:
            p._node.changed = now

    def set(self, w):
        """Copy new values into w."""
        self.w[...] = w
        self.touch()

    @contextmanager
    def or_back(self):
        """A block that is given a copy of w, and puts it back if it ends with an error, as by Ctrl-C at a trial point."""
        w = self.w.copy()
        try:
            yield w
        except BaseException:
            self.set(w)
            raise

    def gradient(self, loss):
        """Fill g with dloss/dw, and let every parameter's `.grad` be its piece of it: a view, until the next step."""
        if not loss.requires_grad:
            raise ValueError("the loss does not depend on any Tensor with requires_grad=True: was it computed under no_grad, "
                             "or from .data or .numpy()?")
        table = sweep(loss._node, np.ones(loss.shape, loss.dtype))
        self.leaves = tuple(table)
        for p, view in zip(self.params, self.g_views):
            g = table.get(p._node)
            view[...] = 0 if g is None else g
            p._node.grad = view
        return self.g

    def gather(self):
        """Copy every parameter's `.grad` into g: for gradients that the caller computed. One that has none counts as 0."""
        if all(p.grad is None for p in self.params):
            raise ValueError("step() without a closure takes the gradients from .grad, and no parameter has one: call "
                             "backward() first, or pass a closure")
        for p, view in zip(self.params, self.g_views):
            if p.grad is None:
                view[...] = 0
            elif p.grad is not view:
                view[...] = p.grad
            p._node.grad = view
        return self.g
