"""The laser by recurrent networks: RNN, GRU and LSTM, beside a lagged MLP trained the same way.

As in laser_mlp, a network learns the next value of a chaotic laser (Santa Fe, data set A) from the `lag` values before it,
and then forecasts 100 values in closed loop, its feedback clipped to the range of the training values. A recurrent layer
reads the window one value at a time, from a state of zeros; a linear layer reads its last state. Adam, on batches, with
report B's rates: 0.005, and a fifth of it from epoch 150 (report B, 2.3; report A, 2.2.2–2.2.3 and table 2.1).
The last epoch's network is scored, once; no value of the 100 trains or chooses anything.

Scores: NMSE = MSE ÷ variance of the 100 values; "standardised" MSE ÷ variance of the 1000 training values.
Change first: `lag`. What can the LSTM do with 5 values that the MLP can't? The test that guards the layers:
tests/nn/test_recurrent.py::test_equals_pytorch
"""
import shutil
from dataclasses import dataclass

import numpy as np

import tinynn as tn
from exercises.card import Card, Config
from tinynn import nn, optim
from tinynn.data import santa_fe_laser
from tinynn.train import grid, horizon, mse, nmse, sweep, windows
from tinynn.viz.style import COLOURS

from ._laser import Laser, draw_forecasts, draw_horizon

REPORT_B = {"standardised MSE": 0.0370, "standardised MSE of the first 60 steps": 0.0060, "NMSE": 0.026}
REPORT_A = np.array([[.628, .644, .650, .622], [.112, .046, .058, .087], [.180, .068, .176, .205], [.136, .149, .275, .532]])
WINNER = 0.028                                                  # NMSE of the competition's winner, Wan's network
KINDS = {"MLP": None, "RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
COLOUR = dict(zip(KINDS, COLOURS))


@dataclass(frozen=True)
class LSTMConfig(Config):
    """units, lag: of the networks compared, `runs` of each. rate: lr, times `drop` after every `drop_epoch` epochs.
    table_units, table_lags, table_runs: of the LSTM's table."""
    units: int = 30
    lag: int = 30
    epochs: int = 300
    batch: int = 16
    rate: float = 0.005
    drop: float = 0.2
    drop_epoch: int = 150
    runs: int = 10
    table_units: tuple = (5, 10, 20, 30)
    table_lags: tuple = (5, 10, 20, 30)
    table_runs: int = 5


CONFIG = LSTMConfig(takes="10 min")
QUICK = LSTMConfig(takes="8 s", quick=True, units=8, lag=10, epochs=4, batch=128, drop_epoch=3, runs=2, table_units=(4,),
                   table_lags=(5, 10), table_runs=1)


class Reader(nn.Module):
    """A recurrent layer over the window, and a linear layer on its last state: (M, lag, 1) -> (M, 1)."""

    def __init__(self, layer, units, rng):
        self.layer, self.head = layer(1, units, rng=rng), nn.Linear(units, 1, rng=rng)

    def forward(self, x):
        output, _ = self.layer(x)                               # (M, lag, 1) -> (M, lag, units)
        return self.head(output[:, -1])                         # (M, units) -> (M, 1)


def build(kind="LSTM", units=30, lag=30, rng=None) -> nn.Module:
    """A network that reads windows (M, lag, 1), in float32; the MLP flattens them first."""
    if kind == "MLP":
        model = nn.Sequential(nn.Flatten(), nn.Linear(lag, units, rng=rng), nn.Tanh(), nn.Linear(units, 1, rng=rng))
    else:
        model = Reader(KINDS[kind], units, rng)
    return model.astype(np.float32)


def learn(setting: dict, rng: np.random.Generator) -> dict:
    """Train one network on setting["series"] (scaled), and forecast."""
    laser = Laser(setting["data"], recurrent=True)
    x, y = (a.astype(np.float32) for a in windows(laser.series, setting["lag"]))
    model = build(setting["kind"], setting["units"], setting["lag"], rng)
    rate = optim.schedules.step(setting["rate"], setting["drop_epoch"], setting["drop"])
    optimizer = optim.Adam(model.parameters(), lr=rate)
    history = tn.fit(model, x[:, :, None], y[:, None], loss=nn.MSELoss(), optimizer=optimizer, epochs=setting["epochs"],
                     batch_size=setting["batch"], rng=rng, progress=False)      # (n, lag) -> (n, lag, 1); (n,) -> (n, 1)
    return {"forecast": laser.forecast(model, setting["lag"]), "losses": np.array(history.train_loss),
            "free": laser.forecast(model, setting["lag"], clip=False), "seconds": history.seconds[-1]}


def run(config: LSTMConfig) -> Card:
    card = Card.begin(__name__, config)
    data = card.use(santa_fe_laser())
    laser, folder = Laser(data), config.out / card.name / "jobs"        # an interrupted run goes on from there
    same = {"data": [data], **{name: [getattr(config, name)] for name in ("epochs", "batch", "rate", "drop", "drop_epoch")}}

    def runs(repetitions, **choices):
        return sweep(learn, grid(**same, **choices), repetitions, config.seed, config.jobs, config.dask, resume=folder)
    results = {row["kind"]: row["results"] for row in runs(config.runs, kind=list(KINDS), units=[config.units],
                                                           lag=[config.lag])}
    table = runs(config.table_runs, kind=["LSTM"], lag=config.table_lags, units=config.table_units)
    forecasts = {kind: np.array([result["forecast"] for result in of]) for kind, of in results.items()}     # (runs, steps)
    errors = {(row["lag"], row["units"]): np.array([mse(laser.test, result["forecast"]) for result in row["results"]])
              / laser.train.var() for row in table}                                                         # (table_runs,)
    add_rows(card, laser, forecasts, results, errors)
    add_pitfalls(card, laser, forecasts, results, errors)
    draw_forecasts(card, laser, forecasts, {kind: COLOUR[kind] for kind in ("LSTM", "MLP")})
    draw_kinds(card, laser, forecasts, results, config)
    draw_table(card, errors, config)
    draw_horizon(card, laser, forecasts, COLOUR)
    shutil.rmtree(folder)
    return card


def add_rows(card, laser, forecasts, results, errors):
    variance = laser.train.var()
    for kind, of in forecasts.items():
        scores = {"standardised MSE": mse(laser.test, of) / variance,
                  "standardised MSE of the first 60 steps": mse(laser.test[:60], of[:, :60]) / variance,
                  "NMSE": nmse(laser.test, of)}
        for name, values in scores.items():
            card.add_row(f"{name}, {kind}", values, report=REPORT_B[name] if kind == "LSTM" else None)
        card.add_row(f"horizon until |error| > σ/2, {kind}", horizon(laser.test, of, laser.train.std() / 2), unit="steps",
                     better="higher")
        card.add_row(f"training time, {kind}", [result["seconds"] for result in results[kind]], unit="s")
    card.add_row("NMSE, the best LSTM in hindsight (beside: the competition's winner)",
                 nmse(laser.test, forecasts["LSTM"]).min(), report=WINNER)
    for (lag, units), values in errors.items():
        card.add_row(f"standardised MSE, LSTM, lag {lag} × {units} units", values)
    card.add_row("standardised MSE, LSTM, the best median of the table", min(np.median(values) for values in errors.values()),
                 report=REPORT_A.min(), comparable=False)


def add_pitfalls(card, laser, forecasts, results, errors):
    scores = nmse(laser.test, forecasts["LSTM"])
    last = {kind: np.median([result["losses"][-1] for result in of]) for kind, of in results.items()}
    free = np.array([nmse(laser.test, result["free"]) for result in results["LSTM"]])
    lags = sorted({lag for lag, _ in errors})
    by_lag = [np.median([np.median(values) for (lag, _), values in errors.items() if lag == of]) for of in lags]
    card.pitfalls += [
        f"One network is not a result. Of {len(scores)} LSTMs that differ in nothing but the seed, the best has an NMSE of "
        f"{scores.min():.3f}, the worst {scores.max():.3f}, the median {np.median(scores):.3f}. Report B's 0.026 is one "
        "network.",
        "A small one-step error promises little about 100 steps in closed loop. In the order of the one-step training errors: "
        + ", ".join(f"{kind} {last[kind]:.1e} (NMSE {np.median(nmse(laser.test, forecasts[kind])):.2f})"
                    for kind in sorted(last, key=last.get)) + ".",
        "The lag decides more than the units. Medians over the units here: "
        + ", ".join(f"lag {lag}: {value:.2g}" for lag, value in zip(lags, by_lag))
        + f". In report A's table, too: its first row is {REPORT_A[0].min()} to {REPORT_A[0].max()} whatever the units, its "
        f"best entry, {REPORT_A.min()}, is in the second; its prose says otherwise.",
        f"Without clipping, the LSTM's median NMSE is {np.median(free):.3f} instead of {np.median(scores):.3f}, the worst "
        f"{free.max():.3g}: its last state is bounded, and so is what it feeds back. An MLP's is, too; one with ReLU is not.",
    ]


def draw_kinds(card, laser, forecasts, results, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(10, 3.8))
    for i, (kind, of) in enumerate(forecasts.items()):
        values = nmse(laser.test, of)
        axes[0].plot(i + np.linspace(-0.2, 0.2, len(values)), values, "o", color=COLOUR[kind], alpha=0.6)
        axes[0].plot([i - 0.34, i + 0.34], [np.median(values)] * 2, color=COLOUR[kind], lw=2.5)
        losses = np.array([result["losses"] for result in results[kind]])                       # (runs, epochs)
        axes[1].plot(1 + np.arange(losses.shape[1]), np.median(losses, axis=0), color=COLOUR[kind], label=kind)
    axes[0].axhline(REPORT_B["NMSE"], color="k", ls=":", lw=1.2, label="report B's LSTM")
    axes[0].set(yscale="log", ylabel="NMSE of the test values")
    axes[0].set_xticks(range(len(forecasts)), forecasts)
    axes[0].legend()
    axes[1].set(yscale="log", xlabel="epochs", ylabel="one-step training MSE (range scaled to [−1, 1])")
    axes[1].legend()
    card.add_figure(fig, "kinds", f"Left: a dot is a network ({config.runs} of each kind, {config.units} units, lag "
                    f"{config.lag}), the bar their median. Right: the median training error.")


def draw_table(card, errors, config):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(5.6, 3.6))
    table = np.array([[np.median(errors[lag, units]) for units in config.table_units] for lag in config.table_lags])
    ax.imshow(np.log10(table), cmap="viridis_r", aspect="auto", vmin=-1.5, vmax=0.5)
    for (i, j), value in np.ndenumerate(table):
        ax.text(j, i, f"{value:.2g}", ha="center", va="center", color="white" if value > 0.3 else "black")
    ax.set_xticks(range(len(config.table_units)), config.table_units)
    ax.set_yticks(range(len(config.table_lags)), config.table_lags)
    ax.grid(False)
    ax.set(xlabel="units", ylabel="lag (steps)", title="LSTM: standardised MSE")
    card.add_figure(fig, "table", f"Closed-loop MSE ÷ variance of the training values: median of {config.table_runs} LSTMs.")
