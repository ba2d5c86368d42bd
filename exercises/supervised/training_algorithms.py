"""Six training algorithms on y = sin(x²): how far do 500 iterations get, and what do they cost?

One hidden layer of 50 tanh units learns all 943 points at once by gradient descent (GD), gradient descent with momentum
and a rate that adapts (GDX), conjugate gradient (CG, Fletcher–Reeves), BFGS, Levenberg–Marquardt (LM) and Bayesian
regularization (BR). Report B, section 1.1.1 and figure 1.1. In each repetition all six start from the same weights:

    "paper"   Nguyen & Widrow 1990 on every layer: 50 steps of width 1/50, side by side, and small output weights;
    "MATLAB"  as MATLAB's `initnw`, which the report used: the steps twice as steep, as it takes tanh to be active for
              inputs in [−2, 2], and output weights uniform in (−1, 1), as a linear unit's active range has no bounds.

Change first: `build`, a start of your own. Why do steeper steps help GDX and hurt BFGS? (Look at the right end of the
fits.) The test that guards it: tests/exercises/test_supervised_algorithms.py::test_every_start_is_spread_over_the_inputs.
"""
import shutil
from dataclasses import dataclass
from functools import partial

import numpy as np

import tinynn as tn
from exercises.card import Card, Config
from tinynn import nn, optim
from tinynn.scaling import MapMinMax
from tinynn.train.sweep import grid, sweep
from tinynn.viz.style import COLOURS

ALGORITHMS = {"GD": optim.GD, "GDX": optim.GDX, "CG": optim.ConjugateGradient, "BFGS": partial(optim.BFGS, c2=0.5),
              "LM": optim.LevenbergMarquardt, "BR": optim.BayesianRegularization}
COLOUR = dict(zip(ALGORITHMS, COLOURS))
REPORT_MSE = {"GD": 0.402, "GDX": 0.048, "CG": 1.03e-3, "BFGS": 4.4e-4, "LM": 6.7e-8, "BR": 6.1e-8}
REPORT_SECONDS = {"GD": 0.66, "GDX": 0.67, "CG": 2.71, "BFGS": 4.07, "LM": 2.97, "BR": 3.16}


@dataclass(frozen=True)
class TrainingConfig(Config):
    """units: in the hidden layer. iterations: of each algorithm. repetitions: random starts of each kind."""
    units: int = 50
    iterations: int = 500
    repetitions: int = 20
    starts: tuple = ("MATLAB", "paper")


CONFIG = TrainingConfig(takes="5 min")
QUICK = TrainingConfig(takes="8 s", quick=True, iterations=100, repetitions=2)

x = np.arange(0, 3 * np.pi, 0.01)                               # (943,), MATLAB's 0:0.01:3π
scale = MapMinMax.fit(x)


def build(units: int = 50, start: str = "MATLAB", rng: np.random.Generator | None = None) -> nn.Sequential:
    """The network 1-units-1 with tanh, for inputs in [−1, 1], at a random start of that kind (see above)."""
    model = nn.Sequential(nn.Linear(1, units), nn.Tanh(), nn.Linear(units, 1))
    nn.init.nguyen_widrow(model, rng=rng)
    if start == "MATLAB":
        for p in model[0].parameters():
            p.data = 2 * p.data
        for p in model[2].parameters():
            p.data = rng.uniform(-1, 1, p.shape)
    return model


def train(model: nn.Module, algorithm: str, x, t, iterations: int) -> dict:
    """Train on x, t, both (N,); MSE and seconds after 0, 1, 2, ... iterations."""
    x, t, loss = scale(x)[:, None], t[:, None], nn.MSELoss()    # (N,) -> (N, 1)
    history = tn.fit(model, x, t, loss=loss, optimizer=ALGORITHMS[algorithm](model.parameters()),
                     epochs=iterations, progress=False)
    return {"loss": np.array([*history.train_loss, tn.evaluate(model, x, t, loss)]),
            "seconds": np.array([0.0, *history.seconds]), "stop": history.stop_reason}


def predict(model: nn.Module, x) -> np.ndarray:
    """The network's y at x, (N,)."""
    with tn.no_grad():
        return model(scale(x)[:, None]).numpy()[:, 0]           # (N, 1) -> (N,)


def compare(setting: dict, rng: np.random.Generator) -> dict:
    """One repetition: every algorithm from the same start."""
    seed, runs = rng.integers(2**32), {}
    for name in ALGORITHMS:
        model = build(setting["units"], setting["start"], np.random.default_rng(seed))
        runs[name] = train(model, name, x, np.sin(x**2), setting["iterations"]) | {"y": predict(model, x)}
    return runs


def run(config: TrainingConfig) -> Card:
    card = Card.begin(__name__, config)
    folder = config.out / card.name / "jobs"                    # an interrupted run goes on from there
    table = sweep(compare, grid(start=config.starts, units=[config.units], iterations=[config.iterations]),
                  config.repetitions, config.seed, config.jobs, config.dask, resume=folder)
    runs = {row["start"]: {name: [result[name] for result in row["results"]] for name in ALGORITHMS} for row in table}
    add_rows(card, runs)
    draw_boxes(card, runs)
    draw_curves(card, runs)
    draw_fits(card, runs)
    shutil.rmtree(folder)
    return card


def final(results, what) -> np.ndarray:
    """The last value of each repetition: (repetitions,)."""
    return np.array([result[what][-1] for result in results])


def add_rows(card, runs):
    for start, of in runs.items():
        for name in ALGORITHMS:
            card.add_row(f"train MSE, {name}, {start}'s start", final(of[name], "loss"), report=REPORT_MSE[name])
    seconds = {name: np.concatenate([final(of[name], "seconds") for of in runs.values()]) for name in ALGORITHMS}
    for name in ALGORITHMS:
        card.add_row(f"time, {name}", seconds[name], unit="s", report=REPORT_SECONDS[name], comparable=False)
    for name in ALGORITHMS:
        card.add_row(f"time, {name} ÷ GD", seconds[name] / seconds["GD"],
                     report=REPORT_SECONDS[name] / REPORT_SECONDS["GD"], comparable=False)


def draw_boxes(card, runs):
    """As the report's figure 1.1."""
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(10, 4.2))
    place = np.arange(len(ALGORITHMS))
    for i, (start, of) in enumerate(runs.items()):
        for ax, what in zip(axes, ("loss", "seconds")):
            box = ax.boxplot([final(of[name], what) for name in ALGORITHMS], positions=place + 0.36 * i - 0.18, widths=0.28,
                             patch_artist=True, whis=(0, 100), medianprops={"color": "black"})
            for patch in box["boxes"]:
                patch.set(facecolor=COLOURS[i], alpha=0.6)
            box["boxes"][0].set_label(f"{start}'s start")
    axes[0].plot(place, list(REPORT_MSE.values()), "kD", markersize=4, label="the report's median, in MATLAB")
    for ax, label in zip(axes, ("train MSE", "training time (s)")):
        ax.set(yscale="log", ylabel=label)
        ax.set_xticks(place, ALGORITHMS)
    axes[0].legend()
    iterations, n = len(of["GD"][0]["loss"]) - 1, len(of["GD"])
    card.add_figure(fig, "errors_and_times", f"Train MSE and training time after {iterations} iterations. Boxes: "
                    f"quartiles and median of {n} random starts; whiskers: their range.")


def draw_curves(card, runs):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(len(runs), 2, figsize=(10, 3.4 * len(runs)), sharey=True, squeeze=False)
    for row, (start, of) in zip(axes, runs.items()):
        for name, results in of.items():
            loss, seconds = filled(results, "loss"), np.median(filled(results, "seconds"), axis=0)
            for ax, across in zip(row, (np.arange(loss.shape[1]), seconds)):
                ax.plot(across, np.median(loss, axis=0), color=COLOUR[name], label=name)
                ax.fill_between(across, loss.min(axis=0), loss.max(axis=0), color=COLOUR[name], alpha=0.2, lw=0)
        row[0].set(yscale="log", ylabel="train MSE", xlabel="iterations", title=f"{start}'s start")
        row[1].set(xscale="log", xlabel="median time so far (s)", xlim=1e-3)
    axes[0, 1].legend(ncols=2, loc="lower left")
    card.add_figure(fig, "progress", f"Train MSE against iterations and time: median and range of {len(results)} random "
                    "starts of each kind.")


def filled(results, what) -> np.ndarray:
    """The curves of all repetitions, (repetitions, longest); those that stopped early keep their last value."""
    longest = max(len(result[what]) for result in results)
    return np.array([np.pad(result[what], (0, longest - len(result[what])), mode="edge") for result in results])


def draw_fits(card, runs):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(3, len(runs), figsize=(10, 5.5), sharex=True, sharey=True, squeeze=False)
    for column, (start, of) in zip(axes.T, runs.items()):
        for ax, name in zip(column, ("GD", "CG", "LM")):
            ax.plot(x, np.sin(x**2), color="#bbbbbb", lw=3, label="sin(x²)")
            ax.plot(x, of[name][0]["y"], color=COLOUR[name], lw=1.2, label=name)
            ax.set(ylim=(-1.6, 1.6), ylabel="y" if column is axes[:, 0] else None)
            ax.legend(ncols=2, loc="lower left", framealpha=0.9, frameon=True)
        column[0].set_title(f"{start}'s start")
        column[-1].set_xlabel("x")
    card.add_figure(fig, "fits", "The fits of the first repetition.")
