"""The forces of t-SNE: between all pairs of points, a thousand times. projection.py says what they are for."""
import numpy as np

from .registry import kernel


@kernel
def tsne_gradient(P, y, exaggeration):
    """The gradient of KL(P ‖ Q) with respect to the points y (N, k), k at most 3, with `exaggeration` a = 1; returns (N, k).

        wᵢⱼ = 1/(1 + |yᵢ − yⱼ|²),   Q = w / Σw,   dKL/dyᵢ = 4 Σⱼ (a pᵢⱼ − qᵢⱼ) wᵢⱼ (yᵢ − yⱼ)

    P (N, N) and w are symmetric, with 0 on the diagonal (van der Maaten & Hinton 2008, equation 5). a > 1 pulls harder.
    """
    w = 1 / (1 + sum((c[:, None] - c) ** 2 for c in y.T))                   # (N, 1) - (N,) -> (N, N), coordinate by coordinate
    np.fill_diagonal(w, 0)
    forces = (exaggeration * P - w / w.sum()) * w                           # > 0: i and j attract each other
    return 4 * (forces.sum(axis=1)[:, None] * y - forces @ y)               # Σⱼ fᵢⱼ (yᵢ − yⱼ): (N, N) @ (N, k) -> (N, k)


# Pulls and pushes are summed apart, as Σw is known only after the last pair: so all is one pass over P, and nothing of size
# N² is written. Missing coordinates are 0. Numbers may be added in any order ("reassoc"), or the compiler could not do
# several pairs at a time; with a loop over coordinates inside it could not, either, and would take three times as long.
# One thread: for 1000 points this takes less than 1 ms, and threads that wait for each other after each step took 2.
@tsne_gradient.numba(fastmath={"contract", "reassoc", "nsz"})
def _(P, y, exaggeration):
    N, k = y.shape
    columns = np.zeros((3, N))                                              # the coordinates, each one run of memory
    columns[:k] = y.T
    a, b, c = columns[0], columns[1], columns[2]
    pull, push, total = np.empty((N, 3)), np.empty((N, 3)), 0.0
    for i in range(N):
        p, ai, bi, ci = P[i], a[i], b[i], c[i]
        pull_a = pull_b = pull_c = push_a = push_b = push_c = 0.0
        s = -1.0                                                            # w is 1 for j = i, which does not count
        for j in range(N):
            da, db, dc = ai - a[j], bi - b[j], ci - c[j]
            w = 1.0 / (1.0 + da * da + db * db + dc * dc)
            s += w
            pw, ww = p[j] * w, w * w
            pull_a += pw * da
            pull_b += pw * db
            pull_c += pw * dc
            push_a += ww * da
            push_b += ww * db
            push_c += ww * dc
        total += s
        pull[i, 0], pull[i, 1], pull[i, 2] = pull_a, pull_b, pull_c
        push[i, 0], push[i, 1], push[i, 2] = push_a, push_b, push_c
    forces = 4 * (exaggeration * pull - push / total)
    return forces[:, :k].astype(y.dtype)
