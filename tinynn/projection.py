"""Projections: data of many dimensions in a few, by PCA (linear, exact, invertible) and t-SNE (a picture of neighbours).

    pca = PCA(3).fit(x)                     # x (N, D)
    z = pca.transform(x)                    # (N, 3)
    x_again = pca.inverse_transform(z)      # (N, D)
    y = TSNE(perplexity=30).fit_transform(x)            # (N, 2)

Read PCA first. The pairwise sums of t-SNE are in kernels/tsne.py; exercises/features/pca.py is what both are good for.
"""
import numpy as np

from .autograd.settings import default_rng
from .kernels.tsne import tsne_gradient
from .scaling import as_finite_floats


class PCA:
    """Principal component analysis: the q directions along which data vary most (Pearson 1901; Hotelling 1933).

    With centred data X − m = U S Vᵀ (singular value decomposition), direction i is row i of Vᵀ, and the variance along it
    is λᵢ = sᵢ²/(N − 1). Keeping q of them loses the least squared error that q dimensions can: the mean over the rows of
    |x − x̂|² is (N − 1)/N · (λ_(q+1) + λ_(q+2) + ...) (Eckart & Young 1936).

    n_components: q, at most min(N, D); or a fraction in (0, 1): the fewest that explain this share of the variance; None
    (default): all. Attributes after `fit`: mean (D,), components (q, D), orthonormal rows whose largest entry is positive,
    explained_variance (q,), the λ, and explained_variance_ratio (q,), their share of the whole variance.
    """

    def __init__(self, n_components: int | float | None = None):
        n = n_components
        whole = isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 1
        if not (n is None or whole or isinstance(n, (float, np.floating)) and 0 < n < 1):
            raise ValueError(f"PCA: n_components is {n!r}; expected a number of components (an int from 1 up), a fraction of "
                             "the variance between 0 and 1, or None for all")
        self.n_components = n_components
        self.mean = self.components = self.explained_variance = self.explained_variance_ratio = None

    def fit(self, x) -> "PCA":
        """Find the components of x (N, D), at least two rows; returns self.

        ValueError: x is not finite or not (N, D), has too few dimensions, or a variance beyond the largest float.
        """
        x = as_rows("PCA.fit", x)
        if isinstance(self.n_components, (int, np.integer)) and self.n_components > min(x.shape):
            raise ValueError(f"PCA.fit: n_components is {self.n_components}, but x has shape {x.shape}; expected at most "
                             f"{min(x.shape)}, the smaller of its sides")
        with np.errstate(over="ignore", invalid="ignore"):
            mean = x.mean(axis=0, dtype=np.float64).astype(x.dtype)
            centred = x - mean
            overflow = not np.isfinite(np.linalg.norm(centred))
        if overflow:
            raise ValueError(f"PCA.fit: the variance of x is larger than the largest {x.dtype}; divide x by its scale, "
                             "np.abs(x).max(), first")
        # X − m = QR with orthonormal columns in Q: R, which is small, has the same singular values and the same V.
        _, s, V = np.linalg.svd(np.linalg.qr(centred, mode="r"), full_matrices=False)      # V: (min(N, D), D)
        V *= np.sign(np.take_along_axis(V, np.abs(V).argmax(axis=1)[:, None], axis=1))      # ± is free: choose one
        variance = s * s / (len(x) - 1)
        ratio = variance / (variance.sum() or 1)
        q = self._count(ratio)
        self.mean, self.components = mean, V[:q]
        self.explained_variance, self.explained_variance_ratio = variance[:q], ratio[:q]
        return self

    def _count(self, ratio) -> int:
        """How many components to keep."""
        if self.n_components is None:
            return len(ratio)
        if self.n_components >= 1:
            return self.n_components
        return min(int(np.searchsorted(np.cumsum(ratio), self.n_components)) + 1, len(ratio))

    def transform(self, x) -> np.ndarray:
        """The coordinates of x (N, D) along the components: (N, q)."""
        return (self._checked("PCA.transform", x, 1) - self.mean) @ self.components.T       # (N, D) @ (D, q) -> (N, q)

    def inverse_transform(self, z) -> np.ndarray:
        """The points with the coordinates z (N, q), in the space of the data: (N, D)."""
        return self._checked("PCA.inverse_transform", z, 0) @ self.components + self.mean   # (N, q) @ (q, D) -> (N, D)

    def fit_transform(self, x) -> np.ndarray:
        """`fit(x)`, then `transform(x)`: (N, D) -> (N, q)."""
        return self.fit(x).transform(x)

    def _checked(self, name, x, axis):
        """x as finite floats, if it is as wide as the components along `axis`."""
        if self.components is None:
            raise ValueError(f"{name}: there are no components yet; call fit(x) first")
        x, width = as_finite_floats(name, x), self.components.shape[axis]
        if x.ndim != 2 or x.shape[1] != width:
            raise ValueError(f"{name}: got shape {x.shape}; expected (N, {width}), as this PCA has {len(self.components)} "
                             f"components of data with {len(self.mean)} columns")
        return x


class TSNE:
    """t-distributed stochastic neighbour embedding (van der Maaten & Hinton 2008, JMLR 9), exact: O(N²) a step.

    A picture y of the data x in which neighbours stay neighbours. How much j is i's neighbour is a probability: among the
    data from a Gaussian, in the picture from Student's t with one degree of freedom, whose long tail leaves room:

        p_(j|i) ∝ exp(−|xᵢ − xⱼ|²/2σᵢ²),   pᵢⱼ = (p_(j|i) + p_(i|j))/2N,       qᵢⱼ ∝ 1/(1 + |yᵢ − yⱼ|²)

    Gradient descent with momentum (0.5, after 250 steps 0.8) and a gain for each coordinate makes KL(P ‖ Q) =
    Σ pᵢⱼ ln(pᵢⱼ/qᵢⱼ) small. The picture says who is near whom; sizes of clusters and distances between them mean little, the
    axes nothing.

    n_components: 1, 2 (default) or 3. perplexity: how many neighbours count, which sets each σᵢ; default 30, sensible 5 to
        50, less than N − 1.
    early_exaggeration: P is multiplied by this in the first 250 steps, so that clusters form and find their place;
        default 12.
    learning_rate: default N/(4 · early_exaggeration) (Belkina et al. 2019), at least 50; for less than 200 rows 5 to 20 goes
        deeper, as a rate of 50 may throw points far out.
    max_iter: steps, default 1000. init: "pca" (default), the first components, or "random"; both 1e-4 small.
    rng: for "random"; Generator, seed, or None for the default Generator.

    Attributes after `fit_transform`: kl_divergence, in nats, and history (m, 2): how many steps were done, and the divergence
    then; every 50 steps. Computes in float64, in about 50 N² bytes; the picture has the dtype of x.
    """

    def __init__(self, n_components: int = 2, *, perplexity: float = 30.0, early_exaggeration: float = 12.0,
                 learning_rate: float | None = None, max_iter: int = 1000, init: str = "pca", rng=None):
        rate = 1 if learning_rate is None else learning_rate
        for name, value, right, expected in (
                ("n_components", n_components, n_components in (1, 2, 3) and isinstance(n_components, (int, np.integer)),
                 "1, 2 or 3"),
                ("perplexity", perplexity, 1 < perplexity < np.inf, "a number above 1; 5 to 50 is usual"),
                ("early_exaggeration", early_exaggeration, 1 <= early_exaggeration < np.inf, "a number from 1 up"),
                ("learning_rate", learning_rate, 0 < rate < np.inf, "a number above 0, or None"),
                ("max_iter", max_iter, isinstance(max_iter, (int, np.integer)) and max_iter >= 1, "an int from 1 up"),
                ("init", init, isinstance(init, str) and init in ("pca", "random"), '"pca" or "random"')):
            if not right:
                raise ValueError(f"TSNE: {name} is {value!r}; expected {expected}")
        self.n_components, self.perplexity, self.early_exaggeration = n_components, perplexity, early_exaggeration
        self.learning_rate, self.max_iter, self.init, self.rng = learning_rate, max_iter, init, rng
        self.kl_divergence = self.history = None

    def fit_transform(self, x, progress: bool = True) -> np.ndarray:
        """The picture of x (N, D): (N, n_components). progress: show a bar if it takes more than two seconds.

        ValueError: x is not finite or not (N, D), or has fewer than perplexity + 2 rows.
        """
        from tqdm import tqdm
        x = as_rows("TSNE.fit_transform", x)
        centred = x - x.mean(axis=0, dtype=np.float64)
        centred /= np.abs(centred).max() or 1                   # P knows no scale; so squares cannot overflow
        P, y = joint_probabilities(centred, self.perplexity), self._start(centred)
        rate = self.learning_rate or max(len(x) / (4 * self.early_exaggeration), 50)
        velocity, gains, history = np.zeros_like(y), np.ones_like(y), []
        for t in tqdm(range(self.max_iter), unit="step", leave=False, delay=2, disable=not progress):
            if t % 50 == 0:
                history.append((t, kl_divergence(P, y)))
            exaggeration, momentum = (self.early_exaggeration, 0.5) if t < 250 else (1.0, 0.8)
            gradient = tsne_gradient(P, y, exaggeration)
            # Each coordinate has a gain of its own: it grows while the gradient keeps its direction (Jacobs 1988).
            gains = np.maximum(np.where(gradient * velocity < 0, gains + 0.2, gains * 0.8), 0.01)
            velocity = momentum * velocity - rate * gains * gradient
            y += velocity
        self.kl_divergence = kl_divergence(P, y)
        self.history = np.array([*history, (self.max_iter, self.kl_divergence)])
        return (y - y.mean(axis=0)).astype(x.dtype)

    def _start(self, x) -> np.ndarray:
        """Where the points start: (N, n_components), so close together that all forces are small."""
        if self.init == "random":
            return 1e-4 * default_rng(self.rng).standard_normal((len(x), self.n_components))
        if x.shape[1] < self.n_components:
            raise ValueError(f"TSNE.fit_transform: x has shape {x.shape}, so that PCA gives no start in {self.n_components} "
                             'dimensions; take init="random"')
        z = PCA(self.n_components).fit_transform(x)
        return 1e-4 * z / (z[:, 0].std() or 1)


def joint_probabilities(x, perplexity: float) -> np.ndarray:
    """P (N, N) of t-SNE for data x (N, D): symmetric, 0 on the diagonal, Σ = 1.

    σᵢ is such that the entropy of p_(·|i) is that of `perplexity` equally likely neighbours, ln(perplexity), to 1e-5. A point
    with more duplicates than that shares its probability among them. Found by bisection, all rows at once.
    """
    from scipy.spatial.distance import pdist, squareform
    n = len(x)
    if perplexity >= n - 1:
        raise ValueError(f"TSNE: perplexity is {perplexity:g}, but x has {n} rows, so that each has {n - 1} others; expected "
                         f"a perplexity below {n - 1}")
    others = ~np.eye(n, dtype=bool)
    d = squareform(pdist(x, "sqeuclidean"))[others].reshape(n, n - 1)       # (N, N) -> (N, N − 1)
    d -= d.min(axis=1, keepdims=True)                           # changes no probability, and leaves one exp at 1
    low, high = np.zeros(n), np.full(n, np.inf)
    beta = 1 / np.where(d.any(axis=1), d.mean(axis=1), 1)       # β = 1/2σ²; the entropy falls as β grows
    for _ in range(100):
        e = np.exp(-beta[:, None] * d)
        total = e.sum(axis=1)
        entropy = np.log(total) + beta * (e * d).sum(axis=1) / total
        above = entropy > np.log(perplexity)
        if np.abs(entropy - np.log(perplexity)).max() < 1e-5:
            break
        low, high = np.where(above, beta, low), np.where(above, high, beta)
        beta = np.where(np.isinf(high), 2 * beta, (low + high) / 2)
    P = np.zeros((n, n))
    P[others] = (e / total[:, None]).ravel()                    # (N, N − 1) -> (N, N), row by row
    return (P + P.T) / (2 * n)


def kl_divergence(P, y) -> float:
    """KL(P ‖ Q) = Σ pᵢⱼ ln(pᵢⱼ/qᵢⱼ) in nats, of P (N, N) and the picture y (N, k)."""
    from scipy.spatial.distance import pdist, squareform
    from scipy.special import rel_entr
    w = 1 / (1 + pdist(y, "sqeuclidean"))                       # (N(N − 1)/2,): each pair once
    return 2 * float(rel_entr(squareform(P, checks=False), w / (2 * w.sum())).sum())


def neighbours_kept(x, y, k: int = 10) -> float:
    """How good is the picture y (N, 2) of x (N, D)? The share of the k nearest neighbours in x that are so in y, too: 0 to 1.

    By chance it is k/(N − 1). ValueError: x and y have not the same number of rows, or no more than k.
    """
    from scipy.spatial.distance import pdist, squareform
    x, y = as_rows("neighbours_kept", x), as_rows("neighbours_kept", y)
    if len(x) != len(y) or not isinstance(k, (int, np.integer)) or not 1 <= k < len(x):
        raise ValueError(f"neighbours_kept: x has {len(x)} rows, y has {len(y)}, k is {k}; expected as many, and k an int "
                         f"from 1 to {len(x) - 1}")
    near = np.zeros((len(x), len(x)), int)
    for points in (x, y):
        d = squareform(pdist(points))                           # (N, N)
        np.fill_diagonal(d, np.inf)
        np.add.at(near, (np.arange(len(x))[:, None], d.argsort(axis=1)[:, :k]), 1)
    return float((near == 2).sum() / (k * len(x)))


def as_rows(name, x) -> np.ndarray:
    """x as finite floats (N, D), float32 or float64, with at least two rows; else a ValueError."""
    x = as_finite_floats(name, x)
    if x.ndim != 2 or len(x) < 2 or x.shape[1] == 0:
        raise ValueError(f"{name}: x has shape {x.shape}; expected (N, D), a row for each of at least two examples; images "
                         "need reshape(N, -1)")
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)
