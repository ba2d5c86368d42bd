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

import numpy as np

import tinynn as tn
from exercises.card import Card, Config
from tinynn import nn, optim
from tinynn.scaling import MapMinMax
from tinynn.train.sweep import grid, sweep
from tinynn.viz.style import COLOURS

ALGORITHMS = {"GD": optim.GD, "GDX": optim.GDX, "CG": optim.ConjugateGradient, "BFGS": optim.BFGS,
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


def add_rows(card, runs):
    for start, of in runs.items():
        for name in ALGORITHMS:
            card.add_row(f"train MSE, {name}, {start}'s start", last(of[name], "loss"), report=REPORT_MSE[name])
    together = {name: np.concatenate([last(of[name], "seconds") for of in runs.values()]) for name in ALGORITHMS}
    for name, seconds in together.items():
        card.add_row(f"time, {name}", seconds, unit="s", report=REPORT_SECONDS[name], comparable=False)
    for name, seconds in together.items():
        card.add_row(f"time, {name} ÷ GD", seconds / together["GD"],
                     report=REPORT_SECONDS[name] / REPORT_SECONDS["GD"], comparable=False)
