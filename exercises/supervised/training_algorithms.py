"""Six training algorithms on y = sin(x²): how far do 500 iterations get, and what do they cost?

One hidden layer of 50 tanh units learns all 943 points at once by gradient descent (GD), gradient descent with momentum
and a rate that adapts (GDX), conjugate gradient (CG, Fletcher–Reeves), BFGS, Levenberg–Marquardt (LM) and Bayesian
regularization (BR): report B, section 1.1.1 and figure 1.1. In each repetition all six start from the same weights.
There are two kinds of start: Nguyen and Widrow's own, and what MATLAB, which the report used, makes of it.

Read _algorithms.py for the network and its starts. Change first: the factor 2 in `build` there, to 3. Steeper steps help
GDX, and hurt CG and BFGS: compare the fits at their right and at their left end. The test that guards it:
tests/exercises/test_supervised_algorithms.py::test_both_starts_spread_the_units_over_the_inputs
"""
from dataclasses import dataclass

import numpy as np

from exercises.card import Card, Config
from tinynn.train.sweep import grid, sweep
from tinynn.viz.style import COLOURS

from ._algorithms import ALGORITHMS, COLOUR, build, draw_band, predict, train, warm_up, x

REPORT_MSE = {"GD": 0.402, "GDX": 0.048, "CG": 1.03e-3, "BFGS": 4.4e-4, "LM": 6.7e-8, "BR": 6.1e-8}
REPORT_SECONDS = {"GD": 0.66, "GDX": 0.67, "CG": 2.71, "BFGS": 4.07, "LM": 2.97, "BR": 3.16}


@dataclass(frozen=True)
class TrainingConfig(Config):
    """units: in the hidden layer. iterations: of each algorithm. repetitions: random starts of each kind."""
    units: int = 50
    iterations: int = 500
    repetitions: int = 20
    starts: tuple = ("MATLAB", "Nguyen-Widrow")


CONFIG = TrainingConfig(takes="1 min")
QUICK = TrainingConfig(takes="8 s", quick=True, iterations=60, repetitions=2)


def compare(setting: dict, rng: np.random.Generator) -> dict:
    """One repetition: every algorithm from the same start."""
    warm_up(ALGORITHMS)
    seed, runs = rng.integers(2**32), {}
    for name, optimizer in ALGORITHMS.items():
        model = build(setting["units"], setting["start"], np.random.default_rng(seed))
        runs[name] = train(model, optimizer(model.parameters()), x, np.sin(x**2), setting["iterations"])
        runs[name]["y"] = predict(model, x)
    return runs


def run(config: TrainingConfig) -> Card:
    card = Card.begin(__name__, config)
    folder = card.unfinished(config.out)
    table = sweep(compare, grid(start=config.starts, units=[config.units], iterations=[config.iterations]),
                  config.repetitions, config.seed, config.jobs, config.dask, resume=folder)
    runs = {row["start"]: {name: [result[name] for result in row["results"]] for name in ALGORITHMS} for row in table}
    add_rows(card, runs)
    add_pitfalls(card, runs, config)
    draw_boxes(card, runs, config)
    draw_curves(card, runs, config)
    draw_fits(card, runs)
    return card


def final(results, what) -> np.ndarray:
    """The last value of each repetition, (repetitions,)."""
    return np.array([result[what][-1] for result in results])


def add_rows(card, runs):
    for start, of in runs.items():
        for name in ALGORITHMS:
            card.add_row(f"train MSE, {name}, {start} start", final(of[name], "loss"), report=REPORT_MSE[name],
                         incomparable="" if start == "MATLAB" else "another start than the report's")
    seconds = {name: np.concatenate([final(of[name], "seconds") for of in runs.values()]) for name in ALGORITHMS}
    for name in ALGORITHMS:
        card.add_row(f"time, {name}", seconds[name], unit="s", report=REPORT_SECONDS[name],
                     incomparable="another machine")
    for name in ALGORITHMS:
        card.add_row(f"time, {name} ÷ GD", seconds[name] / seconds["GD"], incomparable="another machine",
                     report=REPORT_SECONDS[name] / REPORT_SECONDS["GD"])


def add_pitfalls(card, runs, config):
    # Losses are one more than epochs, and the last epoch only found that nothing was left to gain.
    early = [f"{name} {len(result['loss']) - 2}" for of in runs.values() for name in ALGORITHMS
             for result in of[name] if result["stop"] != "all epochs done"]
    middle = {name: [f"{np.median(final(of[name], 'loss')):.2g}" for of in runs.values()] for name in ALGORITHMS}
    card.pitfalls += [
        "The report says that LM uses the true Hessian. It uses JᵀJ + μI: Gauss–Newton, which leaves out the residuals "
        "times their second derivatives. That is right where the residuals are small, and there LM pulls ahead.",
        "“Nguyen–Widrow” is not one start. MATLAB takes tanh to be active in [−2, 2] where the paper has [−1, 1], so its "
        f"steps are twice as steep, and it draws the output layer from (−1, 1). Medians from {' and '.join(runs)} start: "
        f"GDX {' and '.join(middle['GDX'])}, CG {' and '.join(middle['CG'])}, BFGS {' and '.join(middle['BFGS'])}. "
        "The start matters more than the choice between CG and BFGS: the report's numbers for these and for GDX come with "
        "MATLAB's alone. LM and BR get as far from either.",
        "An iteration is not a unit of work: CG and BFGS evaluate the network several times in a line search, and LM "
        "solves a linear system. The times are those of another machine and another program than the report's. "
        f"{len(early)} of {len(runs) * len(ALGORITHMS) * config.repetitions} runs ended before {config.iterations} "
        + (f"iterations, as there was nothing left to gain: {', '.join(early)}." if early else "iterations."),
    ]


def draw_boxes(card, runs, config):
    """As the report's figure 1.1."""
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(10, 4.2))
    place = np.arange(len(ALGORITHMS))
    for i, (start, of) in enumerate(runs.items()):
        for ax, what in zip(axes, ("loss", "seconds")):
            boxes = ax.boxplot([final(of[name], what) for name in ALGORITHMS], positions=place + 0.36 * i - 0.18,
                               widths=0.28, whis=(0, 100), patch_artist=True, medianprops={"color": "black"})["boxes"]
            plt.setp(boxes, facecolor=COLOURS[i], alpha=0.6)
            boxes[0].set_label(f"{start} start")
    axes[0].plot(place, list(REPORT_MSE.values()), "kD", markersize=4, label="the report's median (MATLAB)")
    axes[0].set(yscale="log", ylabel="train MSE")
    axes[1].set(ylim=0, ylabel="training time (s)")
    for ax in axes:
        ax.set_xticks(place, ALGORITHMS)
    axes[0].legend()
    card.add_figure(fig, "errors_and_times", f"Train MSE and training time after {config.iterations} iterations. "
                    f"Boxes: median and quartiles of {config.repetitions} random starts of each kind; whiskers: their range.")


def draw_curves(card, runs, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(len(runs), 2, figsize=(10, 3.4 * len(runs)), sharey=True, squeeze=False)
    for row, (start, of) in zip(axes, runs.items()):
        for name in ALGORITHMS:
            loss, seconds = ([np.pad(result[what], (0, config.iterations + 1 - len(result[what])), mode="edge")
                              for result in of[name]] for what in ("loss", "seconds"))  # (repetitions, iterations + 1)
            draw_band(row[0], np.arange(config.iterations + 1), loss, color=COLOUR[name], label=name)
            draw_band(row[1], np.median(seconds, axis=0)[1:], np.array(loss)[:, 1:], color=COLOUR[name], label=name)
        row[0].set(yscale="log", ylabel="train MSE", xlabel="iterations", title=f"{start} start")
        row[1].set(xscale="log", xlabel="time so far (s), median")
    axes[0, 0].legend(ncols=3)
    card.add_figure(fig, "progress", "Train MSE against iterations and against time: median and range of "
                    f"{config.repetitions} random starts of each kind. Runs that ended early keep their last value.")


def draw_fits(card, runs):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(3, len(runs), figsize=(10, 5.5), sharex=True, sharey=True, squeeze=False)
    for column, (start, of) in zip(axes.T, runs.items()):
        for ax, name in zip(column, ("GD", "CG", "LM")):
            ax.plot(x, np.sin(x**2), color="#bbbbbb", lw=3, label="sin(x²)")
            ax.plot(x, of[name][0]["y"], color=COLOUR[name], lw=1.2, label=name)
            ax.legend(ncols=2, loc="lower left", frameon=True)
            ax.set_ylim(-2.1, 1.6)
        column[0].set_title(f"{start} start")
        column[-1].set_xlabel("x")
    card.add_figure(fig, "fits", "The fit of each kind of algorithm, in the first repetition.")
