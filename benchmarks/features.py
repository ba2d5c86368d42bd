"""The workloads of session 3: t-SNE. See workloads.py."""
import numpy as np

from tinynn.projection import TSNE

from .workloads import has


def tsne():
    """t-SNE of 1000×256, exact, 250 steps, perplexity 30, from the principal components."""
    rng = np.random.default_rng(0)
    x = 3 * rng.standard_normal((10, 256))[rng.integers(0, 10, 1000)] + rng.standard_normal((1000, 256))
    contestants = {"tinynn": lambda: TSNE(max_iter=250).fit_transform(x, progress=False)}
    if has("sklearn"):
        from sklearn.manifold import TSNE as Peer
        contestants["scikit-learn"] = lambda: Peer(method="exact", max_iter=250).fit_transform(x)
    return contestants


TABLE = [(tsne, {"scikit-learn": 0.5}, {"rounds": 3})]
