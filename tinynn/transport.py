"""Optimal transport: the cheapest way to move one heap of earth to where another lies, and how much that costs.

Weights a (n,) lie at n places, weights b (m,) are wanted at m others; from i to j a unit costs Cᵢⱼ. A plan P (n, m) says how
much goes from where to where:

    minimise <C, P> = Σᵢⱼ Cᵢⱼ Pᵢⱼ   over P ≥ 0 with   Σⱼ Pᵢⱼ = aᵢ,   Σᵢ Pᵢⱼ = bⱼ

    C = squared_distances(x, y)                 # x (n, d), y (m, d): costs (n, m)
    P = emd(None, None, C)                      # the cheapest plan, exactly; None: equal weights
    P = sinkhorn(None, None, C, eps=0.05)       # nearly the cheapest, blurred, much faster where n is large
    moved = barycentric_map(P, y)               # where each x goes, (n, d)
    wasserstein_1d(x, y)                        # numbers on a line need no plan: sort them

What a training loss may be made of takes Tensors: squared_distances, sinkhorn_cost, sinkhorn_divergence, wasserstein_1d.

Read wasserstein_1d first, then emd, then sinkhorn, whose iterations are in kernels/transport.py. All of it is in G. Peyré &
M. Cuturi, "Computational Optimal Transport", Foundations and Trends in Machine Learning 11 (2019); "PC" below. Plans are
computed in float64, and have the dtype of the costs. What it is good for: exercises/generative/optimal_transport.py.
"""
import warnings
from typing import NamedTuple

import numpy as np

from .autograd.backward import reference_vjp
from .autograd.op import op, saved
from .autograd.tensor import Tensor, as_array
from .kernels import transport as kernels
from .ops import abs, log, logsumexp, sqrt, sum
from .scaling import as_finite_floats

TOLERANCE, ITERATIONS = 1e-6, 10_000        # of Sinkhorn's iterations


# --- on a line ----------------------------------------------------------------------------------------------------------

def wasserstein_1d(x, y, p: int = 1, a=None, b=None):
    """The Wasserstein distance W_p = (min <|xᵢ − yⱼ|^p, P>)^(1/p) of weighted numbers: a Tensor () if x or y is one.

    On a line the cheapest plan keeps the order (PC, section 2.6): the lowest hundredth goes to the lowest hundredth.
    x (n,), y (m,): numbers or Tensors. p: 1 (default) or 2. a (n,), b (m,): their weights, see `emd`; constants.
    The gradient passes to x and y; for p = 2 there is none where the distance is 0. ValueError: bad input.
    """
    if p not in (1, 2):
        raise ValueError(f"wasserstein_1d: p is {p!r}; expected 1 or 2")
    for name, values in (("x", x), ("y", y)):
        shape = as_finite_floats(f"wasserstein_1d: {name}", np.real(as_array(values))).shape
        if len(shape) != 1 or not shape[0]:
            raise ValueError(f"wasserstein_1d: {name} has shape {shape}; expected (n,), with at least one number; points of "
                             "more dimensions go to emd or sinkhorn_divergence")
    x, y = (values if isinstance(values, Tensor) else floats(values) for values in (x, y))
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
    ends_x, ends_y = np.cumsum(a[i]), np.cumsum(b[j])
    cuts = np.union1d(ends_x[:-1], ends_y[:-1])
    cuts = cuts[cuts < 1]
    edges = np.concatenate([[0.0], cuts, [1.0]])
    middle = (edges[1:] + edges[:-1]) / 2
    rank_x, rank_y = (np.minimum(np.searchsorted(ends, middle), len(ends) - 1) for ends in (ends_x, ends_y))
    return i[rank_x], j[rank_y], np.diff(edges)


# --- exactly ------------------------------------------------------------------------------------------------------------

def emd(a, b, C) -> np.ndarray:
    """The cheapest plan P (n, m), exactly; <C, P> is the "earth mover's distance".

    a (n,), b (m,): weights ≥ 0 that add up to 1; None: all equal. C (n, m): finite costs.
    As many places here as there, all weights equal: an assignment of rows to columns (Jonker & Volgenant 1987), by SciPy.
    Else linear programmes, see `cheapest_by_columns`: half a second for n = m = 500.
    To differentiate the cost: P is a constant in (P * C).sum(), as a small change of C changes the best P nowhere else than
    where two plans cost the same (PC, section 9.1). ValueError: bad input.
    """
    a, b, C = problem("emd", a, b, C)
    (n, m), dtype, C = C.shape, C.dtype, C.astype(np.float64)
    # Nearly the best prices, by Sinkhorn. With f + g taken off the costs the same plan is the cheapest, and found sooner.
    _, f, g, _, _ = kernels.sinkhorn(a, b, C, 0.003 * np.abs(C).max() or 1.0, 0.01, 60)
    C = C - f[:, None] - g
    if n == m and np.ptp(a) == np.ptp(b) == 0:
        from scipy.optimize import linear_sum_assignment
        P = np.zeros((n, n))
        P[linear_sum_assignment(C)] = 1 / n
    else:
        P = cheapest_by_columns(a, b, C)
    return P.astype(dtype)


def cheapest_by_columns(a, b, C):
    """The cheapest plan by linear programmes (HiGHS) in which few of the n·m ways i → j are open: column generation.

    The prices f (n,), g (m,) that come with the solution of one tell what a way that is shut would save, fᵢ + gⱼ − Cᵢⱼ. So
    open, for each row and column, the ways that would save the most, and solve again. When none would save anything, the
    prices prove that the plan is the cheapest of all: <C, P> = <f, a> + <g, b> ≤ the cost of any other plan, as
    fᵢ + gⱼ ≤ Cᵢⱼ (PC, proposition 2.4). Three rounds are usual, with some 5 (n + m)
    ways; n·m at once take twenty times as long.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array
    n, m = C.shape
    size = np.abs(C).max() or 1.0
    i, j, _ = in_order(np.arange(n), np.arange(m), a, b)
    ways = np.unique(np.concatenate([i * m + j, promising(C, 5)]))     # with the former, a plan exists
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


# --- with entropy: Sinkhorn ---------------------------------------------------------------------------------------------

class Solution(NamedTuple):
    """Of `sinkhorn`: the plan (n, m), the potentials f (n,), g (m,): what a unit of weight costs at either end, how many
    iterations it took, and the error that is left."""
    plan: np.ndarray
    f: np.ndarray
    g: np.ndarray
    iterations: int
    error: float


def sinkhorn(a, b, C, eps: float, tol: float = TOLERANCE, max_iter: int = ITERATIONS) -> np.ndarray:
    """The plan P (n, m) that minimises <C, P> + ε KL(P | a bᵀ) (Cuturi 2013; PC, chapter 4).

    The entropy makes the plan unique and smooth, and the solution simple: Pᵢⱼ = aᵢ bⱼ e^((fᵢ + gⱼ − Cᵢⱼ)/ε), where f and g
    are found by making the sums of the rows right, those of the columns, those of the rows, ...

    a (n,), b (m,): weights ≥ 0 that add up to 1; None: all equal. C (n, m): finite costs.
    eps: ε > 0, in units of C. Large: P → a bᵀ, everything goes everywhere; small: P → the cheapest plan, in ever more
        iterations. Sensible: 0.001 to 0.1 of the largest cost.
    tol: it ends when Σᵢ |Σⱼ Pᵢⱼ − aᵢ| and Σⱼ |Σᵢ Pᵢⱼ − bⱼ| are at most this; default 1e-6.
    max_iter: the most iterations, default 10,000; a RuntimeWarning says so if they were not enough. ValueError: bad input.
    """
    a, b, C = problem("sinkhorn", a, b, C)
    return solve(a, b, C, eps, tol, max_iter).plan.astype(C.dtype, copy=False)


def solve(a, b, C, eps: float, tol: float = TOLERANCE, max_iter: int = ITERATIONS) -> Solution:
    """All that `sinkhorn` finds out, of weights (float64) and costs that are arrays; arguments and warnings as there."""
    if not 0 < eps < np.inf or not 0 < tol < np.inf or max_iter != int(max_iter) or max_iter < 1:
        raise ValueError(f"sinkhorn: eps is {eps!r}, tol {tol!r}, max_iter {max_iter!r}; expected eps > 0 (0.01 of the "
                         "largest cost, say), tol > 0, and a whole number from 1 up")
    C = np.ascontiguousarray(C, np.float64)
    found = Solution(*kernels.sinkhorn(a, b, C, float(eps), float(tol), int(max_iter)))
    if not found.error <= tol:
        warn(found.iterations, found.error, tol, eps)
    return found


def warn(iterations, error, tol, eps):
    """That the iterations were not enough."""
    warnings.warn(f"sinkhorn: after {iterations} iterations the sums of the plan are still {error:.2g} off, more than tol = "
                  f"{tol:g}; a larger eps (now {eps:g}) needs fewer, max_iter allows more", RuntimeWarning, stacklevel=4)


def sinkhorn_cost(a, b, C, eps: float, tol: float = TOLERANCE, max_iter: int = ITERATIONS):
    """The minimum of <C, P> + ε KL(P | a bᵀ), which is <f, a> + <g, b>; a Tensor () if a, b or C is one.

    Arguments as of `sinkhorn`. The gradients are P by C, f by a, g by b: by the envelope theorem how the best P changes makes
    no difference at first order (PC, sections 4.5 and 9.1). Weights stay on the simplex of those that add up to 1, where
    a constant in f is no matter: let them come from a softmax. Second derivatives go through all iterations, and
    need positive weights.
    """
    return entropic(*as_given("sinkhorn_cost", a, b, C), eps, tol, max_iter)


def as_given(name, a, b, C):
    """Weights and costs, checked: Tensors as they are, others as arrays of the dtype of C."""
    checked = problem(name, as_array(a), as_array(b), as_array(C))
    return (v if isinstance(v, Tensor) else w.astype(checked[2].dtype) for v, w in zip((a, b, C), checked))


@op(shapes="(n),(m),(n,m)->()", domain=("positive", "positive", "real"), analytic=False)
def entropic(a, b, C, eps, tol, max_iter):
    """`sinkhorn_cost` of checked arguments: y = <f, a> + <g, b>; dL/dC = dL/dy · P, dL/da = dL/dy · f, dL/db = dL/dy · g."""
    a, b = a / a.sum(), b / b.sum()                             # as exactly as float64 can; float32 may have rounded
    found = solve(a.astype(np.float64), b.astype(np.float64), C, eps, tol, max_iter)
    y = found.f @ a + found.g @ b
    return saved(np.asarray(y, np.result_type(a, b, C)), found)


@entropic.vjp
def _(g, a, b, C, eps, saved):
    if isinstance(g, Tensor):
        return reference_vjp(lambda a, b, C: unrolled(a, b, C, eps, saved.iterations), g, a, b, C)
    return lambda: g * saved.f, lambda: g * saved.g, lambda: g * saved.plan


def unrolled(a, b, C, eps, iterations):
    """`entropic` as a loop over ops, which the engine differentiates by itself, to any order."""
    g = b * 0
    for _ in range(iterations):
        f = -eps * logsumexp(log(b) + (g - C) / eps, axis=1)                        # (n, m) -> (n,)
        g_used, g = g, -eps * logsumexp(log(a)[:, None] + (f[:, None] - C) / eps, axis=0)   # (n, m) -> (m,)
    return sum(f * a) + sum(g_used * b)


def sinkhorn_divergence(x, y, eps: float, a=None, b=None, tol: float = TOLERANCE, max_iter: int = ITERATIONS):
    """S = cost(x, y) − ½ cost(x, x) − ½ cost(y, y), the `sinkhorn_cost` of squared distances; a Tensor () if x or y is one.

    The cost of moving x to x is not 0, as the entropy blurs the plan, and what minimises the cost alone is smaller than its
    target. S ≥ 0 is 0 only if the distributions are equal. ε → 0: W₂²; ε → ∞: the squared distance of the means (Feydy et
    al. 2019, "Interpolating between optimal transport and MMD using Sinkhorn divergences").

    x (n, d), y (m, d): points; a (n,), b (m,): their weights; the others as of `sinkhorn`. ValueError: bad input.
    """
    a, b, C = as_given("sinkhorn_divergence", a, b, squared_distances(x, y))
    to_itself = [to_self(w, squared_distances(v, v), eps, tol, max_iter) for w, v in ((a, x), (b, y))]
    return entropic(a, b, C, eps, tol, max_iter) - (to_itself[0] + to_itself[1]) / 2


@op(shapes="(n),(n,n)->()", domain=("positive", "real"), analytic=False)
def to_self(a, C, eps, tol, max_iter):
    """`entropic` from a to itself, with C symmetric, so that f = g: y = 2 <f, a>; dL/dC = dL/dy · P, dL/da = dL/dy · 2f."""
    a = (a / a.sum()).astype(np.float64)
    f = averaged(a, C.astype(np.float64), eps, tol, max_iter)
    return saved(np.asarray(2 * (f @ a), C.dtype), f)


@to_self.vjp
def _(g, a, C, eps, tol, max_iter, saved):
    if isinstance(g, Tensor):
        return reference_vjp(lambda a, C: 2 * sum(a * averaged(a, C, eps, tol, max_iter)), g, a, C)
    a, f = (a / a.sum())[:, None], saved[:, None]
    return lambda: 2 * g * saved, lambda: g * a * a.T * np.exp(np.minimum((f + f.T - C) / eps, 600))    # not ∞ where a = 0


def averaged(a, C, eps, tol, max_iter):
    """f (n,) of `to_self`, of arrays or Tensors: f ← (f + T)/2, where T is what Sinkhorn's iteration makes of g = f.

    The errors of f and T have opposite signs, as what is too high at one end makes the other too low. So they halve, or
    better, in each iteration (for squared distances; Feydy et al. 2019), where f and g in turns could take thousands.
    """
    f, weight = a * 0, as_array(a)
    with np.errstate(divide="ignore"):
        log_a = log(a)
    for _ in range(max_iter):
        T = -eps * logsumexp(log_a + (f - C) / eps, axis=1)                         # (n, n) -> (n,)
        with np.errstate(over="ignore"):
            error = np.abs(np.exp(as_array(log_a + (f - T) / eps)) - weight).sum()  # as Σⱼ Pᵢⱼ = aᵢ e^((fᵢ − Tᵢ)/ε)
        f = (f + T) / 2
        if error <= tol:
            break
    else:
        warn(max_iter, error, tol, eps)
    return f


# --- what goes in, what comes out ---------------------------------------------------------------------------------------

def squared_distances(x, y):
    """C (n, m), Cᵢⱼ = |xᵢ − yⱼ|², of points x (n, d) and y (m, d); a Tensor if one of them is."""
    x, y = (v if isinstance(v, Tensor) else floats(v) for v in (x, y))
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"squared_distances: x has shape {x.shape}, y has {y.shape}; expected (n, d) and (m, d)")
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


def floats(x):
    """x as an array of floats."""
    x = np.asarray(x)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


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
