"""Network size: what does it mean to converge fast, in epochs or in seconds?

Networks of 10, 50 and 100 tanh units learn y = sin(x), 943 points in [0, 3π], until the mean square error is 0.001: by
gradient descent (GD), with an adaptive rate (GDX), Adam, L-BFGS and Levenberg–Marquardt (LM), all from the same
Nguyen–Widrow start. Report A, sections 1.1.3–1.1.4: its table 1.3 has such numbers with neither units nor the names of
the optimizers, so there is nothing to compare with. Here both are named, and drawn against each other.

An epoch is one step on all points. It costs the more the larger the network, and LM's costs the most: with N points and P
parameters, N·P² operations for JᵀJ, and P³/3 for the linear system. Yet most need fewer epochs for a larger network.

Change first: GD's rate in OPTIMIZERS. With 0.1 it takes a tenth of the epochs with 10 units; what happens with 50?
The test that guards it: tests/exercises/test_supervised_algorithms.py::test_a_run_that_diverges_never_reaches_the_target
"""
from dataclasses import dataclass

import numpy as np

from exercises.card import Card, Config
from tinynn import optim
from tinynn.train.sweep import grid, sweep
from tinynn.viz.style import COLOURS

from ._algorithms import build, train, warm_up, x

OPTIMIZERS = {"GD": lambda params: optim.GD(params, lr=0.01), "GDX": lambda params: optim.GDX(params, lr=0.01),
              "Adam": lambda params: optim.Adam(params, lr=0.01), "L-BFGS": optim.LBFGS, "LM": optim.LevenbergMarquardt}
COLOUR = dict(zip(OPTIMIZERS, COLOURS))
MARKERS = "osD^v"


@dataclass(frozen=True)
class SizeConfig(Config):
    """hidden: the numbers of units. target: the train MSE to reach. limit: give up after so many epochs."""
    hidden: tuple = (10, 50, 100)
    target: float = 1e-3
    limit: int = 3000
    repetitions: int = 10


CONFIG = SizeConfig(takes="15 s")
QUICK = SizeConfig(takes="6 s", quick=True, hidden=(10, 50), limit=300, repetitions=2)


def reach(setting: dict, rng: np.random.Generator) -> dict:
    """One repetition: every optimizer from the same start to the target or the limit; {name: what train returns}."""
    warm_up(OPTIMIZERS)
    seed, runs = rng.integers(2**32), {}
    for name, optimizer in OPTIMIZERS.items():
        model = build(setting["units"], "Nguyen-Widrow", np.random.default_rng(seed))
        # train_loss is measured before each step: below the target, the step before has reached it
        runs[name] = train(model, optimizer(model.parameters()), x, np.sin(x), setting["limit"],
                           callbacks=[lambda history: history.train_loss[-1] <= setting["target"]])
    return runs


def first_below(result: dict, target: float) -> tuple:
    """(epochs, seconds) until the loss was first at the target or below; (inf, inf) if it never was."""
    below = np.flatnonzero(result["loss"] <= target)
    return (below[0], result["seconds"][below[0]]) if below.size else (np.inf, np.inf)


def run(config: SizeConfig) -> Card:
    card = Card.begin(__name__, config)
    folder = card.unfinished(config.out)
    table = sweep(reach, grid(units=config.hidden, target=[config.target], limit=[config.limit]), config.repetitions,
                  config.seed, config.jobs, config.dask, resume=folder)
    results = {(name, row["units"]): [result[name] for result in row["results"]]
               for name in OPTIMIZERS for row in table}
    add_rows(card, results, config)
    draw_epochs_against_seconds(card, results, config)
    draw_curves(card, results, config)
    largest = config.hidden[-1]
    pace = {name: np.median([result["seconds"][-1] / (len(result["loss"]) - 1) for result in results[name, largest]])
            for name in OPTIMIZERS}                             # seconds an epoch
    card.pitfalls += [
        "The report's table 1.3 has neither units nor names. A time to converge means nothing without the loss that "
        f"counts as converged (here a train MSE of {config.target:g}), what is counted (epochs, or seconds on what "
        "machine), and how many runs never get there.",
        "Epochs tell about the algorithm, seconds about the program and the machine as well, and they do not agree: with "
        f"{largest} hidden units an epoch of LM took {pace['LM'] / pace['GD']:.1f} times as long as one of GD.",
        "One learning rate does not suit all sizes: with 0.1, GD takes a tenth of the epochs with 10 units, and diverges "
        "with 50, as the gradients of more units add up to a steeper loss.",
    ]
    return card


def add_rows(card, results, config):
    for (name, units), runs in results.items():
        epochs, seconds = np.array([first_below(result, config.target) for result in runs]).T     # (repetitions,) each
        there = np.isfinite(epochs)
        if not there.all():
            card.add_row(f"runs that reach MSE {config.target:g}, {name}, {units} hidden", there.sum(),
                         unit=f"of {len(runs)} in {config.limit} epochs")
        if there.any():
            which = f"to MSE {config.target:g}, {name}, {units} hidden"
            card.add_row(f"epochs {which}", epochs[there], unit="epochs")
            card.add_row(f"time {which}", seconds[there], unit="s")


def draw_epochs_against_seconds(card, results, config):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(8, 5))
    for (name, units), runs in results.items():
        marker = MARKERS[config.hidden.index(units) % len(MARKERS)]
        ends = np.array([first_below(result, config.target) for result in runs])                    # (repetitions, 2)
        there = np.isfinite(ends[:, 0])
        ax.plot(*ends[there].T[::-1], marker, color=COLOUR[name], alpha=0.6)
        gave_up = [(result["seconds"][-1], len(result["loss"]) - 1) for result in np.array(runs)[~there]]
        if gave_up:
            ax.plot(*np.transpose(gave_up), marker, color=COLOUR[name], fillstyle="none")
    for name in OPTIMIZERS:
        ax.plot([], [], "s", color=COLOUR[name], label=name)
    for units, marker in zip(config.hidden, MARKERS):
        ax.plot([], [], marker, color="#888888", label=f"{units} hidden")
    ax.plot([], [], "o", color="#888888", fillstyle="none", label="gave up")
    ax.set(xscale="log", yscale="log", xlabel="time (s)", ylabel="epochs")
    ax.legend(ncols=3, loc="upper left")
    card.add_figure(fig, "epochs_and_seconds", "Epochs against seconds until the train MSE on sin(x) is "
                    f"{config.target:g}: all {config.repetitions} runs from random starts, one mark each. Hollow: gave up "
                    f"after {config.limit} epochs.")


def draw_curves(card, results, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(2, len(config.hidden), figsize=(10, 6), sharey=True, squeeze=False)
    for column, units in zip(axes.T, config.hidden):
        for name in OPTIMIZERS:
            for i, result in enumerate(results[name, units]):
                for ax, across in zip(column, (np.arange(len(result["loss"])), result["seconds"])):
                    ax.plot(across[1:], result["loss"][1:], color=COLOUR[name], lw=0.9,
                            marker="." if name == "LM" else None, label=None if i else name)
        column[0].set(xscale="log", yscale="log", title=f"{units} hidden units", xlabel="epochs")
        column[1].set(xscale="log", yscale="log", xlabel="time (s)")
        for ax in column:
            ax.axhline(config.target, color="k", ls=":", lw=1.2)
    plt.setp(axes[:, 0], ylabel="train MSE")
    axes[0, 0].legend(ncols=2)
    card.add_figure(fig, "progress", f"Train MSE against epochs and time, down to the target (dotted): all "
                    f"{config.repetitions} runs from random starts.")
