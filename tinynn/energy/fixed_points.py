"""All fixed points of a small Hopfield network, by trying every possibility.

Saturating units: at a fixed point each unit is at −1, at 1, or free, in between. That makes 3ᴺ cases, and each is a
linear system for the free units F, given the others' walls s:
    x_F = W_FF x_F + W_FS s + b_F        with −1 < x_F < 1,  and h_S s ≥ 1 at the walls.
Sign units: 2ᴺ states, each compared with its update.

How the states around one move, the linearisation tells: a unit at a wall stays there for any small change; among the free
ones a small change is multiplied by W_FF. Eigenvalues of W_FF beyond ±1 are directions in which it grows.
"""
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from ..kernels.hopfield import TIE

LARGEST = {"saturating": 12, "sign": 20}            # half a million cases, a million states


class FixedPoint(NamedTuple):
    """state (N,). unstable: in how many directions a small change grows. kind: "stable" if in none, "repeller" if in as
    many as W can make grow (its eigenvalues beyond ±1), "saddle" between."""
    state: np.ndarray
    kind: str
    unstable: int


def saturating_fixed_points(W, b) -> list:
    """The fixed points of x ← min(max(Wx + b, −1), 1), as FixedPoints, the corners first."""
    n = check_size(b, "saturating")
    growing, points = unstable_directions(W), []
    for k in range(n + 1):                                          # k free units
        walls = np.array(list(product((-1.0, 1.0), repeat=n - k)))  # (2ⁿ⁻ᵏ, n − k)
        for F in map(list, combinations(range(n), k)):
            S = [i for i in range(n) if i not in F]
            x = np.empty((len(walls), n))
            x[:, S] = walls
            matrix = np.eye(k) - W[np.ix_(F, F)]
            if k and np.linalg.cond(matrix) > 1e12:                 # a line of fixed points, or none
                continue
            x[:, F] = np.linalg.solve(matrix, (walls @ W[np.ix_(S, F)] + b[F]).T).T + 0.0      # 0, not −0
            inside = (np.abs(x[:, F]) < 1 - TIE).all(axis=1)
            held = ((x @ W + b)[:, S] * walls >= 1 - TIE).all(axis=1)
            unstable = unstable_directions(W[np.ix_(F, F)])
            kind = "stable" if unstable == 0 else "repeller" if unstable == growing else "saddle"
            points += [FixedPoint(state, kind, unstable) for state in x[inside & held]]
    return points


def sign_fixed_points(W, b) -> list:
    """The states that sign(Wx + b) leaves as they are. All are stable: signs don't feel a small change."""
    n = check_size(b, "sign")
    points = []
    for high in product((-1.0, 1.0), repeat=max(n - 12, 0)):        # blocks of at most 4096 states
        low = np.array(list(product((-1.0, 1.0), repeat=min(n, 12))))
        x = np.hstack([np.broadcast_to(high, (len(low), len(high))), low])
        fixed = (x * (x @ W + b) > -TIE).all(axis=1)
        points += [FixedPoint(state, "stable", 0) for state in x[fixed]]
    return points


def unstable_directions(W) -> int:
    """How many eigenvalues of a symmetric W lie beyond ±1."""
    return int(np.sum(np.abs(np.linalg.eigvalsh(W)) > 1 + TIE)) if len(W) else 0


def check_size(b, units) -> int:
    """How many units there are; raises ValueError if they are too many to enumerate."""
    if len(b) > LARGEST[units]:
        raise ValueError(f"fixed_points: the network has {len(b)} units; up to {LARGEST[units]} {units} units can be "
                         "enumerated. Recall from many random states finds the stable ones")
    return len(b)
