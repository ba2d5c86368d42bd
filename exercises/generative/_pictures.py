"""What can be measured of pictures in colour that a model has made, where no classifier can say what they show.

Pictures are (N, 3, 32, 32) in [−1, 1], as tanh makes them. Pixels see light and colour, and where these are: the distance of
thumbnails tells good crowds from bad ones while they are bad, and nothing of whether a dog has four legs. Copies are found,
unless they are moved. _judge.py has what a classifier's features tell of digits. Also here: two ways between latents.
"""
import numpy as np

from exercises.features._images import in_rows, show
from tinynn.transport import squared_distances


def line(a, b, t) -> np.ndarray:
    """Points on the straight lines from a to b, both (K, d), at t (T,) of the way: (K, T, d)."""
    t = np.reshape(t, (-1, 1)).astype(a.dtype)                                              # (T, 1)
    return (1 - t) * a[:, None] + t * b[:, None]                                            # (T, 1) · (K, 1, d) -> (K, T, d)


def arc(a, b, t) -> np.ndarray:
    """As `line`, on great circles: (sin (1 − t)ω · a + sin tω · b) / sin ω, ω the angle between a and b (Shoemake 1985)."""
    t = np.reshape(t, (-1, 1)).astype(a.dtype)
    cosine = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    w = np.arccos(cosine)[:, None, None]                                                    # (K,) -> (K, 1, 1)
    return (np.sin((1 - t) * w) * a[:, None] + np.sin(t * w) * b[:, None]) / np.sin(w)      # -> (K, T, d)


def thumbnails(x) -> np.ndarray:
    """Means of 4 × 4 pixels: (N, 3, 32, 32) -> (N, 192)."""
    return x.reshape(-1, 3, 8, 4, 8, 4).mean(axis=(3, 5)).reshape(-1, 192)


def contrast(x) -> float:
    """The standard deviation of a picture's numbers, on average over pictures (N, 3, 32, 32)."""
    return float(x.std(axis=(1, 2, 3)).mean())


def distances(x, y) -> np.ndarray:
    """The root mean square difference of all pairs of pictures (N, 3, 32, 32), (M, 3, 32, 32), black 0, white 1: (N, M)."""
    x, y = (pictures.reshape(len(pictures), -1) for pictures in (x, y))
    return np.sqrt(np.maximum(squared_distances(x, y), 0) / x.shape[1]) / 2                           # black is −1


def compare(made, x, held) -> dict:
    """Are pictures copies of those that were learned from, x? Are they all alike? Beside as many, `held`, which are neither.

    nearest (N, 2): which two of x are nearest; near (N,): how near; hubs: how many different ones are the nearest; apart: the
    mean distance of pairs. The same for `held`. learned: the share in per cent whose nearest of x and held is one of x.
    """
    result = {"learned": 100 * (distances(made, x).min(axis=1) < distances(made, held).min(axis=1)).mean()}
    for where, pictures in (("", made), (", held", held)):
        d, pairs = distances(pictures, x), np.triu_indices(len(pictures), 1)
        nearest = d.argsort(axis=1)[:, :2]
        result |= {"nearest" + where: nearest, "near" + where: d.min(axis=1), "hubs" + where: len(set(nearest[:, 0])),
                   "apart" + where: distances(pictures, pictures)[pairs].mean()}
    return result


def colours_in_rows(x, columns) -> np.ndarray:
    """One picture of pictures (N, 3, 32, 32) in [−1, 1], as matplotlib draws it: (H, W, 3) in [0, 1]."""
    return in_rows((x.transpose(0, 2, 3, 1) + 1) / 2, columns, 2, paper=1)


def show_colours(ax, x, columns, title=""):
    """Draw pictures (N, 3, 32, 32) in rows; returns matplotlib's image."""
    ax.set_title(title, loc="center", fontsize=9)
    return show(ax, colours_in_rows(x, columns))
