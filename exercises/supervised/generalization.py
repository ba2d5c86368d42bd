"""Generalization: how large should the network be, with clean data and with noise?

The networks and algorithms of training_algorithms, with 5 to 95 hidden units, learn y = sin(x²) from clean targets and
from targets with noise of standard deviation 0.2; 100 new points in the same range tell what they have learned: report B,
section 1.1.2, figures 1.2–1.4. With noise there are two test errors: against the true function, and against new noisy
targets, which is larger by the variance of their noise, 0.04.

In each repetition all six algorithms learn the same data from the same start (MATLAB's, see _algorithms.py).

Change first: `noise` in CONFIG. Which of the six then needs the right size most? The test that guards it:
tests/exercises/test_supervised_algorithms.py::test_noise_adds_its_variance_to_the_test_error
"""
import shutil
from dataclasses import dataclass

import numpy as np

from exercises.card import Card, Config
from tinynn.train.sweep import grid, sweep

from ._algorithms import ALGORITHMS, COLOUR, build, draw_band, predict, train, x

# The report's means at 45 hidden units: (train, test against the function, test against noisy targets).
REPORT = {
    0.0: {"GD": (.62, .61), "GDX": (.14, .14), "CG": (.024, .040), "BFGS": (.022, .040), "LM": (1.6e-5, 1.1e-5),
          "BR": (8.9e-5, 8.2e-5)},
    0.2: {"CG": (.061, .035, .091), "LM": (.035, .0040, .042), "BR": (.036, .0034, .042)}}
ERRORS = ("train MSE", "test MSE", "test MSE (noisy targets)")


@dataclass(frozen=True)
class GeneralizationConfig(Config):
    """hidden: the numbers of units. noise: standard deviations. shown: the number of units in rows and fits."""
    hidden: tuple = tuple(range(5, 100, 5))
    noise: tuple = (0.0, 0.2)
    iterations: int = 200
    repetitions: int = 10
    test_points: int = 100
    start: str = "MATLAB"
    shown: int = 45


CONFIG = GeneralizationConfig(takes="15 min")
QUICK = GeneralizationConfig(takes="8 s", quick=True, hidden=(5, 45, 85), iterations=20, repetitions=2)


def compare(setting: dict, rng: np.random.Generator) -> dict:
    """One repetition: every algorithm on the same data from the same start; {name: the three ERRORS and the fit}."""
    config, noise = setting["config"], setting["noise"]
    t = np.sin(x**2) + noise * rng.standard_normal(x.shape)
    x_test = rng.uniform(0, x[-1], config.test_points)
    t_test = np.sin(x_test**2)
    noisy_test = t_test + noise * rng.standard_normal(x_test.shape)
    seed, results = rng.integers(2**32), {}
    for name, optimizer in ALGORITHMS.items():
        model = build(setting["units"], config.start, np.random.default_rng(seed))
        loss = train(model, optimizer(model.parameters()), x, t, config.iterations)["loss"]
        y = predict(model, x_test)
        errors = loss[-1], np.mean((y - t_test)**2), np.mean((y - noisy_test)**2)
        results[name] = {"errors": np.array(errors), "fit": predict(model, x), "t": t}
    return results
