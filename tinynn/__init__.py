"""tinynn: neural networks from scratch, to be read."""
from .autograd.backward import grad, hessian, hvp
from .autograd.jacobian import jacobian
from .autograd.op import op, saved
from .autograd.settings import default_dtype, detect_anomaly, no_grad, seed
from .autograd.tensor import Tensor
from .ops import *  # noqa: F401,F403
from .ops import __all__ as _ops

__all__ = ["Tensor", "default_dtype", "detect_anomaly", "grad", "hessian", "hvp", "jacobian", "no_grad", "op", "saved", "seed", *_ops]
