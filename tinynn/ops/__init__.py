"""What can be differentiated: one function per op, with its value, its vjp and the maths.

Start with elementary.py (a line of calculus each), then arithmetic, activations, reductions, shaping, products.
operators.py hangs them all on Tensor.

A new op goes into one of these files, and its name into the imports and `__all__` here (then it is tn.NAME) and into DESCRIBED
in tests/ops/test_every_op.py (then its gradients are tested). If it is to be a layer as well: a Module in nn, and its name in
nn/__init__.py.
"""
from ..autograd.primitives import add, broadcast_to
from .activations import gelu, leaky_relu, relu, sigmoid, softplus
from .arithmetic import abs, clip, divide, log, maximum, minimum, multiply, negative, power, sign, subtract, where
from .convolution import conv2d, conv_transpose2d
from .elementary import cos, erf, exp, log1p, sin, sqrt, tanh
from .pooling import avg_pool2d, max_pool2d
from .products import einsum, linear, matmul
from .reductions import log_softmax, logsumexp, max, mean, min, softmax, sum, var
from .shaping import concatenate, expand_dims, getitem, pad, reshape, squeeze, stack, swapaxes, transpose
from . import operators  # noqa: F401  (gives Tensor its operators)

__all__ = [
    "abs", "add", "avg_pool2d", "broadcast_to", "clip", "concatenate", "conv2d", "conv_transpose2d", "cos", "divide",
    "einsum", "erf", "exp", "expand_dims", "gelu", "getitem", "leaky_relu", "linear", "log", "log1p", "log_softmax",
    "logsumexp", "matmul", "max", "max_pool2d", "maximum", "mean", "min", "minimum", "multiply", "negative", "pad", "power",
    "relu", "reshape", "sigmoid", "sign", "sin", "softmax", "softplus", "sqrt", "squeeze", "stack", "subtract", "sum",
    "swapaxes", "tanh", "transpose", "var", "where",
]
