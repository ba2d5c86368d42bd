"""The personal regression problem: five surfaces over the unit square, mixed by the digits of a student number.

From the exercises of the KU Leuven course on artificial neural networks. Every student gets a function of their own,
    T = (d1 T1 + d2 T2 + d3 T3 + d4 T4 + d5 T5) / (d1 + d2 + d3 + d4 + d5),
with the five largest digits d1 >= ... >= d5 of their number, and fits a network to samples of it.
"""
import numpy as np

from .dataset import Dataset, find
from .matlab import read_matlab
from .reading import damage_named

ROWS = 13600


def regression_problem(digits=(8, 8, 7, 5, 1)) -> Dataset:
    """The problem for `digits`: x_train (13600, 2) in (0, 1), y_train (13600,); no test set, so draw your own.

    digits: five from 0 to 9, not all 0, in any order (the largest goes with T1); the default is report B's.
    ValueError: other digits, or a damaged file, which is named.
    """
    if not np.iterable(digits) or len(digits) != 5 or any(d not in range(10) for d in digits) or not any(digits):
        raise ValueError(f"regression_problem: digits is {digits!r}; expected five digits from 0 to 9, not all 0")
    files = find("regression_problem")
    x, surfaces = read(*files) if files else stand_in()
    d = np.sort(digits)[::-1]
    return Dataset(x, surfaces @ d / d.sum(), None, None, name="regression problem", real=files is not None)


def read(path):
    """x (13600, 2) and the five surfaces (13600, 5) from the MATLAB file. ValueError, naming it: it is damaged."""
    columns = read_matlab(path, "X1", "X2", "T1", "T2", "T3", "T4", "T5")               # each (13600, 1)
    with damage_named(path):
        if any(column.shape != (len(columns[0]), 1) for column in columns):
            raise ValueError(f"its columns have the shapes {[column.shape for column in columns]}")
        return np.hstack(columns[:2]), np.hstack(columns[2:])


def stand_in():
    """Five smooth surfaces of our own, as wavy as the file's and in the same ranges; the same ones every time."""
    x = np.random.default_rng(1).uniform(size=(ROWS, 2))
    u, v = x.T
    surfaces = [
        2.2 + np.cos(6 * u) * u + 1.2 * np.sin(9 * v + 1),                      # hills in a row
        4.3 + 3.6 * (2 * u - 1) ** 3 * np.cos(6 * v),                           # flat inside, steep at two sides
        3.4 * (1 - np.exp(-6 * (u - 0.5) ** 2 - 4 * (v - 0.5) ** 2)),           # a bowl
        3.6 + 7.5 * (u - 0.4) * (v - 0.6),                                      # a saddle
        2.7 + 3.5 * np.sin(7 * u - 1) * np.sin(6 * v) * np.exp(u - 1),          # an egg box that grows
    ]
    return x, np.stack(surfaces, axis=1)
