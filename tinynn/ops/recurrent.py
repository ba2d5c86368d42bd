"""Recurrent layers: the same step again and again, each from the state that the last one left.

Each comes twice: as `rnn_steps`, `gru_steps`, `lstm_steps`, a loop over ops that reads like the textbook and that the
engine differentiates by itself, to any order; and as the ops `rnn`, `gru`, `lstm`, which compute the same in kernels
(kernels/recurrent.py: backpropagation through time by hand), ten times faster. The ops' second derivatives are those of
the loops. Shapes: N examples, T steps, D inputs, H units; x (N, T, D), states (N, H); weights as PyTorch's,
W_ih (kH, D), W_hh (kH, H), b_ih, b_hh (kH,), with k = 1, 3, 4 gates one above the other.
"""
import numpy as np

from ..autograd.backward import reference_vjp
from ..autograd.op import op, saved
from ..autograd.tensor import Tensor
from ..kernels import recurrent as kernels
from .activations import sigmoid
from .elementary import tanh
from .products import linear
from .shaping import stack


# --- as the textbook has it ------------------------------------------------------------------------------------------

def rnn_steps(x, h, W_ih, W_hh, b_ih, b_hh):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_(t−1) + b_hh). Returns h_1 ... h_T, (N, T, H)."""
    states = []
    for t in range(x.shape[1]):
        h = tanh(linear(x[:, t], W_ih, b_ih) + linear(h, W_hh, b_hh))               # (N, H)
        states.append(h)
    return stack(states, axis=1)                                                    # T of (N, H) -> (N, T, H)


def gru_steps(x, h, W_ih, W_hh, b_ih, b_hh):
    """r, z = σ(...): reset, update; n = tanh(W x_t + b + r (W' h_(t−1) + b')); h_t = (1 − z) n + z h_(t−1)."""
    H, states = h.shape[1], []
    for t in range(x.shape[1]):
        u, v = linear(x[:, t], W_ih, b_ih), linear(h, W_hh, b_hh)                   # (N, 3H) each
        r, z = sigmoid(u[:, :H] + v[:, :H]), sigmoid(u[:, H:2 * H] + v[:, H:2 * H])
        n = tanh(u[:, 2 * H:] + r * v[:, 2 * H:])
        h = (1 - z) * n + z * h
        states.append(h)
    return stack(states, axis=1)                                                    # T of (N, H) -> (N, T, H)


def lstm_steps(x, h, c, W_ih, W_hh, b_ih, b_hh):
    """i, f, o = σ(...): input, forget, output; g = tanh(...); c_t = f c_(t−1) + i g; h_t = o tanh(c_t).

    Returns h_1 ... h_T and, in the row after them, c_T: (N, T + 1, H).
    """
    H, states = h.shape[1], []
    for t in range(x.shape[1]):
        z = linear(x[:, t], W_ih, b_ih) + linear(h, W_hh, b_hh)                     # (N, 4H)
        i, f, o = sigmoid(z[:, :H]), sigmoid(z[:, H:2 * H]), sigmoid(z[:, 3 * H:])
        c = f * c + i * tanh(z[:, 2 * H:3 * H])
        h = o * tanh(c)
        states.append(h)
    return stack([*states, c], axis=1)                                              # T + 1 of (N, H) -> (N, T + 1, H)


# --- in one call ------------------------------------------------------------------------------------------------------

@op(shapes="(n,t,d),(n,h),(k,d),(k,h),(k),(k)->(n,t,h)")
def rnn(x, h0, W_ih, W_hh, b_ih, b_hh):
    """`rnn_steps` of a whole sequence. x (N, T, D), h0 (N, H) -> h_1 ... h_T (N, T, H)."""
    x = time_first(x)
    z = from_inputs(x, W_ih, b_ih + b_hh, h0, W_hh)
    h = kernels.rnn_forward(z, dense(h0), dense(W_hh))
    return saved(h[1:].swapaxes(0, 1), (x, h))                                      # (T, N, H) -> (N, T, H)


@rnn.vjp
def _(g, x, h0, W_ih, W_hh, b_ih, b_hh, saved):
    if isinstance(g, Tensor):
        return reference_vjp(rnn_steps, g, x, h0, W_ih, W_hh, b_ih, b_hh)
    x, h = saved
    dz, dh0 = kernels.rnn_backward(h, dense(W_hh), time_first(g))
    db = column_sums(dz)
    return to_inputs(dz, W_ih), dh0, product(dz, x), product(dz, h[:-1]), db, db


@op(shapes="(n,t,d),(n,h),(k,d),(k,h),(k),(k)->(n,t,h)")
def gru(x, h0, W_ih, W_hh, b_ih, b_hh):
    """`gru_steps` of a whole sequence. x (N, T, D), h0 (N, H) -> h_1 ... h_T (N, T, H)."""
    x = time_first(x)
    u = from_inputs(x, W_ih, b_ih, h0, W_hh)
    h, v_n = kernels.gru_forward(u, dense(h0), dense(W_hh), dense(b_hh))
    return saved(h[1:].swapaxes(0, 1), (x, u, h, v_n))                              # (T, N, H) -> (N, T, H)


@gru.vjp
def _(g, x, h0, W_ih, W_hh, b_ih, b_hh, saved):
    if isinstance(g, Tensor):
        return reference_vjp(gru_steps, g, x, h0, W_ih, W_hh, b_ih, b_hh)
    x, gates, h, v_n = saved
    du, dv, dh0 = kernels.gru_backward(gates, h, v_n, dense(W_hh), time_first(g))
    return to_inputs(du, W_ih), dh0, product(du, x), product(dv, h[:-1]), column_sums(du), column_sums(dv)


@op(shapes="(n,t,d),(n,h),(n,h),(k,d),(k,h),(k),(k)->(n,t,h)")
def lstm(x, h0, c0, W_ih, W_hh, b_ih, b_hh):
    """`lstm_steps` of a whole sequence. x (N, T, D), h0, c0 (N, H) -> h_1 ... h_T, c_T (N, T + 1, H)."""
    W = dense(side_by_side(W_hh, W_ih, b_ih + b_hh))
    y, *memory = kernels.lstm_forward(*map(dense, (x, h0, c0)), W)
    return saved(y, (*memory, W))


@lstm.vjp
def _(g, x, h0, c0, W_ih, W_hh, b_ih, b_hh, saved):
    if isinstance(g, Tensor):
        return reference_vjp(lstm_steps, g, x, h0, c0, W_ih, W_hh, b_ih, b_hh)
    dx, dh0, dc0, dW = kernels.lstm_backward(dense(g), *saved)
    H = h0.shape[1]
    return dx, dh0, dc0, dW[:, H:-1], dW[:, :H], dW[:, -1], dW[:, -1]


def side_by_side(W_hh, W_ih, b):
    """All parameters as one matrix: (4H, H), (4H, D), (4H,) -> (4H, H + D + 1)."""
    return np.concatenate([W_hh, W_ih, b[:, None]], axis=1)


dense = np.ascontiguousarray            # a kernel is compiled anew for every memory layout: one will do


def time_first(x):
    """(N, T, K) -> (T, N, K): each step is one block of memory."""
    return dense(x.swapaxes(0, 1))


def from_inputs(x, W_ih, b, *others):
    """W_ih x + b for all steps at once: (T, N, D) -> (T, N, kH), in a dtype that holds the others, too."""
    T, N, D = x.shape
    z = np.dot(x.reshape(T * N, D), W_ih.T)                                         # (T·N, D) @ (D, kH) -> (T·N, kH)
    z += b
    return z.reshape(T, N, len(W_ih)).astype(np.result_type(z, *others), copy=False)


def to_inputs(dz, W_ih):
    """dL/dx from dL/dz: (T, N, kH) -> (N, T, D)."""
    T, N, K = dz.shape
    return np.dot(dz.reshape(T * N, K), W_ih).reshape(T, N, W_ih.shape[1]).swapaxes(0, 1)


def product(dz, a):
    """dL/dW for z = W a, summed over steps and examples: (T, N, K), (T, N, D) -> (K, D)."""
    T, N, K = dz.shape
    return np.dot(dz.reshape(T * N, K).T, a.reshape(T * N, a.shape[2]))             # (K, T·N) @ (T·N, D) -> (K, D)


def column_sums(dz):
    """(T, N, K) -> (K,); a product with ones is four times as fast as sum."""
    T, N, K = dz.shape
    return np.dot(np.ones(T * N, dz.dtype), dz.reshape(T * N, K))
