"""The few switches of the engine: recording, anomaly checks, default dtype, random numbers.

Read tensor.py first; come back here when you meet `settings`.
"""
from contextlib import contextmanager

import numpy as np


class Settings:
    """One object that holds every switch, so that an op looks in one place. All threads of a process share it: let only one of
    them use `no_grad` and the like."""
    __slots__ = ("record", "anomaly", "dtype", "generator")

    def __init__(self):
        self.record = True                        # do ops remember how they were computed?
        self.anomaly = False                      # do ops and gradients refuse NaN and infinity?
        self.dtype = np.dtype(np.float64)         # of new parameters and of Python numbers
        self.generator = None                     # the default Generator, once somebody has asked for it

    @property
    def rng(self):
        """The default Generator. Made when first asked for: numpy.random takes as long to import as all of tinynn."""
        if self.generator is None:
            self.generator = np.random.default_rng(0)
        return self.generator


settings = Settings()


@contextmanager
def switched(holder, name, value):
    """Set `holder.name` to `value` for the length of a with block."""
    before = getattr(holder, name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        setattr(holder, name, before)


class Restore:
    """What a setter returns: leave it alone and the setting stays, `with` it and it is undone."""

    def __init__(self, holder, name, before):
        self.holder, self.name, self.before = holder, name, before

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        setattr(self.holder, self.name, self.before)


def no_grad():
    """`with tn.no_grad():` ops compute values and remember nothing. Works as a decorator, too."""
    return switched(settings, "record", False)


def detect_anomaly():
    """`with tn.detect_anomaly():` the first NaN or infinity raises FloatingPointError and names the op that made it.

    Covers forward values and, for a backward run inside the block, gradients.
    """
    return switched(settings, "anomaly", True)


def default_dtype(dtype=None):
    """Set the dtype of new parameters and of Tensors made from Python numbers: float64 (default) or float32.

    A function (`tn.default_dtype(np.float32)`) and a context manager (`with tn.default_dtype(np.float32):`).
    Without an argument it returns the dtype in force.
    """
    if dtype is None:
        return settings.dtype
    dtype, before = np.dtype(dtype), settings.dtype
    if dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"default_dtype: dtype is {dtype}; expected float32 or float64")
    settings.dtype = dtype
    return Restore(settings, "dtype", before)


def seed(n: int):
    """Restart the default Generator, from which every layer and loader draws unless it is given its own `rng`."""
    settings.generator = np.random.default_rng(n)


def default_rng(rng=None) -> "np.random.Generator":
    """`rng` itself, or the default Generator for None, or a new one for an int: how every `rng` argument is read."""
    if rng is None:
        return settings.rng
    if isinstance(rng, (int, np.integer)):
        return np.random.default_rng(rng)
    if isinstance(rng, np.random.Generator):
        return rng
    raise TypeError(f"rng is a {type(rng).__name__}; expected a numpy.random.Generator, an int seed or None")
