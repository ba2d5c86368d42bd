"""Starting weights. Layers start as PyTorch's do; these are the classical alternatives.

    nn.init.nguyen_widrow(model)                # a whole model of tanh layers, for inputs in [−1, 1]
    nn.init.he_normal(layer.weight)             # one parameter

All write in place through `.data`, so an optimizer made before sees the new values. rng: None is the default Generator.
"""
import numpy as np

from ..autograd.settings import default_rng
from ..autograd.tensor import Tensor
from .layers import Linear
from .module import Module


def nguyen_widrow(model: Module, low=-1, high=1, rng=None):
    """Spread the active regions of each Linear layer's units evenly over the range of its inputs. For tanh units.

    For H units and n inputs in [−1, 1]: every row of weights has a random direction (for one input: a random sign)
    and the length β = 0.7 · H^(1/n); the biases are β · (−1 … 1, evenly spaced) · sign of the unit's first weight.
    A single unit, such as a model's one output, gets length 0.7 and bias 0. Hidden layers see the outputs of tanh, in
    [−1, 1]; the first layer sees [low, high], and takes over the map u = 2(x − low)/(high − low) − 1 to [−1, 1].

    low, high: numbers (default −1, 1) or arrays (n_in,): the range of each input of the first Linear. Better scale the
    inputs to [−1, 1]: it starts from the same function, but on sin(x²), x in [0, 3π], Levenberg–Marquardt then reaches
    1e-7 in 200 iterations, and 1e-1 without: its steps depend on the scale of the weights.
    Raises ValueError where low is not below high, or for a model without a Linear.
    Nguyen & Widrow 1990, Improving the learning speed of 2-layer neural networks, IJCNN III, 21–26.
    MATLAB's `initnw` differs: hidden weights twice as large, the output layer uniform in (−1, 1).
    """
    rng = default_rng(rng)
    layers = [module for module in model.modules() if isinstance(module, Linear)]
    if not layers:
        raise ValueError(f"nguyen_widrow: {type(model).__name__} has no Linear layer")
    low, high = np.asarray(low, float), np.asarray(high, float)
    if not (low < high).all():
        raise ValueError(f"nguyen_widrow: low is {low}, high is {high}; low must be below high for every input")
    for layer in layers:
        units, inputs = layer.weight.shape
        length = 0.7 * units ** (1 / inputs)
        w = rng.standard_normal((units, inputs))
        w *= length / np.linalg.norm(w, axis=1, keepdims=True)          # (H, n): each row of norm β
        b = length * np.linspace(-1, 1, units) * np.sign(w[:, 0]) if units > 1 else np.zeros(1)     # (H,)
        if layer is layers[0]:                                          # w·u + b, with u = slope · x + offset
            slope, offset = 2 / (high - low), -(high + low) / (high - low)
            w, b = w * slope, b + w @ np.broadcast_to(offset, inputs)   # (H, n) @ (n,) -> (H,)
        layer.weight.data = w
        if layer.bias is not None:
            layer.bias.data = b


def fans(tensor: Tensor, who: str) -> tuple:
    """(inputs of one unit, units that one input reaches) of a weight (n_out, n_in, ...); ...: a filter's area."""
    if tensor.ndim < 2:
        raise ValueError(f"{who}: the tensor has shape {tensor.shape}; expected a weight (n_out, n_in, ...)")
    area = int(np.prod(tensor.shape[2:]))
    return tensor.shape[1] * area, tensor.shape[0] * area


def xavier_uniform(tensor: Tensor, gain: float = 1, rng=None):
    """Uniform in ±gain · √(6/(fan_in + fan_out)): keeps the variance of signals and gradients alike. For tanh, sigmoid.

    tensor: a weight (n_out, n_in, ...). gain: default 1; 5/3 is usual for deep tanh networks. Raises ValueError for
    fewer than 2 axes. Glorot & Bengio 2010, Understanding the difficulty of training deep networks, eq. 16.
    """
    bound = gain * np.sqrt(6 / sum(fans(tensor, "xavier_uniform")))
    tensor.data = default_rng(rng).uniform(-bound, bound, tensor.shape)


def he_normal(tensor: Tensor, rng=None):
    """Normal with standard deviation √(2/fan_in): relu sets half of the signal to 0, and the 2 makes up for it.

    tensor: a weight (n_out, n_in, ...). Raises ValueError for fewer than 2 axes.
    He et al. 2015, Delving deep into rectifiers, eq. 10.
    """
    fan_in, _ = fans(tensor, "he_normal")
    tensor.data = np.sqrt(2 / fan_in) * default_rng(rng).standard_normal(tensor.shape)


def orthogonal(tensor: Tensor, gain: float = 1, rng=None):
    """A random matrix with orthonormal rows (or columns, if there are fewer), times gain: it keeps lengths.

    tensor: a weight (n_out, n_in, ...), seen as a matrix (n_out, n_in · ...). Raises ValueError for fewer than 2 axes.
    Saxe, McClelland & Ganguli 2014, Exact solutions to the nonlinear dynamics of learning in deep linear networks.
    """
    rows, columns = tensor.shape[0], fans(tensor, "orthogonal")[0]
    short, long = sorted((rows, columns))
    q, r = np.linalg.qr(default_rng(rng).standard_normal((long, short)))
    q *= np.sign(np.diag(r))                    # else the signs are qr's choice, and q is not uniformly distributed
    tensor.data = gain * (q if rows >= columns else q.T).reshape(tensor.shape)
