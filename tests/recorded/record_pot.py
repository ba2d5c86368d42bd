"""Record what POT (Python Optimal Transport) makes of some problems, for tests/test_transport.py:

    python tests/recorded/record_pot.py

Keys: equal/..., unequal/..., tall/...: weights a and b, costs C, the cheapest cost of ot.emd, and the plan of ot.sinkhorn in
logarithms for ε = `eps` of the largest cost. line/...: numbers x, y and weights a, b, and ot.wasserstein_1d, distance1 and
distance2 (W₂, not its square).
"""
from pathlib import Path

import numpy as np
import ot


if __name__ == "__main__":
    rng, record = np.random.default_rng(8), {"eps": 0.05}
    for name, n, m in (("equal", 40, 40), ("unequal", 60, 60), ("tall", 70, 25)):
        x, y = rng.standard_normal((n, 3)), 0.5 * rng.standard_normal((m, 3)) + 1
        a, b = (rng.random(k) if name != "equal" else np.ones(k) for k in (n, m))
        a, b, C = a / a.sum(), b / b.sum(), ot.dist(x, y)
        entropic = ot.sinkhorn(a, b, C, record["eps"] * C.max(), method="sinkhorn_log", numItermax=100_000, stopThr=1e-15,
                               warn=False)
        values = {"a": a, "b": b, "C": C, "cost": (ot.emd(a, b, C) * C).sum(), "sinkhorn": entropic}
        record |= {f"{name}/{key}": value for key, value in values.items()}
    x, y, a, b = rng.standard_normal(50), rng.exponential(size=30), rng.random(50), rng.random(30)
    a, b = a / a.sum(), b / b.sum()
    record |= {"line/x": x, "line/y": y, "line/a": a, "line/b": b, "line/distance1": ot.wasserstein_1d(x, y, a, b, p=1),
               "line/distance2": ot.wasserstein_1d(x, y, a, b, p=2) ** 0.5}
    np.savez_compressed(Path(__file__).with_name("pot.npz"), **record)
