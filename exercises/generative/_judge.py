"""A judge of digits that a model has made: a network that reads MNIST, and what its features tell of a crowd of pictures.

Nobody can say how likely a picture is under a GAN, so the reports look at a few and like them. Here each is read by a
classifier, which learned from training digits, and crowds are compared with test digits, which it never saw, by its last
features, in whose space pictures of one digit lie near each other (pixels know nothing of that: a digit moved by a pixel is
far away):

    Fréchet distance   |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½)     of two normal distributions (Heusel et al. 2017)
    precision          the share of made pictures that lie among the real ones: are they good?
    recall             the share of real pictures that lie among the made ones: is anything missing?
                       "among": nearer to one of them than its k-th neighbour of its own kind (Kynkäänniemi et al. 2019)
    shares             of the ten digits, of pictures that are read with a probability above 0.9

None of them is to be looked at alone. A real picture that lies far out has its k-th neighbour far away, and takes in much, so
precision can be had without a good picture (Naeem et al. 2020); and a network that has seen nothing but digits can be sure of
what is none: of the blots of a GAN's first epochs, for one.

The network is report A's tuned one (features/cnn_digits.py), right about some 99 % of the test digits.
"""
import numpy as np

from exercises.features import cnn_digits
from exercises.features._digits import score, split, train
from tinynn import nn, no_grad, optim
from tinynn.train import sweep
from tinynn.transport import squared_distances

SURE = 0.9


def reference(data, n) -> tuple:
    """Two lots of n test digits (n, 784), no digit in both: what samples are compared with, and what real ones get. Drawn at
    random, as the first test digits are of other hands than the last. Of fewer than 2n, halves."""
    x = data.x_test.reshape(-1, 784)                                                        # (N, 1, 28, 28) -> (N, 784)
    n, rows = min(n, len(x) // 2), np.random.default_rng(1998).permutation(len(x))
    return x[rows[:n]], x[rows[n:2 * n]]


def learn(setting: dict, rng: np.random.Generator) -> dict:
    """Train the network on MNIST: its weights, and its accuracy on the test digits."""
    training, validation, (x, y) = split(setting["data"], *setting["counts"])
    model = cnn_digits.build("report A, tuned", rng)
    optimizer = optim.Adam(model.parameters(), lr=optim.schedules.cosine(0.004, setting["epochs"]))
    train(model, optimizer, training, validation, setting["epochs"], 128, rng, setting.get("checkpoint"))
    return {"state": model.state_dict(), "accuracy": score(read(model, x)[0], y)[1]}


def appoint(data, counts, epochs, seed, resume) -> tuple:
    """(the judge, its accuracy); trained once for a folder of jobs. counts: images to learn from, to validate, to test."""
    setting = {"data": data, "counts": counts, "epochs": epochs}
    result, = sweep(learn, [setting], 1, seed, progress=False, resume=resume)[0]["results"]
    return restore(result["state"]), result["accuracy"]


def restore(state) -> nn.Sequential:
    """The judge with these weights."""
    model = cnn_digits.build("report A, tuned", np.random.default_rng(0))
    model.load_state_dict(state)
    return model


def read(model, x, size=500) -> tuple:
    """Logits (N, 10) and features (N, 192) of pictures x (N, 784) or (N, 1, 28, 28), ink 1, paper 0."""
    x, outputs, features = x.reshape(-1, 1, 28, 28), [], []
    model.eval()
    with no_grad():
        for i in range(0, len(x), size):
            z = model[:-1](x[i:i + size])                                                   # (n, 1, 28, 28) -> (n, 192)
            features.append(z.numpy())
            outputs.append(model[-1](z).numpy())                                            # (n, 192) -> (n, 10)
    return np.concatenate(outputs), np.concatenate(features)


def assess(outputs, features, real) -> dict:
    """What there is to say of made pictures, from their logits (M, 10) and features (M, d), beside real ones' (N, d)."""
    precision, recall = precision_recall(real, features) if np.isfinite(features).all() else (0.0, 0.0)
    return {"shares": shares(outputs), "Fréchet distance": frechet(real, features), "precision": precision, "recall": recall}


def shares(outputs) -> np.ndarray:
    """The shares of the pictures that are read as each digit with a probability above SURE, from logits (N, 10): (10,); what
    they lack to 1 the judge is not sure of."""
    p = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    sure = p.max(axis=1) > SURE * p.sum(axis=1)
    return np.bincount(outputs.argmax(axis=1)[sure], minlength=10) / len(outputs)


def frechet(a, b) -> float:
    """The Fréchet distance between normal distributions with the means and covariances of a (N, d) and b (M, d); NaN if not
    all of these are finite, as of a model that diverged."""
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("nan")
    (mean, cov), (other, cov_other) = ((x.mean(axis=0, dtype=float), np.cov(x, rowvar=False)) for x in (a, b))
    # The eigenvalues of a product of two covariances are ≥ 0; the trace of its root is the sum of their roots.
    root = np.sqrt(np.linalg.eigvals(cov @ cov_other).real.clip(0)).sum()
    return float(((mean - other) ** 2).sum() + np.trace(cov) + np.trace(cov_other) - 2 * root)


def precision_recall(real, made, k: int = 3) -> tuple:
    """(precision, recall) of features of made pictures (M, d) beside those of real ones (N, d)."""
    within_real, within_made = kth_distance(real, k), kth_distance(made, k)
    d = squared_distances(made, real)                                                       # (M, N)
    return float((d <= within_real).any(axis=1).mean()), float((d <= within_made[:, None]).any(axis=0).mean())


def kth_distance(x, k):
    """The squared distance of each x (N, d) from its k-th nearest neighbour: (N,)."""
    return np.partition(squared_distances(x, x), k, axis=1)[:, k]                           # the 0-th is x itself


def rank_correlation(a, b) -> float:
    """Spearman's: 1 where a and b rise together."""
    from scipy.stats import spearmanr
    return float(spearmanr(a, b).statistic)


def with_time(distances) -> float:
    """The rank correlation of samples' distances, look by look, with the number of looks still to come, which knows nothing of
    samples: whatever falls with time agrees."""
    return rank_correlation(np.arange(len(distances), 0, -1), distances)
