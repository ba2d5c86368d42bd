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

Read exact.py first: on a line, then in any space; then entropic.py, whose iterations are in kernels/transport.py. All of it
is in G. Peyré & M. Cuturi, "Computational Optimal Transport", Foundations and Trends in Machine Learning 11 (2019); "PC" in
these files. Plans are computed in float64, and have the dtype of the costs. What it is good for:
exercises/generative/optimal_transport.py.
"""
from .entropic import Solution, sinkhorn, sinkhorn_cost, sinkhorn_divergence, solve
from .exact import emd, wasserstein_1d
from .plan import barycentric_map, squared_distances

__all__ = ["Solution", "barycentric_map", "emd", "sinkhorn", "sinkhorn_cost", "sinkhorn_divergence", "solve",
           "squared_distances", "wasserstein_1d"]
