"""Give Tensor its operators, its methods, and NumPy's functions: `x + 1`, `x.sum(0)`, `np.exp(x)` all call an op.

Nothing is computed here. NumPy offers two protocols by which an array-like answers for itself: `__array_ufunc__` for
ufuncs (np.exp, np.add, and so every `array + tensor`), `__array_function__` for the rest (np.sum, np.concatenate).
"""
import numpy as np

from ..autograd import primitives
from ..autograd.tensor import Tensor, as_array
from . import activations, arithmetic, elementary, products, reductions, shaping


def dot(a, b):
    """np.dot: the product of numbers, vectors and matrices."""
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return arithmetic.multiply(a, b)
    if np.ndim(b) > 2:                  # here np.dot pairs every matrix of a with every matrix of b; matmul does not
        raise TypeError(f"np.dot: b has {np.ndim(b)} axes, and at most 2 work on Tensors; use tn.matmul or tn.einsum")
    return products.matmul(a, b)


UFUNCS = {
    np.add: primitives.add, np.subtract: arithmetic.subtract, np.multiply: arithmetic.multiply,
    np.true_divide: arithmetic.divide, np.negative: arithmetic.negative, np.power: arithmetic.power,
    np.float_power: arithmetic.power, np.absolute: arithmetic.abs, np.sign: arithmetic.sign,
    np.maximum: arithmetic.maximum, np.minimum: arithmetic.minimum, np.log: arithmetic.log,
    np.exp: elementary.exp, np.log1p: elementary.log1p, np.sqrt: elementary.sqrt, np.sin: elementary.sin,
    np.cos: elementary.cos, np.tanh: elementary.tanh, np.matmul: products.matmul,
    np.square: lambda x: arithmetic.multiply(x, x),
}

# Questions about values, which have no gradient: answered from the arrays.
QUERIES = {np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal, np.isfinite, np.isnan, np.isinf,
           np.signbit, np.logical_not, np.logical_and, np.logical_or,
           np.shape, np.ndim, np.size, np.allclose, np.array_equal, np.isclose, np.argmax, np.argmin, np.argsort,
           np.zeros_like, np.ones_like, np.array2string, np.array_repr, np.array_str}

FUNCTIONS = {
    np.sum: reductions.sum, np.mean: reductions.mean, np.var: reductions.var, np.max: reductions.max,
    np.amax: reductions.max, np.min: reductions.min, np.amin: reductions.min, np.reshape: shaping.reshape,
    np.transpose: shaping.transpose,
    np.swapaxes: shaping.swapaxes, np.expand_dims: shaping.expand_dims, np.squeeze: shaping.squeeze,
    np.concatenate: shaping.concatenate, np.stack: shaping.stack, np.broadcast_to: primitives.broadcast_to,
    np.where: arithmetic.where, np.clip: arithmetic.clip, np.einsum: products.einsum,
    np.dot: dot,
}


def answer(function, table, args, kwargs):
    """Call the op that stands for a NumPy function."""
    if function in QUERIES:
        return function(*(as_array(a) for a in args), **{k: as_array(v) for k, v in kwargs.items()})
    if function not in table:
        raise TypeError(f"np.{function.__name__} has no differentiable counterpart here; use a tn function, write an "
                        "@tn.op, or, where no gradient is needed, pass tensor.numpy()")
    return table[function](*args, **kwargs)


def array_ufunc(self, ufunc, method, *inputs, **kwargs):
    """np.exp(tensor), array + tensor, ..."""
    if method != "__call__":
        raise TypeError(f"np.{ufunc.__name__}.{method} does not work on Tensors; use a tn function such as tn.sum")
    if kwargs.get("out") is not None:
        raise TypeError(f"np.{ufunc.__name__} cannot write a Tensor into an array in place (out=, or array += tensor): "
                        "its gradient would be lost; write array = array + tensor")
    return answer(ufunc, UFUNCS, inputs, kwargs)


def array_function(self, function, types, args, kwargs):
    """np.sum(tensor), np.concatenate([tensor, array]), ..."""
    return answer(function, FUNCTIONS, args, kwargs)


Tensor.__array_ufunc__ = array_ufunc
Tensor.__array_function__ = array_function

Tensor.__add__ = lambda a, b: primitives.add(a, b)
Tensor.__radd__ = lambda a, b: primitives.add(b, a)
Tensor.__sub__ = lambda a, b: arithmetic.subtract(a, b)
Tensor.__rsub__ = lambda a, b: arithmetic.subtract(b, a)
Tensor.__mul__ = lambda a, b: arithmetic.multiply(a, b)
Tensor.__rmul__ = lambda a, b: arithmetic.multiply(b, a)
Tensor.__truediv__ = lambda a, b: arithmetic.divide(a, b)
Tensor.__rtruediv__ = lambda a, b: arithmetic.divide(b, a)
Tensor.__pow__ = lambda a, b: arithmetic.power(a, b)
Tensor.__rpow__ = lambda a, b: arithmetic.power(b, a)
Tensor.__matmul__ = lambda a, b: products.matmul(a, b)
Tensor.__rmatmul__ = lambda a, b: products.matmul(b, a)
Tensor.__neg__ = lambda a: arithmetic.negative(a)
Tensor.__abs__ = lambda a: arithmetic.abs(a)
Tensor.__getitem__ = lambda x, index: shaping.take(x, index)

# Comparisons are questions: bool arrays come back.
Tensor.__eq__ = lambda a, b: a._data == as_array(b)
Tensor.__ne__ = lambda a, b: a._data != as_array(b)
Tensor.__lt__ = lambda a, b: a._data < as_array(b)
Tensor.__le__ = lambda a, b: a._data <= as_array(b)
Tensor.__gt__ = lambda a, b: a._data > as_array(b)
Tensor.__ge__ = lambda a, b: a._data >= as_array(b)


def refuse_in_place(self, other):
    raise TypeError("a Tensor cannot be changed in place (+=, -=, ...), as a gradient may need the old values; "
                    "write x = x + y, or assign to a parameter's .data")


for name in ("iadd", "isub", "imul", "itruediv", "ipow", "imatmul"):
    setattr(Tensor, f"__{name}__", refuse_in_place)

for function in (reductions.sum, reductions.mean, reductions.var, reductions.max, reductions.min, arithmetic.abs,
                 arithmetic.clip, elementary.exp, elementary.sqrt, elementary.tanh, arithmetic.log, activations.sigmoid,
                 activations.relu, shaping.squeeze, shaping.swapaxes):
    setattr(Tensor, function.__name__, lambda x, *args, f=function, **kwargs: f(x, *args, **kwargs))


def reshape_method(x, *shape):
    """x.reshape(2, 3) or x.reshape((2, 3))."""
    return shaping.reshape(x, shape[0] if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)) else shape)


def transpose_method(x, *axes):
    """x.transpose(), x.transpose(1, 0) or x.transpose((1, 0))."""
    return shaping.transpose(x, axes[0] if len(axes) == 1 and not isinstance(axes[0], (int, np.integer)) else axes or None)


@primitives.op(shapes="(n)->(n)", analytic=False)
def astype(x, dtype):
    """x in another float dtype; the gradient comes back in that of x. As ints or bools it is a constant: rounding has none."""
    return x.astype(dtype)


@astype.vjp
def _(g):
    return g


Tensor.reshape = reshape_method
Tensor.transpose = transpose_method
Tensor.T = property(lambda x: shaping.transpose(x))
Tensor.astype = lambda x, dtype: astype(x, dtype) if np.dtype(dtype).kind in "fc" else Tensor(x.numpy().astype(dtype))
