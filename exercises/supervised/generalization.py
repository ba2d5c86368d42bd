"""Generalization: how large should the network be, with clean data and with noise?

The networks and algorithms of training_algorithms, with 5 to 95 hidden units, learn y = sin(x²) from clean targets and
from targets with noise of standard deviation 0.2; 100 new points in the same range tell what they have learned:
report B, section 1.1.2, figures 1.2–1.4. With noise there are two test errors: against the true function, and against
new noisy targets, which is larger by the variance of their noise, 0.04.

In each repetition all six algorithms learn the same data from the same start (MATLAB's, see _algorithms.py).

Change first: `noise` in CONFIG. Which of the six then needs the right size most? The test that guards it:
tests/exercises/test_supervised_algorithms.py::test_noise_adds_its_variance_to_the_test_error
"""
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
PITFALLS = [
    "The report's text says that it tries up to 100 hidden units; its data end at 95.",
    "The report's numbers are means over 10 repetitions, and one run in a poor local minimum moves a mean by a factor of "
    "a hundred; ours are medians with the range beside them.",
    "A train error below σ² is not a better fit: P parameters fitted to N points take up a share P/N of the noise, so "
    "σ²(1 − P/N) is left. LM comes down to that line, and stays a little above where 200 iterations are not enough.",
]
FEW_POINTS = (
    "A hundred test points are few where the error sits in one corner: CG has the same train MSE in every repetition, "
    "{:.3f} to {:.3f}, and a test MSE from {:.3f} to {:.3f}, as more or fewer of the points fall among the fast waves on "
    "the right. The report has 0.040 for CG and for BFGS; if all its runs shared one test set, that is one such draw.")
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


CONFIG = GeneralizationConfig(takes="4 min")
QUICK = GeneralizationConfig(takes="8 s", quick=True, hidden=(5, 45, 85), iterations=20, repetitions=2)


def compare(setting: dict, rng: np.random.Generator) -> dict:
    """One repetition: every algorithm on the same data from the same start; {name: the three ERRORS and the fit}."""
    noise = setting["noise"]
    t = np.sin(x**2) + noise * rng.standard_normal(x.shape)
    x_test = rng.uniform(0, x[-1], setting["test_points"])
    t_test = np.sin(x_test**2)
    noisy_test = t_test + noise * rng.standard_normal(x_test.shape)
    seed, results = rng.integers(2**32), {}
    for name, optimizer in ALGORITHMS.items():
        model = build(setting["units"], setting["start"], np.random.default_rng(seed))
        loss = train(model, optimizer(model.parameters()), x, t, setting["iterations"])["loss"]
        y = predict(model, x_test)
        errors = loss[-1], np.mean((y - t_test)**2), np.mean((y - noisy_test)**2)
        results[name] = {"errors": np.array(errors), "fit": predict(model, x), "t": t}
    return results


def run(config: GeneralizationConfig) -> Card:
    card = Card.begin(__name__, config)
    if config.shown not in config.hidden:
        raise ValueError(f"shown is {config.shown}; expected one of hidden, {config.hidden}")
    folder = card.unfinished(config.out)
    settings = grid(units=config.hidden, noise=config.noise, start=[config.start], iterations=[config.iterations],
                    test_points=[config.test_points])
    table = sweep(compare, settings, config.repetitions, config.seed, config.jobs, config.dask, resume=folder)
    results = {(row["noise"], row["units"]): row["results"] for row in table}
    # errors[noise][name]: (repetitions, sizes, the three ERRORS)
    errors = {noise: {name: np.array([[result[name]["errors"] for result in results[noise, units]]
                                      for units in config.hidden]).swapaxes(0, 1) for name in ALGORITHMS}
              for noise in config.noise}
    add_rows(card, errors, config)
    draw_errors(card, errors, config)
    draw_fits(card, results, config)
    card.pitfalls += PITFALLS
    if 0.0 in errors:
        CG = errors[0.0]["CG"][:, config.hidden.index(config.shown)]                # (repetitions, the three ERRORS)
        card.pitfalls.append(FEW_POINTS.format(*np.sort(CG[:, 0])[[0, -1]], *np.sort(CG[:, 1])[[0, -1]]))
    return card


def expected(units, noise) -> np.ndarray:
    """The train MSE that noise leaves when P = 3·units + 1 parameters fit a part of it: σ²(1 − P/N)."""
    return noise**2 * (1 - (3 * np.array(units) + 1) / len(x))


def add_rows(card, errors, config):
    at = config.hidden.index(config.shown)
    for noise, of in errors.items():
        for name in ALGORITHMS:
            report = REPORT.get(noise, {}).get(name, (None,) * 3)
            for k, error in enumerate(ERRORS if noise else ERRORS[:2]):
                card.add_row(f"{error}, {name}, {config.shown} hidden, {kind(noise)}", of[name][:, at, k],
                             report=report[k])
        if noise:
            train, test, _ = np.moveaxis(of["LM"], 2, 0)                            # (repetitions, sizes) each
            card.add_row(f"train MSE ÷ σ²(1 − P/N), LM, {config.shown} hidden, {kind(noise)}",
                         train[:, at] / expected(config.shown, noise))
            card.add_row(f"best size by test MSE, LM, {kind(noise)}", config.hidden[np.median(test, axis=0).argmin()],
                         unit="hidden units", report=45, better="equal", tolerance=0.12)
            card.add_row(f"test MSE, LM, {config.hidden[-1]} hidden ÷ {config.shown}, {kind(noise)}",
                         test[:, -1] / np.median(test[:, at]))


def kind(noise) -> str:
    return f"noise {noise:g}" if noise else "clean"


def draw_errors(card, errors, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(len(errors), 3, figsize=(11, 3.4 * len(errors)), sharex=True, sharey="row", squeeze=False)
    for row, (noise, of) in zip(axes, errors.items()):
        for k, (ax, error) in enumerate(zip(row, ERRORS if noise else ERRORS[:2])):
            for name in ALGORITHMS:
                draw_band(ax, config.hidden, of[name][:, :, k], color=COLOUR[name], label=name)
            ax.set(yscale="log", title=f"{error}, {kind(noise)}")
        if noise:
            row[0].plot(config.hidden, expected(config.hidden, noise), "k--", lw=1.2, label="σ²(1 − P/N)")
            row[2].axhline(noise**2, color="k", ls=":", lw=1.2, label="σ²")
        else:
            row[2].set_axis_off()
        row[0].set_ylabel("MSE")
    plt.setp(axes[-1], xlabel="hidden units")
    handles = {label: line for ax in axes.flat for line, label in zip(*ax.get_legend_handles_labels())}
    axes[0, 2].legend(handles.values(), handles, loc="center")
    card.add_figure(fig, "errors", f"Errors after {config.iterations} iterations against the number of hidden units: "
                    f"median and range of {config.repetitions} repetitions. σ² is the variance of the noise, N the number "
                    "of points, P of parameters.")


def draw_fits(card, results, config):
    """As the report's figure 1.4."""
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(3, len(config.noise), figsize=(10, 5.5), sharex=True, sharey=True, squeeze=False)
    for column, noise in zip(axes.T, config.noise):
        first = results[noise, config.shown][0]
        for ax, name in zip(column, ("GDX", "CG", "LM")):
            ax.plot(x, first[name]["t"], ".", color="#bbbbbb", ms=3, label="targets")
            ax.plot(x, first[name]["fit"], color=COLOUR[name], lw=1.2, label=name)
            ax.set_ylim(-2.6, 1.7)
            ax.legend(ncols=2, loc="lower left", frameon=True)
        column[0].set_title(f"{config.shown} hidden units, {kind(noise)}")
        column[-1].set_xlabel("x")
    card.add_figure(fig, "fits", f"What {config.shown} hidden units have learned, in the first repetition.")
