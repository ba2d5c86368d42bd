"""Personal regression: a surface of one's own, learned to five digits by Bayesian regularization.

T(x₁, x₂) mixes five surfaces over the unit square by the digits of a student number (report B, section 1.2: 8, 8, 7, 5, 1).
Three disjoint samples of 1000 rows are drawn: one trains, one chooses, one tests. Levenberg–Marquardt (LM) goes through a
grid of networks with early stopping; then Bayesian regularization (BR) trains 10-10-10 tanh units; stochastic gradient
descent (SGD, report A's choice) is there for comparison. Inputs and target are scaled to [−1, 1] by the training rows;
all errors are mean squares in the units of T, on rows that the network has not seen, unless they say train.

Change first: `br_iterations`. Does the test error follow the training error down? The test that guards the sampling:
tests/exercises/test_supervised_data.py::test_samples_are_disjoint_whole_rows
"""
from dataclasses import dataclass

import numpy as np

import tinynn as tn
from exercises.card import Card, Config
from tinynn import nn, optim
from tinynn.data import disjoint_samples, regression_problem
from tinynn.scaling import MapMinMax
from tinynn.train import grid, sweep

PARTS = ("train", "validation", "test")
REPORT_BR = {"train": 2.50e-9, "validation": 4.41e-9, "test": 3.05e-9}
REPORT_LM = {(1, 10): 2.6e-4, (1, 30): 2.5e-7, (2, 10): 6.8e-8, (2, 20): 9.6e-9, (3, 10): 1.1e-8}


@dataclass(frozen=True)
class RegressionConfig(Config):
    """digits: of the student number. samples: rows each for training, validation and test. The rest: see the names."""
    digits: tuple = (8, 8, 7, 5, 1)
    samples: int = 1000
    layers: tuple = (1, 2, 3)
    units: tuple = (10, 20, 30)
    iterations: int = 1000
    patience: int = 10
    repetitions: int = 5
    br_runs: int = 10
    br_iterations: int = 4000
    sgd_units: tuple = (3, 10, 20)
    sgd_rates: tuple = (0.01, 0.001, 0.0001)
    sgd_epochs: int = 100


CONFIG = RegressionConfig(takes="20 min")
QUICK = RegressionConfig(takes="10 s", quick=True, layers=(1, 2), units=(10,), iterations=40, repetitions=2, br_runs=2,
                         br_iterations=80, sgd_units=(10,), sgd_rates=(0.01,), sgd_epochs=10)


def build(hidden=(10, 10, 10), activation=nn.Tanh, rng=None) -> nn.Sequential:
    """A network 2-hidden-1, from a Nguyen–Widrow start on every layer."""
    layers = []
    for n_in, n_out in zip((2, *hidden), (*hidden, 1)):
        layers += [nn.Linear(n_in, n_out), activation()]
    model = nn.Sequential(*layers[:-1])
    nn.init.nguyen_widrow(model, rng=rng)
    return model


def draw_samples(digits, samples, rng) -> dict:
    """{"train", "validation", "test"}: (x (n, 2), t (n, 1)), scaled by the training rows; "all": the same, of all rows;
    "rows": which ones the three parts are; "unit": T² per scaled square."""
    problem = regression_problem(digits)
    x, t = problem.x_train, problem.y_train[:, None]                    # (13600, 2), (13600,) -> (13600, 1)
    rows = dict(zip(PARTS, disjoint_samples(len(x), (samples,) * 3, rng)))
    scale_x, scale_t = MapMinMax.fit(x[rows["train"]]), MapMinMax.fit(t[rows["train"]])
    x, t = scale_x(x), scale_t(t)
    parts = {part: (x[i], t[i]) for part, i in rows.items()}
    return {**parts, "all": (x, t), "rows": rows, "unit": float(scale_t.high[0] - scale_t.low[0]) ** 2 / 4}


def train(setting: dict, rng: np.random.Generator) -> dict:
    """One run: new samples, a new start. Returns the errors in the units of T, and how training went."""
    data = draw_samples(setting["digits"], setting["samples"], rng)
    model = build((setting["units"],) * setting["layers"], setting.get("activation", nn.Tanh), rng)
    make = {"LM": optim.LevenbergMarquardt, "BR": optim.BayesianRegularization, "SGD": optim.GD}[setting["algorithm"]]
    if setting["algorithm"] == "SGD":
        optimizer, batch = make(model.parameters(), lr=setting["rate"]), 32
    else:                                       # MATLAB's min_grad is 1e-7; here patience and epochs are to decide
        optimizer, batch = make(model.parameters(), min_grad=1e-12), None
    x, t = data["train"]
    if setting.get("break pairs"):
        t = rng.permutation(t)
    history = tn.fit(model, x, t, loss=nn.MSELoss(), optimizer=optimizer, epochs=setting["epochs"], batch_size=batch,
                     validation=data["validation"], patience=setting.get("patience"), rng=rng, progress=False)
    errors = {part: tn.evaluate(model, *data[part], nn.MSELoss()) * data["unit"] for part in PARTS}
    with tn.no_grad():
        off = (model(data["all"][0]).numpy() - data["all"][1])[:, 0] * np.sqrt(data["unit"])   # (13600, 1) -> (13600,)
    curves = {"train": np.array(history.train_loss) * data["unit"], "validation": np.array(history.val_loss) * data["unit"],
              "gamma": np.array(history.info.get("gamma", []))}
    return {**errors, "epochs": len(history), "stop": history.stop_reason, "curves": curves, "off": off,
            "rows": data["rows"]}


def run(config: RegressionConfig) -> Card:
    card = Card.begin(__name__, config)
    problem = card.use(regression_problem(config.digits))
    folder = card.unfinished(config.out)
    same = {"digits": [config.digits], "samples": [config.samples]}

    def runs(repetitions, **choices):
        return sweep(train, grid(**same, **choices), repetitions, config.seed, config.jobs, config.dask, resume=folder)
    lm = runs(config.repetitions, algorithm=["LM"], layers=config.layers, units=config.units,
              epochs=[config.iterations], patience=[config.patience])
    br = runs(config.br_runs, algorithm=["BR"], layers=[3], units=[10], epochs=[config.br_iterations])[0]["results"]
    sgd = runs(1, algorithm=["SGD"], layers=config.layers, units=config.sgd_units, activation=[nn.Tanh, nn.ReLU],
               rate=config.sgd_rates, epochs=[config.sgd_epochs])
    broken = runs(1, algorithm=["LM"], layers=[1], units=[10], epochs=[config.iterations], patience=[config.patience],
                  **{"break pairs": [True]})[0]["results"][0]
    best = best_of([{"results": br}])
    add_rows(card, lm, br, best, sgd)
    add_pitfalls(card, problem, config, broken, br, best, sgd)
    draw_maps(card, problem, best)
    draw_grid(card, lm, sgd, config)
    draw_training(card, br, config)
    return card


def add_rows(card, lm, br, best, sgd):
    for part, report in REPORT_BR.items():
        card.add_row(f"BR 10-10-10, {part} MSE of the best of {len(br)} by validation", best[part], report=report)
    card.add_row("BR 10-10-10, test MSE", [result["test"] for result in br], report=REPORT_BR["test"])
    card.add_row("BR 10-10-10, iterations", [result["epochs"] for result in br])
    card.add_row("BR 10-10-10, effective parameters γ (of 261)", [result["curves"]["gamma"][-1] for result in br])
    for row in lm:
        name = f"LM {'-'.join([str(row['units'])] * row['layers'])}, test MSE"
        card.add_row(name, [r["test"] for r in row["results"]], report=REPORT_LM.get((row["layers"], row["units"])))
    card.add_row(f"SGD, best of {len(sgd)} settings by validation, test MSE",
                 best_of(sgd)["test"])


def best_of(rows) -> dict:
    """The result with the least validation error."""
    return min((result for row in rows for result in row["results"]), key=lambda result: result["validation"])


def add_pitfalls(card, problem, config, broken, br, best, sgd):
    rng, pool, n = np.random.default_rng(config.seed), len(problem.x_train), config.samples
    shared = len(np.intersect1d(rng.choice(pool, n, replace=False), rng.choice(pool, n, replace=False)))
    reached = [max(config.br_iterations // k, 1) for k in (8, 4, 2, 1)]
    later = [np.median([result["curves"]["validation"][:n][-1] for result in br]) for n in reached]
    card.pitfalls += [
        "A row is a pair (x, t). Sampling the columns of inputs and of targets independently destroys the pairs: trained "
        f"so, LM has a test error of {broken['test']:.2g}, about the variance of T, {problem.y_train.var():.2g}. "
        "Nothing crashes; only a look at the error against the variance tells.",
        f"Test rows drawn from the same pool as the training rows overlap: of {n}, {shared} were among {n} training rows "
        f"here ({n * n / pool:.0f} expected). They measure memory. The samples must be disjoint.",
        "Report A trained by SGD and got a test error of 0.231 (other digits, other units: not comparable). The best SGD "
        f"here is {np.sqrt(best_of(sgd)['test'] / best['test']):,.0f} times as far off as BR (root mean squares). For a few "
        "hundred parameters and exact targets, second-order methods are another world.",
        "The number of iterations decides. BR's validation error in the median: "
        + ", ".join(f"{error:.1g} after {n}" for n, error in zip(reached, later)) + ". A report of it must state the number.",
    ]


def draw_maps(card, problem, best):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(2, 2, figsize=(9.5, 7.6))
    x, t, off = problem.x_train, problem.y_train, best["off"]
    train, test = best["rows"]["train"], best["rows"]["test"]
    heights = "viridis", np.linspace(t.min(), t.max(), 21), np.arange(np.ceil(2 * t.min()), 2 * t.max()) / 2
    panels = [(t, "The target, and where it was sampled", "T", *heights),
              (t + off, "What BR learned", "prediction", *heights),
              (np.log10(np.abs(off) + 1e-12), "Its error", "log₁₀ |prediction − T|", "magma", np.arange(-7, 0.6, 0.5),
               range(-7, 1))]
    for ax, (values, name, label, colours, levels, ticks) in zip(axes.flat, panels):
        shades = ax.tricontourf(*x.T, values, levels=levels, cmap=colours, extend="both")
        fig.colorbar(shades, ax=ax, label=label, ticks=ticks)
        ax.set(title=name, xlabel="x₁", ylabel="x₂", xlim=(0, 1), ylim=(0, 1))
    axes[0, 0].plot(*x[train].T, ".", color="white", markersize=1.5)
    axes[1, 1].axline((t.mean(), t.mean()), slope=1, color="black", lw=1)
    axes[1, 1].plot(t[test], t[test] + off[test], ".", color="C1", markersize=3)
    axes[1, 1].set(title=f"Test rows, off by {np.sqrt(best['test']):.1g} (root mean square)", xlabel="T", ylabel="prediction")
    card.add_figure(fig, "surface", f"The surface at all {len(t)} rows, the network that BR learned from {len(train)} of them "
                    "(the best of its runs by validation), where it is wrong, and its predictions on the test rows.")


def draw_grid(card, lm, sgd, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 1 + len(config.sgd_rates), figsize=(12, 3.4), squeeze=False)

    def heat(ax, rows, layers, units, name):
        table = np.log10([[np.median([r["test"] for row in rows if (row["layers"], row["units"]) == (i, j)
                                      for r in row["results"]]) for j in units] for i in layers])
        ax.imshow(table, cmap="viridis_r", aspect="auto")
        for (i, j), value in np.ndenumerate(table):
            ax.text(j, i, f"{10 ** value:.1e}", ha="center", va="center", fontsize=8,
                    color="white" if value > table.mean() else "black")
        ax.set_xticks(range(len(units)), units)
        ax.set_yticks(range(len(layers)), layers)
        ax.grid(False)
        ax.set(title=name, xlabel="units in a layer", ylabel="hidden layers")
    heat(axes[0, 0], lm, config.layers, config.units, "LM")
    for ax, rate in zip(axes[0, 1:], config.sgd_rates):
        heat(ax, [row for row in sgd if row["rate"] == rate], config.layers, config.sgd_units, f"SGD, rate {rate:g}")
    card.add_figure(fig, "grid", f"Test MSE over the grid, the lightest the best. LM: median of {config.repetitions} runs, "
                    f"each with its own samples and start, stopped after {config.patience} iterations without a better one by "
                    f"validation. SGD: batches of 32, {config.sgd_epochs} epochs, median of tanh and relu.")


def draw_training(card, br, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(10, 4))
    for i, result in enumerate(br):
        for part, colour in (("train", "C0"), ("validation", "C1")):
            axes[0].plot(result["curves"][part], color=colour, lw=0.9, alpha=0.7, label=part if i == 0 else None)
        axes[1].plot(result["curves"]["gamma"], color="C2", lw=0.9, alpha=0.7)
    axes[0].axhline(REPORT_BR["test"], color="black", ls=":", label="the report's test error")
    axes[0].set(yscale="log", xlabel="iterations", ylabel="MSE (units of T, squared)", title="BR, 10-10-10 units")
    axes[0].legend()
    axes[1].axhline(261, color="black", ls=":")
    axes[1].text(0, 261, "all 261 parameters", va="bottom", fontsize=8)
    axes[1].set(xlabel="iterations", ylabel="effective parameters γ", ylim=(0, 290), title="What the data determine")
    card.add_figure(fig, "training", f"The {config.br_runs} runs of BR, one line each, with their own samples and starts.")
