"""Recurrent layers: RNN, GRU, LSTM. They read a sequence step by step and keep a state; ops/recurrent.py has the maths.

    model = nn.LSTM(3, 20)                              # 3 inputs at each step, 20 units
    output, (h, c) = model(x)                           # x: (N, T, 3) -> output: (N, T, 20): the state after every step
    output, (h, c) = model(more, (h, c))                # ... and on from there

Truncated backpropagation through time: cut the state off between pieces of a long sequence, so that gradients stop there:
`model(more, (h.detach(), c.detach()))`; RNN and GRU have one state, `model(more, h.detach())`.
"""
import numpy as np

from ..arguments import check_count
from ..autograd.settings import default_dtype, default_rng
from ..autograd.tensor import Tensor
from ..ops import concatenate
from ..ops.recurrent import gru, lstm, rnn
from .module import Array, Module, Parameter, as_input


class Recurrent(Module):
    """Base of RNN, GRU and LSTM, which say how many gates and states they have, and which op is a layer.

    n_in: inputs at each step. n_hidden: units, H. num_layers: each reads the outputs of the one below; default 1.
    bidirectional: a second network reads each layer's input backwards; outputs are 2H wide then. rng: for the initial
    values, uniform in ±1/√H, as PyTorch's; None (default): the default Generator.
    Attributes, with the suffixes _l0, _l1, ... for layers and _reverse for the one that reads backwards, k the number of
    gates: weight_ih (kH, n_in), weight_hh (kH, H), bias_ih, bias_hh (kH,). PyTorch's names and order of gates.
    """
    gates, n_states = 1, 1

    def __init__(self, n_in: int, n_hidden: int, num_layers: int = 1, bidirectional: bool = False, rng=None):
        name = type(self).__name__
        for argument, value in (("n_in", n_in), ("n_hidden", n_hidden), ("num_layers", num_layers)):
            check_count(f"{name}: {argument}", value)
        self.n_in, self.n_hidden, self.num_layers, self.bidirectional = n_in, n_hidden, num_layers, bidirectional
        rng, bound, dtype = default_rng(rng), 1 / np.sqrt(n_hidden), default_dtype()
        rows, ways = self.gates * n_hidden, 2 if bidirectional else 1
        for layer in range(num_layers):
            width = n_in if layer == 0 else ways * n_hidden
            for suffix in self.suffixes(layer):
                for part, shape in (("weight_ih", (rows, width)), ("weight_hh", (rows, n_hidden)), ("bias_ih", rows),
                                    ("bias_hh", rows)):
                    setattr(self, part + suffix, Parameter(rng.uniform(-bound, bound, shape).astype(dtype)))

    def suffixes(self, layer) -> list:
        """The ends of the names of a layer's parameters, one for each direction."""
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def forward(self, x: Array, state=None) -> tuple:
        """x: (N, T, n_in); state: as returned, None (default) for zeros. Returns (output, state):

        output (N, T, H), or (N, T, 2H): the top layer's h after every step. state: h after the last step, for LSTM the
        pair (h, c): (num_layers, N, H), or (2·num_layers, N, H), forward and backward in turn.
        """
        x = as_input(x, self.weight_ih_l0.dtype)
        if x.ndim != 3 or x.shape[2] != self.n_in or x.shape[1] == 0:
            raise ValueError(f"{type(self).__name__}: x has shape {x.shape}; expected (N, T, {self.n_in}): examples, at least "
                             "one step, inputs; x[None] makes a batch of one sequence")
        states, final = self.initial(state, len(x)), []
        for layer in range(self.num_layers):
            outputs = []
            for suffix in self.suffixes(layer):
                parameters = [getattr(self, part + suffix) for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
                backwards = suffix.endswith("reverse")
                output, *last = self.layer(x[:, ::-1] if backwards else x, *(s[len(final)] for s in states), *parameters)
                outputs.append(output[:, ::-1] if backwards else output)
                final.append(last)
            x = outputs[0] if len(outputs) == 1 else concatenate(outputs, axis=2)       # 2 of (N, T, H) -> (N, T, 2H)
        state = tuple(parts[0] if len(parts) == 1 else concatenate(parts) for parts in zip(*final))  # L (1, N, H) -> (L, N, H)
        return x, state if self.n_states > 1 else state[0]

    def initial(self, state, n) -> tuple:
        """The states before the first step, each (layers, N, H), checked."""
        expected = self.num_layers * (2 if self.bidirectional else 1), n, self.n_hidden
        dtype = self.weight_ih_l0.dtype
        if state is None:
            return (np.zeros(expected, dtype),) * self.n_states
        if self.n_states == 1 and isinstance(state, (tuple, list)) and any(isinstance(s, Tensor) for s in state):
            raise TypeError(f"{type(self).__name__}: state is a {type(state).__name__} of Tensors; expected one, {expected}")
        states = state if self.n_states > 1 else (state,)
        if not isinstance(states, (tuple, list)) or len(states) != self.n_states:
            raise TypeError(f"{type(self).__name__}: state is a {type(state).__name__}; expected the pair (h, c)")
        for s in states:
            if np.shape(s) != expected:
                raise ValueError(f"{type(self).__name__}: a state has shape {np.shape(s)}; expected {expected}: layers and "
                                 "directions, examples, units")
        return tuple(as_input(s, dtype) for s in states)

    def layer(self, x, *states_and_parameters) -> tuple:
        """(output (N, T, H), *final states (1, N, H)) of one layer in one direction."""
        raise NotImplementedError

    def __repr__(self):
        more = f", num_layers={self.num_layers}" * (self.num_layers > 1) + ", bidirectional=True" * self.bidirectional
        return f"{type(self).__name__}({self.n_in}, {self.n_hidden}{more})"


class RNN(Recurrent):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_(t−1) + b_hh) (Elman 1990). Arguments and shapes: see Recurrent."""

    def layer(self, x, h, *parameters):
        output = rnn(x, h, *parameters)
        return output, output[None, :, -1]


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014, PyTorch's variant); gates r, z, n. Arguments and shapes: see Recurrent."""
    gates = 3

    def layer(self, x, h, *parameters):
        output = gru(x, h, *parameters)
        return output, output[None, :, -1]


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997, with Gers' forget gate); gates i, f, g, o.

    Arguments and shapes: see Recurrent. The state is a pair, (h, c).
    """
    gates, n_states = 4, 2

    def layer(self, x, h, c, *parameters):
        result = lstm(x, h, c, *parameters)                                             # (N, T + 1, H): h_1 ... h_T, c_T
        return result[:, :-1], result[None, :, -2], result[None, :, -1]
