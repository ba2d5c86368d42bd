"""Two Gaussians, whose distance is known: what do samples of them say? For the exercise optimal_transport."""
from math import erf

import numpy as np

from tinynn.transport import emd, sinkhorn_cost, sinkhorn_divergence, squared_distances, wasserstein_1d
from tinynn.viz import COLOURS

MEAN, A, B = np.array([1.0, 0.5]), np.eye(2), np.array([[0.4, 0.25], [0.25, 0.6]])      # N(0, A) and N(MEAN, B), in the plane
SPREAD = 0.5                                                                            # N(0, 1) and N(m, SPREAD²), on a line


def cost(m, A, B, eps=0.0) -> float:
    """min <C, P> + ε KL(P | a bᵀ) for Gaussians N(0, A), N(m, B), with C the squared distance. ε = 0: W₂².

    With λ the eigenvalues of A B and σ² = ε/2 (Janati, Muzellec, Peyré & Cuturi 2020, theorem 1; ε = 0: Dowson & Landau 1982):
        |m|² + tr A + tr B − Σ √(4λ + σ⁴) + σ² Σ (1 − ln 2σ² + ln(√(4λ + σ⁴) + σ²))
    """
    half = eps / 2
    roots = np.sqrt(4 * np.linalg.eigvals(A @ B).real + half**2)
    blur = half * (1 - np.log(eps) + np.log(roots + half)).sum() if eps else 0.0
    return m @ m + np.trace(A) + np.trace(B) - roots.sum() + blur


def divergence(m, A, B, eps) -> float:
    """The Sinkhorn divergence of the same Gaussians."""
    return cost(m, A, B, eps) - (cost(0 * m, A, A, eps) + cost(0 * m, B, B, eps)) / 2


def on_a_line(m) -> tuple:
    """W₁ and W₂ of N(0, 1) and N(m, SPREAD²). The plan is x → m + SPREAD x: W₁ is the mean of |m + (SPREAD − 1) x|."""
    s = abs(SPREAD - 1)
    return (s * np.sqrt(2 / np.pi) * np.exp(-m**2 / (2 * s**2)) + m * erf(m / (s * np.sqrt(2))), np.hypot(m, s))


def line(config, rng) -> dict:
    """{m: W₁ and W₂ of samples over their truth, (draws, 2)}, with config.points numbers each."""
    found = {}
    for m in config.shifts:
        pairs = [(rng.standard_normal(config.points), m + SPREAD * rng.standard_normal(config.points))
                 for _ in range(config.draws)]
        found[m] = np.array([[wasserstein_1d(x, y, p) for p in (1, 2)] for x, y in pairs])
    return found


def plane(config, rng) -> dict:
    """{number of points: W₂², Sinkhorn cost and Sinkhorn divergence of samples, (draws, 3)}."""
    root, found = np.linalg.cholesky(B), {}
    for n in config.sizes:
        found[n] = np.zeros((config.draws, 3))
        for row in found[n]:
            x, y = rng.standard_normal((n, 2)), MEAN + rng.standard_normal((n, 2)) @ root.T     # (n, 2) @ (2, 2) -> (n, 2)
            C = squared_distances(x, y)
            row[:] = ((emd(None, None, C) * C).sum(), sinkhorn_cost(None, None, C, config.eps),
                      sinkhorn_divergence(x, y, config.eps))
    return found


def truths(eps) -> tuple:
    """What the columns of `plane` tend to."""
    return cost(MEAN, A, B), cost(MEAN, A, B, eps), divergence(MEAN, A, B, eps)


def draw(card, on_line, in_plane, config):
    import matplotlib.pyplot as plt
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
    m = np.linspace(0, max(config.shifts), 100)
    for p in (1, 2):
        left.plot(m, [on_a_line(shift)[p - 1] for shift in m], color=COLOURS[p - 1], label=f"W{'₁₂'[p - 1]}, truth")
        spread(left, {shift: values[:, p - 1] for shift, values in on_line.items()}, COLOURS[p - 1], f"{config.points} each")
    left.set(xlabel="m", ylabel="distance", title=f"N(0, 1) and N(m, {SPREAD}²), by sorting")
    for k, (truth, name) in enumerate(zip(truths(config.eps), ("W₂²", "Sinkhorn cost", "Sinkhorn divergence"))):
        right.axhline(truth, color=COLOURS[k], ls="--" if k == 2 else "-", label=f"{name}, truth")
        spread(right, {n * 1.04**k: values[:, k] for n, values in in_plane.items()}, COLOURS[k], "n points")
    right.set(xscale="log", xlabel="n (points of each)", ylabel="squared distance",
              title=f"Two Gaussians in the plane, ε = {config.eps:g}")
    right.set_xticks(list(in_plane), [str(n) for n in in_plane])
    right.minorticks_off()
    right.set_ylim(top=right.get_ylim()[1] + 0.8)                       # room for the legend
    for ax in (left, right):
        ax.legend(ncols=2)
    card.add_figure(fig, "gaussians", "Distances of samples beside the closed forms; median and range of "
                    f"{config.draws} draws. The cost of Sinkhorn's plan counts its entropy.", "drawn by the exercise")


def spread(ax, found, colour, label):
    """Median and range of the values at each place."""
    middle, values = [np.median(v) for v in found.values()], list(found.values())
    ends = [[c - v.min() for c, v in zip(middle, values)], [v.max() - c for c, v in zip(middle, values)]]
    ax.errorbar(list(found), middle, ends, fmt="o", color=colour, ms=4, capsize=3, label=label)
