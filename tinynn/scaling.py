"""Scaling inputs and targets to [-1, 1], and back: MATLAB's `mapminmax`.

A tanh unit is at its best for inputs around 0 ± 1, and Nguyen-Widrow initialisation (nn/init.py) assumes that range.
So: fit a scale on the *training* rows only, train on scaled data, and take predictions back with `inverse`.

    scale_x, scale_t = MapMinMax.fit(x), MapMinMax.fit(t)
    ... train on scale_x(x), scale_t(t) ...
    prediction = scale_t.inverse(model(scale_x(x_new)).data)
"""
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class MapMinMax:
    """The map y = 2 (x - low) / (high - low) - 1, column by column, and its inverse. Made by `MapMinMax.fit(x)`.

    low, high: the smallest and largest value of each column; shape (D,), or () for data of shape (N,).
    Values outside [low, high] go outside [-1, 1]. A constant column (low = high) maps to 0, and comes back as its
    constant whatever it is given, as nothing else was known of it.
    """
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def fit(cls, x) -> "MapMinMax":
        """The scale of x, shape (N,) or (N, D), at least one row.

        ValueError: x has another shape, a value that is not finite, or a range beyond the largest float.
        """
        x = as_finite_floats("MapMinMax.fit", x)
        if x.ndim not in (1, 2) or len(x) == 0:
            raise ValueError(f"MapMinMax.fit: x has shape {x.shape}; expected (N,) or (N, D) with at least one row")
        low, high = x.min(axis=0), x.max(axis=0)
        with np.errstate(over="ignore"):
            overflow = ~np.isfinite(high - low)
        if overflow.any():
            raise ValueError("MapMinMax.fit: the range of x is larger than the largest float; divide x by 2 first")
        return cls(low, high)

    def __call__(self, x) -> np.ndarray:
        """x (N,) or (N, D), scaled; the same shape. ValueError: not finite, or not as wide as the data of `fit`."""
        x = self._checked("MapMinMax", as_finite_floats("MapMinMax", x))
        span, constant = self._span()
        return np.where(constant, 0, (x - self.low) / span * 2 - 1)

    def inverse(self, y) -> np.ndarray:
        """Back to the units of x; y (N,) or (N, D). NaN stays NaN, so that a diverged network still shows as such."""
        y = self._checked("MapMinMax.inverse", np.asarray(y))
        span, constant = self._span()
        return np.where(constant, self.low, (y + 1) / 2 * span + self.low)

    def _span(self):
        """(high - low with 1 for constant columns, which columns are constant)."""
        constant = self.low == self.high
        return np.where(constant, np.ones_like(self.low), self.high - self.low), constant

    def _checked(self, name, x):
        """x, if it is as wide as the data that the scale was fitted to."""
        if x.ndim != np.ndim(self.low) + 1 or x.shape[1:] != np.shape(self.low):
            expected = ", ".join(map(str, ("N", *np.shape(self.low))))
            raise ValueError(f"{name}: got shape {x.shape}; the scale was fitted to shape ({expected}); "
                             "fit another scale for other data")
        return x


def as_finite_floats(name, x):
    """x as an array of floats (its own float dtype, else float64), or a ValueError that names `name`."""
    x = np.asarray(x)
    if x.dtype.kind in "biu":
        x = x.astype(np.float64)
    if x.dtype.kind != "f":
        raise ValueError(f"{name}: x has dtype {x.dtype}; expected real numbers")
    bad = ~np.isfinite(x)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name}: x[{', '.join(map(str, where))}] is {x[where]}; remove or replace such rows first")
    return x
