"""The cheapest plan, exactly: on a line by sorting, elsewhere by an assignment or by linear programmes. The package's
docstring says what a plan is."""
import numpy as np

from ..autograd.tensor import Tensor, as_array
from ..kernels import transport as kernels
from ..ops import abs, sqrt, sum
from ..scaling import as_finite_floats
from .plan import floats, problem, weights


def wasserstein_1d(x, y, p: int = 1, a=None, b=None):
    """The Wasserstein distance W_p = (min <|xᵢ − yⱼ|^p, P>)^(1/p) of weighted numbers: a Tensor () if x or y is one.

    On a line the cheapest plan keeps the order (PC, section 2.6): the lowest hundredth goes to the lowest hundredth.
    x (n,), y (m,): numbers or Tensors. p: 1 (default) or 2. a (n,), b (m,): their weights, see `emd`; constants.
    The gradient passes to x and y; for p = 2 there is none where the distance is 0. ValueError: bad input.
    """
    if p not in (1, 2):
        raise ValueError(f"wasserstein_1d: p is {p!r}; expected 1 or 2")
    for name, values in (("x", x), ("y", y)):
        real = np.real(values.data) if isinstance(values, Tensor) else values      # complex Tensors: a gradient check
        shape = as_finite_floats(f"wasserstein_1d: {name}", real).shape
        if len(shape) != 1 or not shape[0]:
            raise ValueError(f"wasserstein_1d: {name} has shape {shape}; expected (n,), with at least one number; points of "
                             "more dimensions go to emd or sinkhorn_divergence")
    x, y = floats(x), floats(y)
    a, b = weights("wasserstein_1d: a", a, len(x)), weights("wasserstein_1d: b", b, len(y))
    i, j, mass = in_order(np.real(as_array(x)), np.real(as_array(y)), a, b)
    apart, mass = x[i] - y[j], mass.astype(np.real(as_array(x)).dtype)              # (pieces,), at most n + m − 1
    return sum(mass * abs(apart)) if p == 1 else sqrt(sum(mass * apart * apart))


def in_order(x, y, a, b):
    """The plan that keeps the order, piece by piece: from place i to place j goes `mass`; three arrays (pieces,).

    Laid one after the other in order, the weights of x cut the line from 0 to 1 in n pieces, those of y in m. Between two
    cuts of either, all comes from one x and goes to one y.
    """
    i, j = np.argsort(x, kind="stable"), np.argsort(y, kind="stable")
    ends_x, ends_y = (ends / ends[-1] for ends in (np.cumsum(a[i]), np.cumsum(b[j])))
    rounding = 1e-15 * (len(x) + len(y))                        # 1/7 and 3/21, added up, are one cut
    near = np.minimum(np.searchsorted(ends_x, ends_y - rounding), len(x) - 1)
    ends_y = np.where(np.abs(ends_x[near] - ends_y) <= rounding, ends_x[near], ends_y)
    cuts = np.union1d(ends_x[:-1], ends_y[:-1])
    cuts = cuts[cuts < 1]
    edges = np.concatenate([[0.0], cuts, [1.0]])
    middle = (edges[1:] + edges[:-1]) / 2
    rank_x, rank_y = (np.minimum(np.searchsorted(ends, middle), len(ends) - 1) for ends in (ends_x, ends_y))
    return i[rank_x], j[rank_y], np.diff(edges)


def emd(a, b, C) -> np.ndarray:
    """The cheapest plan P (n, m), exactly; <C, P> is the "earth mover's distance".

    a (n,), b (m,): weights ≥ 0 that add up to 1; None: all equal. C (n, m): finite costs.
    As many places here as there, all weights equal: an assignment of rows to columns (Jonker & Volgenant 1987), by SciPy.
    Else linear programmes, see `cheapest_by_columns`: a tenth of a second for n = m = 500.
    For a pair that must not meet, give a cost that is large beside the others.
    To differentiate the cost: P is a constant in (P * C).sum(), as a small change of C changes the best P nowhere else than
    where two plans cost the same (PC, section 9.1). ValueError: bad input.
    """
    a, b, C = problem("emd", a, b, C)
    cost = C.astype(np.float64) - C.min()
    while True:
        P = cheapest(a, b, cost)
        # A way dearer than min(n, m) of those in this plan is in no cheapest one: no more of them take its place. All is
        # computed in units of the largest cost, so such a way ("never this pair: 1e12") would drown the others.
        limit = 2 * min(C.shape) * cost[P > 1e-15].max()
        if not 0 < limit < cost.max():
            return P.astype(C.dtype)
        cost = np.minimum(cost, limit)


def cheapest(a, b, C):
    """The cheapest plan, to some 1e-10 of the largest cost."""
    n, m = C.shape
    # Nearly the best prices, by Sinkhorn. With f + g taken off the costs the same plan is the cheapest, and found sooner.
    size = C.max() or 1.0
    for share in (0.01, 0.001):                     # first coarsely: alone, the fine one takes up to 3 times as long
        _, f, g, _, _ = kernels.sinkhorn(a, b, C, share * size, 0.01, 100)
        C = C - f[:, None] - g
    if n == m and np.ptp(a) == np.ptp(b) == 0:
        from scipy.optimize import linear_sum_assignment
        P = np.zeros((n, n))
        P[linear_sum_assignment(C)] = 1 / n
        return P
    return cheapest_by_columns(a, b, C)


def cheapest_by_columns(a, b, C):
    """The cheapest plan by linear programmes (HiGHS) in which few of the n·m ways i → j are open: column generation.

    The prices f (n,), g (m,) that come with the solution of one tell what a way that is shut would save, fᵢ + gⱼ − Cᵢⱼ. So
    open, for each row and column, the ways that would save the most, and solve again. When none would save anything, the
    prices prove that the plan is the cheapest of all: <C, P> = <f, a> + <g, b> ≤ the cost of any other plan, as
    fᵢ + gⱼ ≤ Cᵢⱼ (PC, proposition 2.4). With some 8 (n + m) ways to begin with, one round or two are usual; n·m ways at once
    take some 300 times as long (n = m = 500).
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array
    n, m = C.shape
    size = np.abs(C).max() or 1.0
    i, j, _ = in_order(np.arange(n), np.arange(m), a, b)
    ways = np.unique(np.concatenate([i * m + j, promising(C, 12)]))    # with the former, a plan exists
    while True:
        i, j = np.divmod(ways, m)
        k = np.arange(len(ways))
        sums = coo_array((np.ones(2 * len(k)), (np.concatenate([i, n + j]), np.concatenate([k, k]))), (n + m, len(k)))
        # In units in which costs and weights are about 1, as HiGHS forgives errors of so and so much.
        found = linprog(C[i, j] / size, A_eq=sums.tocsr(), b_eq=np.concatenate([a, b]) * (n + m), method="highs-ds", options={
            "presolve": False, "primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10})
        if found.status != 0:
            raise RuntimeError(f"emd: SciPy's linear programme did not end: {found.message}")
        prices = found.eqlin.marginals
        reduced = C / size - prices[:n, None] - prices[n:]
        reduced[i, j] = 0
        better = promising(reduced, 8)
        better = better[reduced.ravel()[better] < -1e-9]
        if not len(better):
            break
        ways = np.unique(np.concatenate([ways, better]))
    P = np.zeros((n, m))
    P[i, j] = np.maximum(found.x, 0) / (n + m)
    return P


def promising(reduced, k):
    """Where each row and each column has its k least entries: i · m + j of each, with repeats."""
    n, m = reduced.shape
    rows = np.argpartition(reduced, min(k, m) - 1, axis=1)[:, :k]                   # (n, k)
    columns = np.argpartition(reduced, min(k, n) - 1, axis=0)[:k]                   # (k, m)
    return np.concatenate([(np.arange(n)[:, None] * m + rows).ravel(), (columns * m + np.arange(m)).ravel()])
