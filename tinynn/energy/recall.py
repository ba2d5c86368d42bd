"""Iterating a network's update until nothing changes, for a batch of states; what it returns."""
from typing import Callable, NamedTuple

import numpy as np

from ..arguments import check_count


class Recall(NamedTuple):
    """What `recall` returns, for a batch of M states (without the M axis for a single one). What swaps two states ends where
    that shows, but goes on in a trajectory.

    states (M, N): where they ended. steps (M,): how many updates of all units it took until nothing changed any more.
    reason (M,): "converged", "swaps two states", or "step limit". trajectory (T + 1, M, N): all states on the way, the
    start first, if it was asked for; else None.
    """
    states: np.ndarray
    steps: np.ndarray
    reason: np.ndarray
    trajectory: np.ndarray | None

    def one(self) -> "Recall":
        """Without the M axis: of the first state only."""
        return Recall(self.states[0], self.steps[0], self.reason[0],
                      None if self.trajectory is None else self.trajectory[:, 0])


def iterate(update: Callable, x, steps: int, tolerance: float, trajectory: bool) -> Recall:
    """Apply `update`, (M, N) -> (M, N), until every state moves no more or swaps with one other, at most `steps` times."""
    count, reason = np.full(len(x), steps), np.full(len(x), "step limit", dtype=object)
    active, before = np.arange(len(x)), np.full_like(x, np.nan)         # the states that still move; those before x
    path, ends = [x.copy()], x.copy()
    for t in range(steps):
        new = update(x[active])
        still = np.abs(new - x[active]).max(axis=1) <= tolerance
        swaps = ~still & (new == before[active]).all(axis=1) & (reason[active] == "step limit")
        ends[active[swaps]] = new[swaps]
        for here, why in ((still, "converged"), (swaps, "swaps two states")):
            count[active[here]], reason[active[here]] = t, why
        before[active], x[active] = x[active], new
        active = active[~still]                                         # what swaps goes on, for the trajectory
        if trajectory:
            path.append(x.copy())
        if (reason != "step limit").all():
            break
    x = np.where((reason == "swaps two states")[:, None], ends, x)
    return Recall(x, count, reason, np.array(path) if trajectory else None)


def as_states(x, n: int) -> np.ndarray:
    """A copy of x as floats (M, n), checked."""
    x = np.atleast_2d(x)
    if x.ndim != 2 or x.shape[1] != n or x.dtype.kind not in "iuf":
        raise ValueError(f"x has shape {x.shape} and dtype {x.dtype}; expected numbers ({n},) or (M, {n}): the network has "
                         f"{n} units")
    bad = np.argwhere(~np.isfinite(x))
    if len(bad):
        raise ValueError(f"x[{', '.join(map(str, bad[0]))}] is {x[tuple(bad[0])]}; expected finite numbers")
    return np.array(x, dtype=float)


def check_limits(steps, tolerance):
    """Raise ValueError unless steps is an int >= 1 and tolerance >= 0."""
    check_count("recall: steps", steps)
    if not tolerance >= 0:
        raise ValueError(f"recall: tolerance is {tolerance}; expected a number >= 0")
