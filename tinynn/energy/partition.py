"""Z, the sum that turns energies into probabilities: exactly for small machines, by annealed importance sampling for others.

Read rbm.py first. ln Z is what a likelihood needs and learning does without.
"""
import warnings
from typing import NamedTuple

import numpy as np

from ..arguments import check_count
from ..autograd.settings import default_rng
from ..kernels.sampling import fire
from ..ops import softplus

LARGEST = 25            # units of the smaller layer: 33 million states
BLOCK = 10              # so many units take all their states at once


class LogPartition(NamedTuple):
    """log_z: ln Z. error: its standard error (0 if exact): the relative one of the estimate of Z. effective: the share of the
    chains that count, (Σw)²/(M Σw²), from 1/M to 1. Where it is below a few percent neither number can be trusted: the error
    is √((1/effective − 1)/(M − 1)), so never above 1, also where ln Z is off by a hundred."""
    log_z: float
    error: float
    effective: float


def log_partition(model, method: str = "exact", *, chains: int = 100, temperatures=10_000, data=None, rng=None,
                  progress: bool = True) -> LogPartition:
    """ln Z of an RBM or a DBM.

    method: "exact" (default), by enumeration of the smaller layer, at most 25 units (Gaussian visible units: of the hidden
    layer; a DBM: of the first hidden layer or of the others): 20 units beside 784 take half a minute, each one more doubles
    that; or "ais". The rest is for "ais":
    chains: M, default 100. temperatures: how many steps from β = 0 to 1, default 10,000, evenly; or the β themselves, rising
        from 0 to 1, an array: more of them near 1 is usual. The error falls with both, faster with temperatures.
    data: (N, V), optional: the start has the means of these rows, which is nearer, so that fewer temperatures do.
    rng: default: the model's. progress: show a bar if it takes more than two seconds.

    A RuntimeWarning says that the chains of AIS have missed a valley, if mean field knows one with more in it than all that
    they found (`at_least`). Their own error cannot tell, as they agree with each other. ln Z then is that lower bound, and no
    chain counts.
    """
    if method not in ("exact", "ais"):
        raise ValueError(f'log_partition: method is {method!r}; expected "exact" or "ais"')
    rbm = getattr(model, "joint", model)                # a DBM is an RBM in disguise: dbm.py
    if not hasattr(rbm, "free_energy"):
        raise TypeError(f"log_partition: model is a {type(model).__name__}; expected an RBM or a DBM")
    if not all(np.isfinite(w).all() for w in (rbm.W, rbm.a, rbm.b)):
        raise ValueError("log_partition: the model has weights or biases that are not finite, as if learning had diverged; "
                         "make it anew, and learn with a smaller lr")
    if method == "exact":
        return LogPartition(enumerate_states(rbm), 0.0, 1.0)
    check_count("log_partition: chains", chains, 2)
    a0 = np.zeros_like(rbm.a)                           # 0 for the upper layer of a DBM, whatever the data
    if data is not None:
        rates = base_rates(rbm, model._rows("log_partition", data, "data"))
        a0[:len(rates)] = rates
    found = anneal(rbm, a0, chains, as_betas(temperatures), rbm.rng if rng is None else default_rng(rng), progress)
    least = at_least(rbm)
    if least > found.log_z + 3 * found.error:
        warnings.warn(f"log_partition: the chains of AIS find ln Z = {found.log_z:.1f}, but it is {least:.1f} at least, by "
                      "mean field: they never came to some likely states, and likelihoods may be too high even with that. "
                      "Begin learning with visible biases a = ln(p/(1 − p)), p the data's means, or try more temperatures",
                      RuntimeWarning, stacklevel=2)
        return LogPartition(least, found.error, 0.0)
    return found


def enumerate_states(rbm) -> float:
    """ln Z = ln Σ over the states s of one layer of e^(−F(s)): the other layer is summed out, unit by unit."""
    V, H = rbm.W.shape
    over_hidden = H <= V or rbm.gaussian
    n = H if over_hidden else V
    if n > LARGEST:
        raise ValueError(f"log_partition: {n} units have too many states to enumerate; expected at most {LARGEST} in the "
                         'smaller layer, or method="ais"')
    low, high = all_states(min(n, BLOCK)), all_states(n - min(n, BLOCK))
    log_z = -np.inf
    for rest in high:
        s = np.hstack([low, np.broadcast_to(rest, (len(low), len(rest)))])              # (2^BLOCK, n)
        F = hidden_free_energy(rbm, s) if over_hidden else rbm._free_energy(s)          # (2^BLOCK,)
        log_z = np.logaddexp(log_z, np.logaddexp.reduce(-F))
    return float(log_z)


def hidden_free_energy(rbm, h):
    """−ln Σᵥ e^(−E(v, h)), the other way round: (M, H) -> (M,). Gaussian: ∫ is (2π)^(V/2) e^(½|a + Wh|² − ½|a|²)."""
    x = h @ rbm.W.T + rbm.a                                                             # (M, H) @ (H, V) -> (M, V)
    if rbm.gaussian:
        return -(x * x - np.square(rbm.a, dtype=float) + np.log(2 * np.pi)).sum(axis=1) / 2 - h @ rbm.b
    return -softplus(x).sum(axis=1) - h @ rbm.b


def all_states(n) -> np.ndarray:
    """All states of n binary units: (2ⁿ, n), as float64."""
    return (np.arange(2 ** n)[:, None] >> np.arange(n) & 1).astype(float)


def anneal(rbm, a0, chains, betas, rng, progress) -> LogPartition:
    """Annealed importance sampling (Neal 2001; Salakhutdinov & Murray 2008): from a machine with known Z to this one.

    Machine β has weights βW, biases (1 − β)a₀ + βa and βb, and unnormalised probabilities f_β(v) = e^(−F_β(v)). At β = 0
    nothing hangs together: Z₀ is known, and v is drawn at once. Chains go up through 0 = β₀ < β₁ < ... < 1, with one Gibbs
    step of each machine, and carry weights,

        w = f_β₁(v₀)/f_β₀(v₀) · f_β₂(v₁)/f_β₁(v₁) · ...,     of which the mean is an unbiased estimate of Z/Z₀.
    """
    from tqdm import tqdm
    (V, H), dtype = rbm.W.shape, rbm.W.dtype

    def bias(beta):
        return (1 - beta) * a0 + beta * rbm.a

    def draw_visible(h, beta):
        x = h @ rbm.W.T                                                                 # (M, H) @ (H, V) -> (M, V)
        if rbm.gaussian:
            return beta * x + bias(beta) + rng.standard_normal(x.shape, dtype=dtype)
        return fire(x, beta, bias(beta), rng.random(x.shape, dtype=dtype))

    v, log_w = draw_visible(np.zeros((chains, H), dtype), 0.0), np.zeros(chains)
    for before, beta in tqdm(list(zip(betas, betas[1:])), unit="β", leave=False, delay=2, disable=not progress):
        x = v @ rbm.W + rbm.b                                                           # (M, V) @ (V, H) -> (M, H)
        log_w += (softplus(beta * x) - softplus(before * x)).sum(axis=1, dtype=float)
        log_w += rbm._visible_energy(v, bias(before)) - rbm._visible_energy(v, bias(beta))
        v = draw_visible(fire(x, beta, np.zeros(H, dtype), rng.random(x.shape, dtype=dtype)), beta)
    log_z0 = H * np.log(2) + (V / 2 * np.log(2 * np.pi) if rbm.gaussian else softplus(a0.astype(float)).sum())
    w = np.exp(log_w - log_w.max())
    effective = w.sum() ** 2 / (chains * np.square(w).sum())
    error = np.sqrt(max(1 / effective - 1, 0) / (chains - 1))                           # σ(w)/(mean(w) √M)
    return LogPartition(float(log_z0 + log_w.max() + np.log(w.mean())), float(error), float(effective))


def at_least(model) -> float:
    """A lower bound of an RBM's or a DBM's ln Z."""
    return heap(model)[0]


def heap(model) -> tuple:
    """(A lower bound of ln Z, the means of the visible units (V,)) of independent units that come nearest to the machine, by
    mean field; the best from three starts: hidden units off, coins, on. They hold e^(bound − ln Z) of its probability or more.

    For independent hidden units with means μ, and the visible ones at their best, ln Z >= −F(μ) + H(μ), with F the free energy
    of the hidden units and H the entropy. Each turn of v ← E[v | μ], μ ← E[h | v] raises it (MacKay 2003, Information Theory,
    Inference, and Learning Algorithms, section 33.1).
    """
    from scipy.special import entr                                                      # −p ln p
    rbm = getattr(model, "joint", model)
    h = np.repeat(np.array([[0], [0.5], [1]], rbm.W.dtype), rbm.W.shape[1], axis=1)     # (3, H)
    for _ in range(100):
        h = rbm._hidden(rbm._visible(h))                                                # (3, H) -> (3, V) -> (3, H)
    h = h.astype(float)
    bounds = (entr(h) + entr(1 - h)).sum(axis=1) - hidden_free_energy(rbm, h)
    return float(bounds.max()), rbm._visible(h[bounds.argmax()].astype(rbm.W.dtype))


def base_rates(rbm, data):
    """Biases with which visible units have the means of `data` (N, n): (n,)."""
    if data.ndim != 2 or len(data) == 0:
        raise ValueError(f"log_partition: data has shape {data.shape}; expected (N, {data.shape[-1]}), an example in each row")
    total = data.sum(axis=0, dtype=float)
    if rbm.gaussian:
        return total / len(data)
    return np.log(total + 1) - np.log(len(data) - total + 1)                            # as if one more were 1, and one 0


def as_betas(temperatures) -> list:
    """Rising numbers from 0 to 1."""
    if isinstance(temperatures, (int, np.integer)) and not isinstance(temperatures, bool) and temperatures >= 1:
        return np.linspace(0, 1, temperatures + 1).tolist()
    betas = np.asarray(temperatures, dtype=float)
    if betas.ndim != 1 or len(betas) < 2 or betas[0] != 0 or betas[-1] != 1 or not (np.diff(betas) >= 0).all():
        raise ValueError(f"log_partition: temperatures is {temperatures!r}; expected an int >= 1, or numbers that rise from 0 "
                         "to 1")
    return betas.tolist()
