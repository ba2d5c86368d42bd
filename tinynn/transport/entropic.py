"""Plans with entropy, by Sinkhorn's iterations (kernels/transport.py): blurred, smooth, and fast."""
import warnings
from typing import NamedTuple

import numpy as np

from ..autograd.backward import reference_vjp
from ..autograd.op import op, saved
from ..autograd.tensor import Tensor, as_array
from ..kernels import transport as kernels
from ..ops import log, logsumexp, sum
from .plan import floats, problem, squared_distances

TOLERANCE, ITERATIONS = 1e-6, 10_000        # of Sinkhorn's iterations


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

    KL = Σᵢⱼ Pᵢⱼ ln(Pᵢⱼ/aᵢbⱼ) makes the plan unique and smooth, and the solution simple. With multipliers f and g for the sums
    of rows and columns (and ε in f) the derivative by Pᵢⱼ is 0 where Cᵢⱼ + ε ln(Pᵢⱼ/aᵢbⱼ) = fᵢ + gⱼ, so Pᵢⱼ =
    aᵢ bⱼ e^((fᵢ + gⱼ − Cᵢⱼ)/ε), where f and g are found by making the sums of the rows right, those of the columns, those of
    the rows, ...

    a (n,), b (m,): weights ≥ 0 that add up to 1; None: all equal. C (n, m): finite costs.
    eps: ε > 0, in units of C. Large: P → a bᵀ, everything goes everywhere; small: P → the cheapest plan, in ever more
        iterations. Sensible: 0.001 to 0.1 of the largest cost.
    tol: it ends when Σᵢ |Σⱼ Pᵢⱼ − aᵢ| and Σⱼ |Σᵢ Pᵢⱼ − bⱼ| are at most this; default 1e-6.
    max_iter: the most iterations, default 10,000; a RuntimeWarning says so if they were not enough. ValueError: bad input.
    """
    return solve(a, b, C, eps, tol, max_iter).plan.astype(floats(C).dtype, copy=False)


def solve(a, b, C, eps: float, tol: float = TOLERANCE, max_iter: int = ITERATIONS) -> Solution:
    """All that `sinkhorn` finds out, in float64; arguments, warnings and errors as there."""
    check_settings("sinkhorn", eps, tol, max_iter)
    a, b, C = problem("sinkhorn", a, b, C)
    C = np.ascontiguousarray(C, np.float64)
    found = Solution(*kernels.sinkhorn(a, b, C, float(eps), float(tol), int(max_iter)))
    if not found.error <= tol:
        warn(found.iterations, found.error, tol, eps)
    return found


def check_settings(name, eps, tol, max_iter):
    """Raise ValueError for settings of the iterations that make no sense."""
    whole = isinstance(max_iter, (int, np.integer)) and not isinstance(max_iter, bool)
    numbers = all(isinstance(v, (int, float, np.number)) and 0 < v < np.inf for v in (eps, tol))
    if not numbers or not whole or max_iter < 1:
        raise ValueError(f"{name}: eps is {eps!r}, tol {tol!r}, max_iter {max_iter!r}; expected eps > 0 (0.01 of the largest "
                         "cost, say), tol > 0, and an int >= 1")


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
    check_settings("sinkhorn_cost", eps, tol, max_iter)
    return entropic(*as_given("sinkhorn_cost", a, b, C), eps, tol, max_iter)


def as_given(name, a, b, C):
    """Weights and costs, checked: Tensors of floats as they are, all others in the dtype of C."""
    checked = problem(name, as_array(a), as_array(b), as_array(C))
    dtype = checked[2].dtype
    return (floats(v, dtype) if isinstance(v, Tensor) else w.astype(dtype) for v, w in zip((a, b, C), checked))


@op(shapes="(n),(m),(n,m)->()", domain=("positive", "positive", "real"), analytic=False)
def entropic(a, b, C, eps, tol, max_iter):
    """`sinkhorn_cost` of checked arguments: y = <f, a> + <g, b>; dL/dC = dL/dy · P, dL/da = dL/dy · f, dL/db = dL/dy · g."""
    a, b = a / a.sum(), b / b.sum()                             # as exactly as float64 can; float32 may have rounded
    found = solve(a, b, C, eps, tol, max_iter)
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
    return sum(f * a) + sum(g_used * b) + eps * sum(b)      # f, by b: ε Σᵢ Pᵢⱼ/bⱼ less, ε for each j


def sinkhorn_divergence(x, y, eps: float, a=None, b=None, tol: float = TOLERANCE, max_iter: int = ITERATIONS):
    """S = cost(x, y) − ½ cost(x, x) − ½ cost(y, y), the `sinkhorn_cost` of squared distances; a Tensor () if x or y is one.

    The cost of moving x to x is not 0, as the entropy blurs the plan, and what minimises the cost alone is smaller than its
    target. S ≥ 0 is 0 only if the distributions are equal. ε → 0: W₂²; ε → ∞: the squared distance of the means (Feydy et
    al. 2019, "Interpolating between optimal transport and MMD using Sinkhorn divergences").

    x (n, d), y (m, d): points; a (n,), b (m,): their weights; the others as of `sinkhorn`. ValueError: bad input.
    """
    check_settings("sinkhorn_divergence", eps, tol, max_iter)
    a, b, C = as_given("sinkhorn_divergence", a, b, squared_distances(x, y))
    to_itself = [to_self(w, squared_distances(v, v), eps, tol, max_iter) for w, v in ((a, x), (b, y))]
    return entropic(a, b, C, eps, tol, max_iter) - (to_itself[0] + to_itself[1]) / 2


@op(shapes="(n),(n,n)->()", domain=("positive", "real"), analytic=False)
def to_self(a, C, eps, tol, max_iter):
    """`entropic` from a to itself, with C symmetric, so that f = g: y = 2 <f, a>; dL/dC = dL/dy · P, dL/da = dL/dy · 2f."""
    a = (a / a.sum()).astype(np.float64)
    f, iterations = averaged(a, C.astype(np.float64), eps, max_iter, tol)
    return saved(np.asarray(2 * (f @ a), C.dtype), (f, iterations))


@to_self.vjp
def _(g, a, C, eps, saved):
    if isinstance(g, Tensor):
        return reference_vjp(lambda a, C: 2 * sum(a * averaged(a, C, eps, saved[1])[0]) + eps * sum(a), g, a, C)
    a, f = (a / a.sum())[:, None], saved[0][:, None]
    return lambda: 2 * g * saved[0], lambda: g * a * a.T * np.exp(np.minimum((f + f.T - C) / eps, 600))    # not ∞ where a = 0


def averaged(a, C, eps, max_iter, tol=None):
    """f (n,) of `to_self`, of arrays or Tensors: f ← (f + T)/2, where T is what Sinkhorn's iteration makes of g = f. And the
    number of iterations: max_iter without `tol`.

    The errors of f and T have opposite signs, as what is too high at one end makes the other too low. So they halve, or
    better, in each iteration (for squared distances; Feydy et al. 2019), where f and g in turns could take thousands.
    """
    f, weight = a * 0, as_array(a)
    with np.errstate(divide="ignore"):
        log_a = log(a)
    for iterations in range(1, max_iter + 1):
        T = -eps * logsumexp(log_a + (f - C) / eps, axis=1)                         # (n, n) -> (n,)
        with np.errstate(over="ignore"):
            error = np.abs(np.exp(as_array(log_a + (f - T) / eps)) - weight).sum()  # as Σⱼ Pᵢⱼ = aᵢ e^((fᵢ − Tᵢ)/ε)
        f = (f + T) / 2
        if tol is not None and error <= tol:
            break
    else:
        if tol is not None:
            warn(max_iter, error, tol, eps)
    return f, iterations
