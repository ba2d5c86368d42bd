"""Hopfield networks: memories as the valleys of an energy.

N units, symmetric weights W, biases b. Each unit looks at its field, hᵢ = Σⱼ wᵢⱼxⱼ + bᵢ, and follows it:

    sign:        xᵢ ← sign(hᵢ)                  states ±1; hᵢ = 0 leaves xᵢ as it is (Hopfield 1982)
    saturating:  xᵢ ← min(max(hᵢ, −1), 1)       states in [−1, 1] (MATLAB's satlins)

Started near a stored pattern the state runs into it: recall by content. hopfield_rules.py says how to choose W and b;
modern_hopfield.py is the same idea in the shape of attention.

The energy that never rises, and why:
- sign, one unit at a time: E(x) = −½xᵀWx − bᵀx. A unit that flips adds −2|hᵢ| − 2wᵢᵢ to it: wᵢᵢ ≥ 0 is all it takes.
- sign, all at once: E may rise, and two states may swap for ever. What falls is the energy of a pair of successive
  states, E(x, x') = −xᵀWx' − bᵀ(x + x') (Goles, Fogelman & Pellegrin 1985), so nothing longer than a swap repeats.
- saturating: E(x) = −½xᵀ(W − I)x − bᵀx. Its gradient is x − h, so the update is a step of length 1 downhill, cut off at
  the walls; it descends as the curvature I − W has no eigenvalue above 2. (−½xᵀWx, without the I, does rise.)
"""
import warnings

import numpy as np

from ..autograd.settings import default_rng
from ..kernels.hopfield import TIE, recall_asynchronously
from .fixed_points import FixedPoint, saturating_fixed_points, sign_fixed_points
from .hopfield_rules import capacity, hebb, li_michel_porod, pseudo_inverse, storkey
from .recall import Recall, as_states, check_limits, iterate

RULES = {"li-michel-porod": li_michel_porod, "hebb": hebb, "storkey": storkey, "pseudo-inverse": pseudo_inverse}
MODES = ("synchronous", "asynchronous")


class Hopfield:
    """A network that remembers `patterns`, (Q, N) with entries ±1, one in each row.

    rule: "li-michel-porod" (default; saturating units), "hebb", "storkey" or "pseudo-inverse" (sign units).
    Attributes: W (N, N), b (N,), patterns, rule, saturating. Raises ValueError for entries other than ±1 and for
    duplicates; warns if there are more patterns than the rule can hold.
    """

    def __init__(self, patterns, rule: str = "li-michel-porod"):
        if rule not in RULES:
            raise ValueError(f"Hopfield: rule is {rule!r}; expected one of {', '.join(RULES)}")
        self.patterns, self.rule, self.saturating = as_patterns(patterns), rule, rule == "li-michel-porod"
        stored, n = self.patterns.shape
        if stored > max(capacity(rule, n), 1):
            warnings.warn(f"{stored} patterns are more than {rule} can hold in {n} units, about {capacity(rule, n):.3g}: "
                          "expect errors", stacklevel=2)
        self.W, self.b = RULES[rule](self.patterns)

    def field(self, x):
        """h = Wx + b. x, h: (..., N)."""
        return x @ self.W + self.b                              # W is symmetric: W x for each row x

    def update(self, x) -> np.ndarray:
        """All units at once. x: (..., N)."""
        h = self.field(x)
        return np.clip(h, -1, 1) if self.saturating else np.where(np.abs(h) < TIE, x, np.sign(h))

    def energy(self, x, before=None):
        """The energy of states x (..., N) -> (...): see the top of this file. Takes Tensors, too.

        before: the state one update earlier, (..., N): the energy of the pair, for sign units updated all at once.
        """
        if before is not None:
            return -(x * self.field(before)).sum(-1) - before @ self.b
        return -((x @ self.W - x if self.saturating else x @ self.W) * x).sum(-1) / 2 - x @ self.b

    def recall(self, x, steps: int = 100, mode: str = "synchronous", rng=None, tolerance: float = 0.0,
               trajectory: bool = False) -> Recall:
        """Update the states x, (N,) or (M, N), until nothing changes, or `steps` times.

        x: any finite numbers; from the first update on they are states, but for sign units whose field is 0. mode:
        "synchronous" (default), all units at once, or "asynchronous", one after the other in an order drawn from `rng` for
        each step. tolerance: no unit moved more than this counts as no change; default 0. trajectory: keep all states.
        """
        if mode not in MODES:
            raise ValueError(f'Hopfield.recall: mode is {mode!r}; expected "synchronous" or "asynchronous"')
        check_limits(steps, tolerance)
        states = as_states(x, len(self.b))
        if mode == "synchronous":
            result = iterate(self.update, states, steps, tolerance, trajectory)
        else:
            result = self._one_by_one(states, steps, tolerance, default_rng(rng), trajectory)
        return result.one() if np.ndim(x) == 1 else result

    def _one_by_one(self, x, steps, tolerance, rng, trajectory) -> Recall:
        orders = rng.permuted(np.tile(np.arange(len(self.b)), (steps, 1)), axis=1)      # (steps, N)
        path, count = [x.copy()], np.full(len(x), steps)
        if trajectory:                                                                  # sweep by sweep
            for t in range(steps):
                rows = np.flatnonzero(count == steps)                                   # those that still move
                some = x[rows]
                moved = recall_asynchronously(self.W, self.b, some, orders[t:t + 1], self.saturating, tolerance)
                x[rows], count[rows[moved == 0]] = some, t
                path.append(x.copy())
                if not moved.any():
                    break
        else:
            count = recall_asynchronously(self.W, self.b, x, orders, self.saturating, tolerance)
        reason = np.where(count < steps, "converged", "step limit").astype(object)
        return Recall(x, count, reason, np.array(path) if trajectory else None)

    def fixed_points(self) -> list[FixedPoint]:
        """All states that the update leaves as they are, exactly, with their kind; see fixed_points.py.

        Raises ValueError for more units than can be enumerated: 12 saturating, 20 with signs.
        """
        find = saturating_fixed_points if self.saturating else sign_fixed_points
        return find(self.W, self.b)


def as_patterns(patterns) -> np.ndarray:
    """patterns as floats (Q, N), checked."""
    patterns = np.asarray(patterns)
    if patterns.ndim != 2 or patterns.size == 0 or patterns.dtype.kind not in "iuf":
        raise ValueError(f"patterns has shape {patterns.shape} and dtype {patterns.dtype}; expected numbers (Q, N), one "
                         "pattern in each row")
    wrong = np.argwhere(np.abs(patterns.astype(float)) != 1)
    if len(wrong):
        q, i = wrong[0]
        raise ValueError(f"patterns[{q}, {i}] is {patterns[q, i]}; expected −1 or 1: np.where(images > 0, 1, -1), say")
    _, first, which = np.unique(patterns, axis=0, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[which.ravel()] != np.arange(len(patterns)))
    if len(again):
        raise ValueError(f"patterns[{again[0]}] is the same as patterns[{first[which.ravel()[again[0]]]}]; each may be "
                         "stored once: np.unique(patterns, axis=0)")
    return patterns.astype(float)
