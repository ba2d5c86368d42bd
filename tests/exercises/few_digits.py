"""A handful of random "digits" in MNIST's format, for tests that train for a moment."""
import numpy as np

from tinynn.data import Dataset


def few_digits() -> Dataset:
    rng = np.random.default_rng(0)
    return Dataset(rng.random((40, 1, 28, 28), dtype=np.float32), np.arange(40) % 10,
                   rng.random((20, 1, 28, 28), dtype=np.float32), np.arange(20) % 10, "few digits", real=False)
