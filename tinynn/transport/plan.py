"""What goes into a problem of transport, checked: weights and costs; and what comes out of it: where a plan sends things."""
import numpy as np

from ..autograd.tensor import Tensor, as_array
from ..ops import sum
from ..scaling import as_finite_floats


def squared_distances(x, y):
    """C (n, m), Cᵢⱼ = |xᵢ − yⱼ|², of points x (n, d) and y (m, d); a Tensor if one of them is.

    All points are moved by the mean of x first, a constant: that changes no distance, and where they are far from 0 it saves
    digits. What should be 0 may still come out a rounding below: take np.maximum(C, 0) before a root.
    """
    x, y = floats(x), floats(y)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"squared_distances: x has shape {x.shape}, y has {y.shape}; expected (n, d) and (m, d)")
    centre = as_array(x).sum(axis=0) / max(len(x), 1)                               # (d,); no points are no mistake
    x, y = x - centre, y - centre
    return sum(x * x, axis=1)[:, None] + sum(y * y, axis=1) - 2 * (x @ y.swapaxes(0, 1))    # (n, d) @ (d, m) -> (n, m)


def barycentric_map(P, y):
    """Where the plan P (n, m) sends each row: the mean of the targets y (m, d), weighted by its row; (n, d).

    ValueError: the shapes do not fit, or nothing leaves a place, so that it goes nowhere.
    """
    P, y = np.asarray(P), np.asarray(y)
    if P.ndim != 2 or y.ndim != 2 or P.shape[1] != len(y):
        raise ValueError(f"barycentric_map: P has shape {P.shape}, y has {y.shape}; expected (n, m) and (m, d)")
    sums = P.sum(axis=1, keepdims=True)                                             # (n, 1)
    if not (sums > 0).all():
        raise ValueError(f"barycentric_map: row {int(np.argmin(sums > 0))} of P sums to {sums.min():g}; expected more than 0: "
                         "leave out places without weight")
    return (P @ y / sums).astype(y.dtype if y.dtype.kind == "f" else np.float64)    # (n, m) @ (m, d) -> (n, d)


def floats(x, dtype=np.float64):
    """x, an array or a Tensor, of floats (complex: a gradient check); ints in that dtype, as they have no gradient to lose."""
    x = x if isinstance(x, Tensor) else np.asarray(x)
    return x if x.dtype.kind in "fc" else x.astype(dtype)


def weights(name, a, n):
    """a (n,) as float64 that add up to 1 to the last bit or so; None: all equal. ValueError: they don't, or are negative."""
    if a is None:
        return np.full(n, 1 / n)
    a = as_finite_floats(name, as_array(a)).astype(np.float64)
    if a.shape != (n,):
        raise ValueError(f"{name} has shape {a.shape}; expected ({n},), a weight for each place, or None for equal weights")
    if (a < 0).any() or np.abs(a.sum() - 1) > 1e-5:
        raise ValueError(f"{name} has weights from {a.min():.3g} up that add up to {a.sum():.8g}; expected weights from 0 up "
                         "that add up to 1; divide them by their sum")
    return a / a.sum()


def problem(name, a, b, C):
    """Weights (float64) and costs, checked. ValueError: one does not fit."""
    C = as_finite_floats(f"{name}: C", C)
    if C.ndim != 2 or 0 in C.shape:
        raise ValueError(f"{name}: C has shape {C.shape}; expected (n, m), a cost for each pair of places")
    return weights(f"{name}: a", a, C.shape[0]), weights(f"{name}: b", b, C.shape[1]), C
