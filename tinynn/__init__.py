"""tinynn: neural networks from scratch, to be read."""
import sys

from .autograd.backward import grad, hessian, hvp
from .autograd.check import GradientError, check_gradients
from .autograd.jacobian import jacobian
from .autograd.op import op, saved
from .autograd.settings import default_dtype, detect_anomaly, no_grad, seed
from .autograd.tensor import Tensor
from . import kernels, nn, optim
from .nn.summary import summary
from .ops import *  # noqa: F401,F403
from .ops import __all__ as _ops
from .memory import keep_freed_memory
from .train import evaluate, fit, load, save

__all__ = ["GradientError", "Tensor", "check_gradients", "data", "default_dtype", "detect_anomaly", "energy", "evaluate",
           "fit", "grad", "hessian", "hvp", "jacobian", "kernels", "load", "nn", "no_grad", "op", "optim", "projection",
           "save", "saved", "seed", "summary", "transport", "viz", *_ops]

keep_freed_memory()
if "IPython" in sys.modules:        # in a notebook Tensors and models show themselves as tables
    from . import viz  # noqa: F401


def __getattr__(name):
    """Parts that few programs need are imported when they are first used: tn.data loads modules that take a while."""
    if name in ("data", "energy", "projection", "transport", "viz"):
        from importlib import import_module
        return import_module("." + name, __name__)
    raise AttributeError(f"module 'tinynn' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
