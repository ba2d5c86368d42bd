"""How a Hopfield network stores patterns: four rules, each a function from patterns (Q, N) to (W, b).

The patterns are the rows ξ^1 ... ξ^Q, with entries ±1; N units, W (N, N) symmetric, b (N,). Read hopfield.py first.
"""
import numpy as np


def hebb(patterns):
    """W = (1/N) Σ ξξᵀ with zero diagonal: units that agree in a pattern excite each other (Hebb 1949; Hopfield 1982).

    ξᵢ is stable if 1 + ξᵢ·crosstalkᵢ > 0, where the crosstalk is what the other patterns add to its field: correlated
    patterns disturb each other.
    """
    n = patterns.shape[1]
    W = patterns.T @ patterns / n                                               # (N, Q) @ (Q, N) -> (N, N)
    np.fill_diagonal(W, 0)
    return W, np.zeros(n)


def storkey(patterns):
    """Storkey 1997: like Hebb's, but each pattern is stored only as far as the present fields don't do so already.

        W ← W + (1/N)(ξᵢξⱼ − ξᵢhⱼᵢ − hᵢⱼξⱼ),  hᵢⱼ = Σ_(k ≠ i, j) wᵢₖξₖ
    One pattern after the other, each seen once; local, as Hebb's rule; holds about N/√(2 ln N) patterns.
    """
    n = patterns.shape[1]
    W = np.zeros((n, n))
    for xi in patterns:
        h = (W @ xi)[:, None] - W * xi                                          # (N, N): h[i, j]; wᵢᵢ = 0
        W += (np.outer(xi, xi) - xi[:, None] * h.T - h * xi) / n
        np.fill_diagonal(W, 0)
    return W, np.zeros(n)


def pseudo_inverse(patterns):
    """W = Ξ⁺Ξ, the projection onto the span of the patterns (Personnaz, Guyon & Dreyfus 1986).

    Every pattern is a fixed point, Wξ = ξ, correlated or not, as long as there are fewer than N independent ones.
    """
    return np.linalg.pinv(patterns) @ patterns, np.zeros(patterns.shape[1])     # (N, Q) @ (Q, N) -> (N, N)


def li_michel_porod(patterns, tau=10.0, h=0.15):
    """Li, Michel & Porod 1989, what MATLAB's `newhop` does: a linear flow between walls, sampled every h.

    The differences to the last pattern, ξ^q − ξ^Q, span a plane through all patterns: P projects onto its directions,
    M = I − P onto those across. A flow that grows in the plane (rate 1), until the walls xᵢ = ±1 stop it, and decays
    across it (rate τ), ends at the corners that the plane meets, the patterns among them:
        A = P − τM,  I_τ = ξ^Q − Aξ^Q,  dx/dt = Ax + I_τ,
    and over a time h, without walls, it is exactly x ← Wx + b with
        W = e^h·P + e^(−τh)·M,  b = (e^h − 1)·P·I_τ + ((1 − e^(−τh))/τ)·M·I_τ,  x ← satlins(Wx + b).
    tau, h: MATLAB's values.
    """
    last, n = patterns[-1], patterns.shape[1]
    _, s, V = np.linalg.svd(patterns[:-1] - last, full_matrices=False)          # V: (Q − 1, N), its rows span the plane
    V = V[s > 1e-9 * max(s, default=0)]                                         # (K, N)
    P = V.T @ V                                                                 # (N, K) @ (K, N) -> (N, N)
    M = np.eye(n) - P
    bias = last - (P - tau * M) @ last                                          # I_τ
    W = np.exp(h) * P + np.exp(-tau * h) * M
    return W, np.expm1(h) * (P @ bias) - np.expm1(-tau * h) / tau * (M @ bias)


def capacity(rule: str, n: int) -> float:
    """How many random patterns of n units `rule` can hold; more than one criterion exists, see `hebb_capacity`."""
    return {"hebb": 0.138 * n, "storkey": n / np.sqrt(2 * np.log(max(n, 2))), "pseudo-inverse": n - 1.0,
            "li-michel-porod": n + 1.0}[rule]


def hebb_capacity(n: int) -> dict:
    """Hebb's capacity by what is asked for, in random patterns for n units:

    "all patterns perfect": n/(4 ln n); "most bits of each": n/(2 ln n) (McEliece et al. 1987); "with a few wrong bits":
    0.138n (Amit, Gutfreund & Sompolinsky 1985), beyond which memory breaks down altogether.
    """
    return {"all patterns perfect": n / (4 * np.log(n)), "most bits of each": n / (2 * np.log(n)),
            "with a few wrong bits": 0.138 * n}
