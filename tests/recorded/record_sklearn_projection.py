"""Record scikit-learn's PCA and exact t-SNE, for tests/test_projection.py:

    python tests/recorded/record_sklearn_projection.py

Keys: tall/..., wide/...: x and, of all its components, mean, components, variance, ratio, and the scores of x; tall/count: how
many components explain 90 %. tsne/x: 250 points in 6 clusters; tsne/divergences: what TSNE reaches with perplexity 30 in 1000
steps, from the start "random" with seeds 0 to 14.
"""
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE


if __name__ == "__main__":
    rng = np.random.default_rng(4)
    record = {}
    for name, shape in (("tall", (60, 8)), ("wide", (12, 30))):
        x = 2 + rng.standard_normal(shape) @ rng.standard_normal((shape[1], shape[1]))
        model = PCA(svd_solver="full").fit(x)
        values = {"x": x, "mean": model.mean_, "components": model.components_, "variance": model.explained_variance_,
                  "ratio": model.explained_variance_ratio_, "scores": model.transform(x)}
        record |= {f"{name}/{key}": value for key, value in values.items()}
        record[f"{name}/count"] = PCA(0.9).fit(x).n_components_
    points = (2 * rng.standard_normal((6, 10))[rng.integers(0, 6, 250)] + rng.standard_normal((250, 10))).astype(np.float32)
    record["tsne/x"] = points
    record["tsne/divergences"] = [TSNE(method="exact", perplexity=30, max_iter=1000, init="random", random_state=seed)
                                  .fit(points).kl_divergence_ for seed in range(15)]
    np.savez_compressed(Path(__file__).with_name("sklearn_projection.npz"), **record)
