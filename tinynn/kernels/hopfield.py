"""Asynchronous recall of many states: one unit at a time, so that Python loops take long."""
import numpy as np

from .registry import helper, kernel, prange

TIE = 1e-9          # a field closer to 0 than this is 0 but for rounding: a ±1 unit then keeps its state


@kernel
def recall_asynchronously(W, b, states, orders, saturating, tolerance):
    """Let the units of each state look at the others in turn, sweep after sweep; changes `states` in place.

    W (N, N), b (N,), states (M, N); orders (S, N): in sweep s the units take turns in the order orders[s].
    saturating: True for xᵢ ← min(max(hᵢ, −1), 1), False for xᵢ ← sign(hᵢ), with the field h = Wx + b.
    Returns (M,) ints: the number of sweeps after which no unit of that state moved by more than `tolerance` any more;
    S if in the last sweep one still did.
    """
    sweeps = np.full(len(states), len(orders))
    for s, order in enumerate(orders):
        before = states.copy()
        for i in order:
            field = states @ W[i] + b[i]                                # (M, N) @ (N,) -> (M,)
            if saturating:
                states[:, i] = np.clip(field, -1, 1)
            else:
                states[:, i] = np.where(np.abs(field) < TIE, states[:, i], np.sign(field))
        settled = sweeps < s                                            # by an earlier sweep: they stay as they are
        states[settled] = before[settled]
        still = np.abs(states - before).max(axis=1, initial=0) <= tolerance
        sweeps[still & ~settled] = s
    return sweeps


@recall_asynchronously.numba(parallel=True)
def _(W, b, states, orders, saturating, tolerance):
    # The fields of all units are kept up to date: a unit that stays costs one comparison, one that moves N products. But not
    # in the first sweep, if it starts from huge numbers: their rounding would stay in the fields.
    sweeps = np.full(len(states), len(orders))
    fields = np.dot(states, W.T) + b                                    # (M, N) @ (N, N) -> (M, N)
    columns = W.T.copy()                                                # columns[i] is column i of W
    for m in prange(len(states)):
        x, h = states[m], fields[m]
        huge = np.abs(x).max() > 1e6
        for s in range(len(orders)):
            kept = s > 0 or not huge
            if s == 1 and huge:
                for i in range(len(h)):
                    h[i] = field(W[i], x, b[i])
            moved = 0.0
            for i in orders[s]:
                if not kept:
                    h[i] = field(W[i], x, b[i])
                if saturating:
                    new = min(max(h[i], -1.0), 1.0)
                elif abs(h[i]) < TIE:
                    new = x[i]
                else:
                    new = np.sign(h[i])
                step = new - x[i]
                if step != 0:
                    moved = max(moved, abs(step))
                    x[i] = new
                    column = columns[i]
                    if kept:
                        for j in range(len(h)):
                            h[j] += step * column[j]
            if moved <= tolerance:
                sweeps[m] = s
                break
    return sweeps


@helper
def field(w, x, bias):
    """wᵀx + bias."""
    total = bias
    for j in range(len(x)):
        total += w[j] * x[j]
    return total
