"""Regularization: eight ways to keep a network from learning the noise, measured on one problem.

Report A (section 1.2.4) names L1, L2, dropout, early stopping, augmentation, batch normalization and ensembling, and
measures none of them. Here they meet on 40 noisy points of a sine, with a network of 1-20-20-1 tanh units that is far too
large: 481 parameters. Where a method has a strength, the value with the lowest validation error (median over all
repetitions) is the one that is tested. Within a repetition all methods see the same data and start from the same weights.
Tests are against the clean sine. Bayesian regularization (BR), which tunes itself and needs no validation set, is the eighth;
it is meant for more points than parameters, so it is tried on 1-10-1 units, too.

Change first: `sigma`. Without noise, who still helps? The test that guards the comparison:
tests/exercises/test_supervised_data.py::test_regularization_chooses_by_validation
"""
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import tinynn as tn
from exercises.card import Card, Config
from tinynn import nn, optim
from tinynn.train import sweep

# method: the strengths to choose from
METHODS = {
    "none": (0,),
    "L1": (1e-4, 3e-4, 1e-3),                   # times Σ|w|
    "L2": (1e-4, 3e-4, 1e-3),                   # times Σw²
    "dropout": (0.05, 0.1, 0.2),                # probability
    "early stopping": (50, 200),                # patience, in epochs
    "augmentation": (0.03, 0.06, 0.12),         # standard deviation of the noise added to x, anew in each epoch
    "batch norm": (0,),
    "ensemble": (5,),                           # networks
    "BR": (0,),
    "BR, 1-10-1": (0,),                         # a network of 31 parameters, fewer than there are points
}


@dataclass(frozen=True)
class AblationConfig(Config):
    """points: for training, and as many for validation. sigma: of the noise on their targets. epochs, rate: of Adam.
    br_epochs: of BR."""
    points: int = 40
    sigma: float = 0.3
    epochs: int = 2000
    br_epochs: int = 100
    rate: float = 0.01
    repetitions: int = 20


CONFIG = AblationConfig(takes="6 min")
QUICK = AblationConfig(takes="8 s", quick=True, epochs=200, br_epochs=20, repetitions=2)


def build(dropout=0.0, batch_norm=False, rng=None) -> nn.Sequential:
    """A network 1-20-20-1 of tanh units, with dropout or batch norm in its hidden layers if asked for."""
    layers = []
    for n_in in (1, 20):
        layers += [nn.Linear(n_in, 20, rng=rng)] + [nn.BatchNorm1d(20)] * batch_norm + [nn.Tanh()]
        layers += [nn.Dropout(dropout, rng=rng)] * (dropout > 0)
    return nn.Sequential(*layers, nn.Linear(20, 1, rng=rng))


def build_small(rng=None) -> nn.Sequential:
    """A network 1-10-1."""
    return nn.Sequential(nn.Linear(1, 10, rng=rng), nn.Tanh(), nn.Linear(10, 1, rng=rng))


def sample(points, sigma, rng) -> tuple:
    """x and noisy t, both (n, 1): a sine at random places in [−1, 1]."""
    x = rng.uniform(-1, 1, (points, 1))
    return x, np.sin(2 * np.pi * x) + sigma * rng.standard_normal(x.shape)


def train(method, strength, data, config, rng) -> nn.Module:
    """One network (or more), trained by one method."""
    (x, t), mse = data["train"], nn.MSELoss()
    if method == "ensemble":
        return Mean([train("none", 0, data, config, rng) for _ in range(strength)])
    model = build(strength if method == "dropout" else 0, method == "batch norm", rng)
    if method.startswith("BR"):
        model = build_small(rng) if "1-10-1" in method else model
        nn.init.nguyen_widrow(model, rng=rng)
        tn.fit(model, x, t, loss=mse, optimizer=optim.BayesianRegularization(model.parameters()), epochs=config.br_epochs,
               progress=False)
        return model
    penalty = {"L1": nn.l1_penalty, "L2": nn.l2_penalty}.get(method)

    def loss(y, target):
        return mse(y, target) + strength * penalty(model.parameters()) if penalty else mse(y, target)
    optimizer = optim.Adam(model.parameters(), lr=config.rate)
    if method == "augmentation":                                # a loop by hand: the inputs change in each epoch
        for _ in range(config.epochs):
            moved = x + strength * rng.standard_normal(x.shape)
            optimizer.step(lambda: mse(model(moved), t))
        return model
    stopping = {"validation": data["validation"], "patience": strength} if method == "early stopping" else {}
    tn.fit(model, x, t, loss=loss, optimizer=optimizer, epochs=config.epochs, progress=False, **stopping)
    return model


class Mean(nn.Module):
    """An ensemble: the mean of its members' outputs."""

    def __init__(self, members):
        self.members = members

    def forward(self, x):
        return sum(member(x) for member in self.members) / len(self.members)


def compare(setting: dict, rng: np.random.Generator) -> dict:
    """All methods and strengths on one draw of the data: {(method, strength): errors and curve}."""
    config, seed = setting["config"], rng.integers(2 ** 32)
    data = {part: sample(config.points, config.sigma, rng) for part in ("train", "validation")}
    x = np.linspace(-1, 1, 400)[:, None]
    data["clean"] = x, np.sin(2 * np.pi * x)
    results = {}
    for method, strengths in METHODS.items():
        for strength in strengths:
            model = train(method, strength, data, config, np.random.default_rng(seed)).eval()
            errors = {part: tn.evaluate(model, *data[part], nn.MSELoss()) for part in data}
            with tn.no_grad():
                results[method, strength] = {**errors, "y": model(x).numpy()[:, 0], "points": data["train"]}
    return results


def choose(runs) -> dict:
    """{method: the strength with the lowest median validation error}."""
    return {method: min(strengths, key=lambda s: np.median([run[method, s]["validation"] for run in runs]))
            for method, strengths in METHODS.items()}


def run(config: AblationConfig) -> Card:
    card = Card.begin(__name__, config)
    folder = config.out / card.name / "jobs"                    # an interrupted run goes on from there
    plain = replace(config, out=Path(), jobs=1, dask=None)      # what the results depend on, and nothing else
    runs = sweep(compare, [{"config": plain}], config.repetitions, config.seed, config.jobs, config.dask,
                 resume=folder)[0]["results"]
    chosen = choose(runs)
    errors = {method: {part: np.array([run[method, strength][part] for run in runs]) for part in ("train", "clean")}
              for method, strength in chosen.items()}
    order = sorted(errors, key=lambda method: np.median(errors[method]["clean"]))
    for method in order:
        name = f"{method} ({chosen[method]:g})" if len(METHODS[method]) > 1 else method
        card.add_row(f"test error, {name}", errors[method]["clean"])
    for method in order:
        wins = np.mean(errors[method]["clean"] < errors["none"]["clean"])
        card.add_row(f"beats no regularization, {method}", 100 * wins, unit="% of repetitions")
    draw_errors(card, errors, order, chosen, config)
    draw_fits(card, runs, order, chosen)
    card.pitfalls += [
        "A list of methods is not a comparison: all of these are said to help, and some help little or not at all here. "
        f"Best in the median: {order[0]}; no regularization is number {order.index('none') + 1} of {len(order)}.",
        "The strength must be chosen on validation data. Chosen on the test data, any method with more strengths to try would "
        "look better for that alone.",
        "BR estimates how many parameters the data determine, γ, and decays the weights accordingly. With 481 parameters for "
        f"{config.points} points the first estimate can go so wrong that γ falls to 0 and the network to a constant (an error "
        f"of 0.5): in {np.sum(errors['BR']['clean'] > 0.45)} of {config.repetitions} repetitions. On 1-10-1 units: "
        f"{np.sum(errors['BR, 1-10-1']['clean'] > 0.45)}.",
        f"The training error says nothing: none has {np.median(errors['none']['train']):.3f} and a test error of "
        f"{np.median(errors['none']['clean']):.3f}; {order[0]} has {np.median(errors[order[0]]['train']):.3f} and "
        f"{np.median(errors[order[0]]['clean']):.3f}. The noise has {config.sigma ** 2:.3f}.",
    ]
    shutil.rmtree(folder)
    return card


def draw_errors(card, errors, order, chosen, config):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(8, 4.6))
    for part, colour, shift, name in (("clean", "C0", 0.12, "test, against the clean sine"),
                                      ("train", "#aaaaaa", -0.12, "train, on noisy targets")):
        for i, method in enumerate(reversed(order)):
            values = errors[method][part]
            ax.plot(values, np.full(len(values), i + shift), "o", color=colour, markersize=3, alpha=0.5,
                    label=f"{name} ({config.repetitions} repetitions, | median)" if i == 0 else None)
            ax.plot(np.median(values), i + shift, "|", color=colour, markersize=16, markeredgewidth=2.5)
    ax.axvline(config.sigma ** 2, color="black", ls=":")
    ax.text(config.sigma ** 2, len(order) - 0.4, "noise σ²", ha="center", fontsize=8)
    ax.set_yticks(range(len(order)), [f"{m} ({chosen[m]:g})" if len(METHODS[m]) > 1 else m for m in reversed(order)])
    ax.set(xscale="log", xlabel="mean squared error")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    card.add_figure(fig, "errors", "Errors by method, the best first. In brackets the strength that validation chose.")


def draw_fits(card, runs, order, chosen):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True)
    x = np.linspace(-1, 1, 400)
    for ax, method in zip(axes, ("none", order[0], next(m for m in ("early stopping", "L2") if m != order[0]))):
        result = runs[0][method, chosen[method]]
        ax.plot(*result["points"], "o", color="#bbbbbb", markersize=4, label="training points")
        ax.plot(x, np.sin(2 * np.pi * x), color="black", lw=1, label="clean")
        ax.plot(x, result["y"], color="C1", label="network")
        ax.set(title=method, xlabel="x", ylim=(-2.2, 2.2))
    axes[0].set_ylabel("target")
    axes[0].legend()
    card.add_figure(fig, "fits", "Without regularization, with the best method, and with another, in the first repetition.")
