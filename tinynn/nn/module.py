"""Module: something with parameters that maps inputs to outputs. A layer is a Module, and so is a whole model.

    class Residual(nn.Module):
        def __init__(self, n):
            self.linear = nn.Linear(n, n)               # an attribute is all it takes to register it
            self.scale = nn.Parameter(np.ones(n, self.linear.weight.dtype))

        def forward(self, x):
            x = nn.as_input(x, self.scale.dtype)        # a Tensor, in the model's dtype, also if x is an array
            return x + self.scale * tn.tanh(self.linear(x))         # x: (N, n), result: (N, n)

A Module finds its parameters by looking at its own attributes, each time it is asked: Parameters, Modules, and lists or
tuples of them. There is no hidden table, and nothing to call in `__init__`.

Read layers.py next for the layers, losses.py for what they are trained with.
"""
from contextlib import contextmanager
from typing import Iterator

import numpy as np

from ..autograd.tensor import Leaf, Tensor, as_array

Array = np.ndarray | Tensor             # what layers and losses take


class Parameter(Tensor):
    """A Tensor that is trained, found by the Module that holds it: a leaf with requires_grad=True; False freezes it.

    data: an array keeps its dtype; Python floats take `tn.default_dtype()`. The values are copied.
    Raises TypeError for data that are not floats.
    """
    __slots__ = ()

    def __init__(self, data):
        super().__init__(data, requires_grad=True)


def as_input(x: Array, dtype=None) -> Tensor:
    """x as the Tensor that a layer computes with.

    dtype: that of the layer's parameters, or None for a layer without any. A constant of another float dtype is cast to
    it. Raises TypeError for ints (an image of bytes, say), and for a Tensor of another dtype that requires gradients:
    somewhere upstream a layer has the wrong dtype, and casting here would hide it.
    """
    if isinstance(x, tuple) and any(isinstance(part, Tensor) for part in x):
        raise TypeError("the input is a tuple; recurrent layers return (output, state) and attention (output, weights): pass "
                        "on the first, layer(x)[0]")
    if not isinstance(x, Tensor):
        x = Tensor(x)
    found = x.dtype
    if found == dtype or found.kind == "c":             # complex: a gradient check by complex steps
        return x
    if found.kind != "f":
        raise TypeError(f"the input has dtype {found}; layers compute with floats: pass "
                        f"x.astype(np.{dtype or 'float64'})")
    if dtype is None:
        return x
    if x.requires_grad:
        raise TypeError(f"the input is a {found} Tensor that requires gradients, the layer's parameters are {dtype}; "
                        f"convert one of them with .astype(np.{dtype}) or .astype(np.{found})")
    return Tensor(x.data.astype(dtype))


class Module:
    """The base of layers, models and losses: write `forward`, and call the object.

    Attributes: training (True until `eval()` is called): dropout and batch norm behave differently in the two modes.
    """
    training = True
    _buffers = ()                       # names of the attributes that are buffers

    def forward(self, *inputs, **options):
        """Compute the outputs; every subclass writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(self, x)")

    def __call__(self, *inputs, **options):
        return self.forward(*inputs, **options)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(map(repr, self.children()))})"

    # --- what it holds ---------------------------------------------------------------------------

    def _members(self) -> Iterator[tuple]:
        """(name, value) of each attribute; the items of lists and tuples are called "name.0", "name.1.0", ..."""
        for name, value in vars(self).items():
            for path, item in spread(name, value):
                if isinstance(item, dict) and holds_layers(item):
                    raise TypeError(f"{type(self).__name__}.{path} is a dict of layers or Parameters, which would not be "
                                    "found; hold them as attributes or in a list")
                yield path, item

    def _walk(self, prefix="") -> Iterator[tuple]:
        """(prefix, module) for self and all below, parents first; one that is used twice comes twice."""
        yield prefix, self
        for name, child in self._members():
            if isinstance(child, Module):
                yield from child._walk(f"{prefix}{name}.")

    def children(self) -> list:
        """The Modules directly inside this one."""
        return [value for _, value in self._members() if isinstance(value, Module)]

    def modules(self) -> list:
        """This Module and all inside it, at any depth, each once, parents first."""
        return list({id(module): module for _, module in self._walk()}.values())

    def named_parameters(self) -> list:
        """[(name, Parameter)], with names such as "0.weight"; a Parameter with two names is listed under its first."""
        first = {}
        for prefix, module in self._walk():
            for name, value in module._members():
                if isinstance(value, Parameter):
                    first.setdefault(id(value), (prefix + name, value))
                elif type(value) is Tensor and type(value._node) is Leaf and not name.startswith("_"):
                    raise TypeError(f"{type(module).__name__}.{name} is a Tensor that requires gradients, and would not be "
                                    f"trained; make it an nn.Parameter, or call it _{name} if it is none")
        return list(first.values())

    def parameters(self) -> list[Parameter]:
        """All Parameters, each once: what an optimizer takes."""
        return [parameter for _, parameter in self.named_parameters()]

    def register_buffer(self, name: str, array: np.ndarray):
        """Make `array` the attribute `name`, part of the state dict but not trained (a running mean, say).

        To change a buffer, bind a new array to the attribute. Never write into it: a graph may hold the old one.
        """
        self._buffers = (*self._buffers, name)
        setattr(self, name, np.asarray(array))

    # --- state -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """{name: a copy of the array} of all parameters and buffers, under PyTorch's names and in its order.

        A tied parameter is there under each of its names, as in PyTorch.
        """
        state = {}
        for prefix, module in self._walk():
            for name, value in module._members():
                if isinstance(value, Parameter):
                    state[prefix + name] = value.data.copy()
            for name in module._buffers:
                state[prefix + name] = np.array(getattr(module, name))
        return state

    def load_state_dict(self, state: dict):
        """Copy in the values of a state dict: this model's, or one of PyTorch's with the same names and shapes.

        state: {name: array or Tensor}; floats are cast to each parameter's dtype.
        Raises ValueError that lists all missing and unexpected names and wrong shapes; then nothing has changed.
        """
        own, state = self.state_dict(), {name: np.array(as_array(value)) for name, value in state.items()}
        problems = [f"{name} is missing" for name in own if name not in state]
        problems += [f"{name} is unexpected" for name in state if name not in own]
        for name in own.keys() & state.keys():
            new, old = state[name], own[name]
            if new.shape != old.shape:
                problems.append(f"{name} has shape {new.shape}, expected {old.shape}")
            elif not np.can_cast(new.dtype, old.dtype, "same_kind"):
                problems.append(f"{name} has dtype {new.dtype}, expected {old.dtype}")
        if problems:
            raise ValueError("load_state_dict loaded nothing: " + "; ".join(problems))
        for prefix, module in self._walk():
            for name, value in module._members():
                if isinstance(value, Parameter):
                    value.data = state[prefix + name]
            for name in module._buffers:
                setattr(module, name, state[prefix + name].astype(own[prefix + name].dtype))

    def train(self, mode: bool = True) -> "Module":
        """Switch to training (dropout on, batch norm uses the batch); returns self."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> "Module":
        """Switch to evaluation (dropout off, batch norm uses its running statistics); returns self."""
        return self.train(False)

    def zero_grad(self):
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            if parameter.requires_grad:
                parameter.grad = None

    def astype(self, dtype) -> "Module":
        """Convert parameters and float buffers to float32 or float64; returns self.

        Gradients are forgotten, and graphs made before no longer lead here. Make the optimizer afterwards.
        """
        dtype = np.dtype(dtype)
        if dtype not in (np.float32, np.float64):
            raise TypeError(f"astype: dtype is {dtype}; expected float32 or float64")
        for parameter in self.parameters():
            parameter._data = parameter.data.astype(dtype)
            if parameter.requires_grad:
                parameter._node = Leaf(parameter.data)
        for module in self.modules():
            for name in module._buffers:
                if getattr(module, name).dtype.kind == "f":
                    setattr(module, name, getattr(module, name).astype(dtype))
        return self


def spread(name, value) -> Iterator[tuple]:
    """(name, value); of a list or tuple, those of its items, at any depth."""
    if not isinstance(value, (list, tuple)):
        yield name, value
        return
    for i, item in enumerate(value):
        yield from spread(f"{name}.{i}", item)


def holds_layers(value) -> bool:
    """Is there a Module or Parameter in these dicts, lists and tuples?"""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return isinstance(value, (Module, Parameter)) or any(map(holds_layers, parts))


@contextmanager
def evaluating(model: Module):
    """In this block the model is in evaluation mode; then each of its modules is in the mode that it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def train_unless_set(model: Module):
    """Training mode, if the model is in evaluation mode; in a training model, layers stay as somebody has set them."""
    if not model.training:
        model.train()
