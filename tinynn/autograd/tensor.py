"""Tensor: an array that remembers how it was computed.

Read this file first, then op.py (how an op is written and recorded) and backward.py (how gradients flow back).

A Tensor is one of three things:
- a constant: nothing is remembered;
- a leaf: made by you with `requires_grad=True` (a weight, say); `backward` leaves its gradient in `.grad`;
- a result: made by an op from Tensors that require gradients; its Node remembers which op, and from what.

    x ── tanh ── y ── multiply ── z          z._node = multiply's Node → tanh's Node → the Leaf of x
                 └────────┘

Leaf and Node keep what a gradient needs, never the Tensor itself: Tensor → Node → Tensor would be a cycle, and
memory would outlive `del`.
"""
from itertools import count

import numpy as np

from .settings import settings

clock = count(1)        # numbers Nodes in the order in which they are made, and dates the changes of leaves


class Leaf:
    """Where a gradient ends. grad: an array of the leaf's shape, or None; changed: when its values were last changed."""
    __slots__ = ("grad", "shape", "dtype", "changed")
    parents = ()

    def __init__(self, array):
        self.grad, self.shape, self.dtype, self.changed = None, array.shape, array.dtype, 0

    def __getstate__(self):
        """For a copy or a pickle, without the date: another process has its own clock."""
        return None, {"grad": self.grad, "shape": self.shape, "dtype": self.dtype, "changed": 0}


class Tensor:
    """An n-dimensional array that can be differentiated.

    data: an array, a number or a nested list. An array is used as it is (no copy), unless `requires_grad`:
        a leaf made here owns its values. Python floats take `tn.default_dtype()`.
    requires_grad: True makes a leaf whose gradient `backward` computes. Only for float data.

    Attributes: data (the array; assigning copies new values in), grad (an array like data, or None), shape, dtype,
    ndim, size. Raises TypeError for data that are not numbers, or for an int leaf that requires gradients.
    """
    __slots__ = ("_data", "_node", "__weakref__")       # _node: a Leaf, a Node (see op.py), or None for a constant
    __array_priority__ = 1000          # array + tensor is a Tensor

    def __init__(self, data, requires_grad: bool = False):
        if isinstance(data, Tensor):
            data = data._data
        array = np.asarray(data)
        if array.dtype.kind not in "biufc":
            raise TypeError(f"Tensor: data has dtype {array.dtype}; expected numbers")
        if not isinstance(data, (np.ndarray, np.generic)) and array.dtype.kind == "f":
            array = array.astype(settings.dtype)
        self._data = array.copy() if requires_grad else array
        self._node = None
        self.requires_grad = requires_grad

    @classmethod
    def _result(cls, array, node):
        """A Tensor made by an op: no checks, no copies."""
        self = Tensor.__new__(Tensor)
        self._data = array
        self._node = node
        return self

    # --- what it holds ---------------------------------------------------------------------------

    @property
    def data(self) -> np.ndarray:
        """The array. That of a result is read-only: gradients may need it. Change a leaf's by assigning to `data`."""
        if self._node is None or type(self._node) is Leaf:
            return self._data
        view = self._data.view()
        view.flags.writeable = False
        return view

    @data.setter
    def data(self, values):
        """Copy new values in, in place, so that an optimizer's flat vector sees them."""
        if self._node is not None and type(self._node) is not Leaf:
            raise TypeError("data: this Tensor is the result of an op; only a leaf's values can be set")
        values = np.asarray(values._data if isinstance(values, Tensor) else values)
        if values.shape != self._data.shape:
            raise ValueError(f"data: the new values have shape {values.shape}, the Tensor has {self._data.shape}; "
                             "make a new Tensor for another shape")
        if not np.can_cast(values.dtype, self._data.dtype, "same_kind"):
            raise TypeError(f"data: the new values have dtype {values.dtype}, the Tensor has {self._data.dtype}")
        if values is not self._data:                       # `w.data -= step` has already written
            self._data[...] = values
        if self._node is not None:
            self._node.changed = next(clock)

    @property
    def grad(self):
        """What `backward` has left here: an array of the same shape, or None. Only leaves have one."""
        return self._node.grad if type(self._node) is Leaf else None

    @grad.setter
    def grad(self, array):
        if type(self._node) is not Leaf:
            raise TypeError("grad: only a leaf, a Tensor made with requires_grad=True, has a gradient")
        array = as_array(array)
        if array is not None and np.shape(array) != self.shape:
            raise ValueError(f"grad: the gradient has shape {np.shape(array)}, the Tensor has {self.shape}")
        self._node.grad = None if array is None else np.asarray(array, self.dtype)

    @property
    def requires_grad(self) -> bool:
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, flag: bool):
        if flag == self.requires_grad:
            return
        if self._node is not None and type(self._node) is not Leaf:
            raise TypeError("requires_grad: this Tensor is the result of an op; use .detach() to cut it off")
        if flag and self._data.dtype.kind not in "fc":
            raise TypeError(f"Tensor: requires_grad needs float data, but dtype is {self._data.dtype}; "
                            "write 1.0 for 1, or use array.astype(float)")
        self._node = Leaf(self._data) if flag else None

    shape = property(lambda self: self._data.shape)
    dtype = property(lambda self: self._data.dtype)
    ndim = property(lambda self: self._data.ndim)
    size = property(lambda self: self._data.size)

    def numpy(self) -> np.ndarray:
        """The array itself, not a copy: do not write into it."""
        return self._data

    def item(self) -> float:
        """The value of a Tensor with one element, as a Python number."""
        if self._data.size != 1:
            raise ValueError(f"item: the Tensor has shape {self.shape}; only one element makes a number")
        return self._data.item()

    def detach(self) -> "Tensor":
        """The same values as a constant: gradients stop here. They share memory, so do not write into it."""
        return Tensor._result(self._data, None)

    def backward(self, grad=None, retain_graph: bool = False):
        """Add dself/dleaf to the `.grad` of every leaf below. See `tinynn.autograd.backward.backward`."""
        from .backward import backward
        backward(self, grad, retain_graph)

    # --- as a Python object ----------------------------------------------------------------------

    __hash__ = object.__hash__          # identity: `==` compares elements

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __format__(self, spec):
        return format(self.item(), spec) if spec else str(self)

    def __bool__(self):
        return bool(self._data)

    def __len__(self):
        return len(self._data)

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("a 0-d Tensor cannot be iterated over")
        return (self[i] for i in range(len(self._data)))

    def __repr__(self):
        made = getattr(self._node, "op", None)
        tail = f", made by {made.name})" if made else ", requires_grad=True)" if self.requires_grad else ")"
        return "Tensor(" + np.array2string(self._data, separator=", ", prefix="Tensor(") + tail

    def __setitem__(self, index, value):
        raise TypeError("a Tensor cannot be written into: a gradient may need the old values. Build a new one with "
                        "tn.where or tn.concatenate; to set a parameter's values, assign to .data")

    def __array__(self, dtype=None, copy=None):
        raise TypeError("a Tensor is not converted to an array silently, as its gradient would be lost; "
                        "use .numpy(), or a tn function")


def as_array(x):
    """The array in a Tensor; anything else as it is."""
    return x._data if isinstance(x, Tensor) else x
