"""What can be measured of pictures in colour that a model has made, where no classifier can say what they show.

Pictures are (N, 3, 32, 32) in [−1, 1], as tanh makes them. Pixels see light and colour, and where these are: the distance of
thumbnails tells good crowds from bad ones while they are bad, and nothing of whether a dog has four legs. Copies are found,
unless they are moved. _judge.py has what a classifier's features tell of digits. Also here: two ways between latents.
"""
import numpy as np

from exercises.generative._judge import squared_distances


def line(a, b, t) -> np.ndarray:
    """Points on the straight lines from a to b (K, *latent), at t (T,) of the way: (K, T, *latent)."""
    t = np.reshape(t, (-1, 1, 1, 1)).astype(a.dtype)
    return (1 - t) * a[:, None] + t * b[:, None]


def arc(a, b, t) -> np.ndarray:
    """As `line`, along great circles: (sin (1−t)ω · a + sin tω · b) / sin ω, ω the angle between a and b (Shoemake 1985)."""
    t = np.reshape(t, (-1, 1, 1, 1))
    axes = tuple(range(1, a.ndim))
    cosine = (a * b).sum(axis=axes) / np.sqrt((a * a).sum(axis=axes) * (b * b).sum(axis=axes))
    w = np.arccos(cosine)[:, None, None, None, None]                                        # (K,) -> (K, 1, 1, 1, 1)
    return ((np.sin((1 - t) * w) * a[:, None] + np.sin(t * w) * b[:, None]) / np.sin(w)).astype(a.dtype)


def thumbnails(x) -> np.ndarray:
    """Means of 4 × 4 pixels: (N, 3, 32, 32) -> (N, 192)."""
    return x.reshape(-1, 3, 8, 4, 8, 4).mean(axis=(3, 5)).reshape(-1, 192)


def contrast(x) -> float:
    """The standard deviation of a picture's numbers, on average over pictures (N, 3, 32, 32)."""
    return float(x.std(axis=(1, 2, 3)).mean())


def distances(x, y) -> np.ndarray:
    """The root mean square difference of all pairs of pictures (N, 3, 32, 32), (M, 3, 32, 32), black 0, white 1: (N, M)."""
    x, y = (pictures.reshape(len(pictures), -1) for pictures in (x, y))
    return np.sqrt(squared_distances(x, y) / x.shape[1]) / 2                                # black is −1


def compare(made, x, held) -> dict:
    """Are pictures copies of those that were learned from, x? Are they all alike? Beside `held`, which are neither."""
    n = len(held)
    of_made, of_held = distances(made, x), distances(held, x)                               # (n, images)
    apart = np.triu_indices(n, 1)
    return {"nearest": of_made.argsort(axis=1)[:, :2], "nearest, held": of_held.argsort(axis=1)[:, :2],
            "near": of_made.min(axis=1), "near, held": of_held.min(axis=1),
            "learned": 100 * (of_made.min(axis=1) < distances(made, held).min(axis=1)).mean(),
            "apart": distances(made, made)[apart].mean(), "apart, held": distances(held, held)[apart].mean()}


def coloured(x) -> np.ndarray:
    """As matplotlib draws them: (N, 3, 32, 32) in [−1, 1] -> (N, 32, 32, 3) in [0, 1]."""
    return (x.transpose(0, 2, 3, 1) + 1) / 2
