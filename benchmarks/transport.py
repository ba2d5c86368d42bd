"""The workloads of optimal transport. See workloads.py."""
import numpy as np

from tinynn import transport

from .workloads import has


def clouds(n):
    """Two Gaussian clouds in the plane, and the costs between them: (n, n)."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, 2)), rng.standard_normal((n, 2)) @ np.array([[0.8, 0.3], [0.0, 0.5]]) + 1
    return transport.squared_distances(x, y)


def weights(n):
    """Two sets of unequal weights (n,)."""
    a, b = np.random.default_rng(1).random((2, n)) + 0.1
    return a / a.sum(), b / b.sum()


def sinkhorn(share):
    """Until the sums of the plan are right to 1e-6: ours their absolute deviation, POT's the root of its squares, which is
    less. It looks every ten iterations. By logarithms it is stable for any ε, as ours is; scaling is faster, and fails for
    small ones."""
    C, (a, b) = clouds(1000), weights(1000)
    eps = share * C.max()
    contestants = {"tinynn": lambda: transport.sinkhorn(a, b, C, eps, tol=1e-6)}
    if has("ot"):
        import ot
        contestants["POT, logarithms"] = lambda: ot.bregman.sinkhorn_log(a, b, C, eps, numItermax=100_000, stopThr=1e-6)
        contestants["POT, scaling"] = lambda: ot.sinkhorn(a, b, C, eps, numItermax=100_000, stopThr=1e-6)
    return contestants


def sinkhorn_coarse():
    """Sinkhorn 1000×1000, ε = 0.1 of the largest cost, to 1e-6."""
    return sinkhorn(0.1)


def sinkhorn_fine():
    """Sinkhorn 1000×1000, ε = 0.01 of the largest cost, to 1e-6."""
    return sinkhorn(0.01)


def emd(a, b, C):
    """The cheapest plan."""
    contestants = {"tinynn": lambda: transport.emd(a, b, C)}
    if has("ot"):
        import ot
        contestants["POT"] = lambda: ot.emd(a, b, C)
    return contestants


def emd_equal():
    """Exact transport 500×500, equal weights (assignment)."""
    return emd(np.full(500, 1 / 500), np.full(500, 1 / 500), clouds(500))


def emd_unequal():
    """Exact transport 500×500, unequal weights (linear programmes)."""
    return emd(*weights(500), clouds(500))


SINKHORN = {"POT, logarithms": 0.05, "POT, scaling": 1.0}
TABLE = [(sinkhorn_coarse, SINKHORN, {"rounds": 3}), (sinkhorn_fine, SINKHORN, {"rounds": 3}),
         (emd_equal, {"POT": 3.0}, {"rounds": 7}), (emd_unequal, {"POT": 3.0}, {"rounds": 5})]
