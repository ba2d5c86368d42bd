"""Kernels come in twins: a NumPy reference that defines the meaning, a Numba loop that defines the speed.

    @kernel
    def adam(w, g, ...):            # the reference: plain NumPy; runs without Numba, and for complex numbers
        ...

    @adam.numba                     # the loop: the same arguments, the same effect
    def _(w, g, ...):
        for i in range(w.size):
            ...

Numba is imported, and a loop compiled, when a kernel is first called; the result is cached on disk next to the source
file, and compiled again when that file has changed. Numba does not look at *other* files: keep a loop and its helpers
in one file, or an edit of a helper has no effect.

A kernel exists only where a benchmark shows that it wins (`python -m benchmarks`).
"""
import os
from types import FunctionType

import numpy as np

from ..autograd.settings import Restore
from .threads import one_blas_thread_from_now_on

prange = range          # in a loop compiled with parallel=True this is numba.prange: its turns are shared among threads
registry = {}           # "module.name" -> Kernel: every pair, so that one test can compare them all


UNCOMPILED = "FDGeg"    # dtypes that run the reference: complex, float16, longdouble; and numbers of the other byte order


class Choice:
    """Which twin runs: "numba" (default) or "numpy"; the environment variable TINYNN_KERNELS sets it, too."""
    backend = "numba"


def use(backend: str):
    """Run the "numba" loops (default; the references where Numba is not installed) or the "numpy" references.

    A function, `tn.kernels.use("numpy")`, and a context manager, `with tn.kernels.use("numpy"):`.
    """
    if backend not in ("numpy", "numba"):
        raise ValueError(f'kernels.use: backend is {backend!r}; expected "numpy" or "numba"')
    before, Choice.backend = Choice.backend, backend
    return Restore(Choice, "backend", before)


use(os.environ.get("TINYNN_KERNELS", "numba"))


class Kernel:
    """A pair of twins; made by @kernel. Calling it runs the twin that `use` chose."""

    def __init__(self, reference):
        self.reference, self.loop, self.options, self.compiled = reference, None, {}, None
        self.__name__, self.__doc__, self.__module__ = reference.__name__, reference.__doc__, reference.__module__

    def numba(self, function=None, **options):
        """Decorator: the Numba twin. options: for numba.njit, such as parallel=True."""
        def attach(f):
            self.loop, self.options = f, options
            return f
        return attach if function is None else attach(function)

    def __call__(self, *args):
        if Choice.backend == "numpy":
            return self.reference(*args)
        for a in args:
            if type(a) is np.ndarray and (a.dtype.char in UNCOMPILED or not a.dtype.isnative):
                return self.reference(*args)
        if self.compiled is None:
            self.compiled = self.compile()
        return self.compiled(*args)

    def compile(self):
        """The loop, compiled; the reference if Numba is not there."""
        try:
            import numba
        except ImportError:
            import logging
            logging.getLogger("tinynn.kernels").warning("Numba is not installed: running the NumPy references")
            return self.reference
        if self.options.get("parallel"):
            one_blas_thread_from_now_on()
        # error_model="numpy": 1/0 is inf, as in NumPy, and the test for it does not keep a loop from being vectorised.
        options = {"error_model": "numpy", **self.options}
        names = self.loop.__globals__                        # those of the file in which the loop stands
        for name, value in names.items():
            if value is prange:
                names[name] = numba.prange
            elif type(value) is FunctionType and hasattr(value, "is_helper"):
                names[name] = numba.njit(**{**options, "parallel": False})(value)
        try:
            return numba.njit(cache=True, **options)(self.loop)
        except RuntimeError:                                 # nowhere to write the cache
            return numba.njit(**options)(self.loop)


def helper(function):
    """Decorator for a function that loops of the same file call: compiled when they are."""
    function.is_helper = True
    return function


def kernel(reference) -> Kernel:
    """Make a NumPy function the reference of a kernel; see the top of this file."""
    made = Kernel(reference)
    registry[f"{reference.__module__}.{reference.__name__}"] = made
    return made
