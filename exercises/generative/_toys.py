"""Distributions that are known: how near does a generator come to them? For the exercise wgan.

line: half N(−2, 0.3²), half N(2, 0.3²). The distance is W₁ to the distribution itself, from its quantiles.
ring: eight Gaussians on a circle of radius 2. The distance is the exact W₂ to as many points of the truth, an eighth of them
    at each centre. True samples have some, as chance puts more at one centre and fewer at another.
"""
import numpy as np

from tinynn import nn
from tinynn.train import generate
from tinynn.transport import emd, squared_distances, wasserstein_1d

LATENT = 4
LINE, RING = "two Gaussians on a line", "eight Gaussians in a ring"
CENTRES, WIDTH = 2 * np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1), 0.1    # (8, 2)
ENDS, SPREAD = np.array([-2.0, 2.0]), 0.3


def draw(toy, n, rng) -> np.ndarray:
    """n samples of the truth: (n, 1) of the line, (n, 2) of the ring, in float32."""
    if toy == LINE:
        x = rng.choice(ENDS, n)[:, None] + SPREAD * rng.standard_normal((n, 1))
    else:
        x = CENTRES[rng.integers(8, size=n)] + WIDTH * rng.standard_normal((n, 2))
    return x.astype(np.float32)


def quantiles(n) -> np.ndarray:
    """The (i + ½)/n quantiles of the line: (n,), in order."""
    from scipy.special import ndtr
    x = np.linspace(ENDS[0] - 6 * SPREAD, ENDS[1] + 6 * SPREAD, 20001)
    return np.interp((np.arange(n) + 0.5) / n, ndtr((x[:, None] - ENDS) / SPREAD).mean(axis=1), x)


def build(toy, rng) -> tuple:
    """(generator (N, 4) -> (N, d), critic (N, d) -> (N, 1)), of two layers of 64 units each, in float32."""
    def network(c_in, c_out):
        return nn.Sequential(nn.Linear(c_in, 64, rng=rng), nn.LeakyReLU(0.2), nn.Linear(64, 64, rng=rng), nn.LeakyReLU(0.2),
                             nn.Linear(64, c_out, rng=rng)).astype(np.float32)
    d = 1 if toy == LINE else 2
    return network(LATENT, d), network(d, 1)


def distance(toy, x, rng) -> float:
    """W₁ of samples x (n, 1) to the line, or W₂ of x (n, 2) to n points of the ring, as many at each centre."""
    if toy == LINE:
        return float(wasserstein_1d(x[:, 0].astype(float), quantiles(len(x)), 1))
    truth = CENTRES[np.arange(len(x)) % 8] + WIDTH * rng.standard_normal(x.shape)           # (n, 2)
    C = squared_distances(x.astype(float), truth)
    return float(np.sqrt((emd(None, None, C) * C).sum()))


def reached(x) -> tuple:
    """Of samples x (n, 2): how many of the ring's eight have 2 % of them or more near by, and what share is near any.

    Near: within three standard deviations of the centre, where 98.9 % of the true samples lie.
    """
    d = np.linalg.norm(x[:, None] - CENTRES, axis=2)                                        # (n, 1, 2) - (8, 2) -> (n, 8)
    near = np.bincount(d.argmin(axis=1)[d.min(axis=1) < 3 * WIDTH], minlength=8)
    return int((near >= 0.02 * len(x)).sum()), float(near.sum() / len(x))


def made(generator, n, rng) -> np.ndarray:
    """n samples of a generator."""
    return generate(generator, rng.standard_normal((n, LATENT), np.float32))
