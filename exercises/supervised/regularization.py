"""Regularization: eight ways to keep a network from learning the noise, measured on one problem.

Report A (section 1.2.4) names L1, L2, dropout, early stopping, augmentation, batch normalization and ensembling, and
measures none of them. Here they meet on 40 noisy points of a sine, with a network of 1-20-20-1 tanh units that is far too
large: 481 parameters. The eighth is Bayesian regularization (BR), which tunes itself. All are tested on the clean sine.

The comparison is fair: within a repetition all methods see the same data and start from the same weights, and where a
method has a strength, the one with the lowest validation error (median of all repetitions) is tested.

Change first: `sigma`. Without noise, who still helps? The test that guards the comparison:
tests/exercises/test_supervised_data.py::test_regularization_chooses_by_validation
"""
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import tinynn as tn
from exercises.card import Card, Config
from tinynn import nn, optim
from tinynn.autograd.settings import default_rng
from tinynn.train import sweep, uninterrupted

# method: the strengths to choose from
METHODS = {
    "none": (0,),
    "L1": (3e-4, 1e-3, 3e-3),                   # times Σ|w|
    "L2": (1e-4, 3e-4, 1e-3, 3e-3),             # times Σw²
    "dropout": (0.02, 0.05, 0.1),               # probability
    "early stopping": (50, 200),                # patience, in epochs
    "augmentation": (0.015, 0.03, 0.06, 0.12),  # standard deviation of the noise added to x, anew in each epoch
    "batch norm": (0,),
    "ensemble": (5,),                           # networks
    "BR": (0,),
}


@dataclass(frozen=True)
class AblationConfig(Config):
    """points: for training, and as many for validation. sigma: of the noise on their targets. epochs, rate: of Adam.
    br_start, br_epochs: of Adam before BR, and of BR."""
    points: int = 40
    sigma: float = 0.3
    epochs: int = 2000
    rate: float = 0.01
    br_start: int = 300
    br_epochs: int = 100
    repetitions: int = 20


CONFIG = AblationConfig(takes="2 min")
QUICK = AblationConfig(takes="8 s", quick=True, epochs=200, br_start=100, br_epochs=20, repetitions=2)


class Jitter(nn.Module):
    """Augmentation: inputs that move a little, by Gaussian noise of standard deviation `sigma`, in training only."""

    def __init__(self, sigma: float, rng):
        self.sigma, self.rng = sigma, rng

    def forward(self, x):
        return x + self.sigma * self.rng.standard_normal(x.shape) if self.training else x


class Mean(nn.Module):
    """An ensemble: the mean of its members' outputs."""

    def __init__(self, members: list):
        self.members = members

    def forward(self, x):
        return sum(member(x) for member in self.members) / len(self.members)


def build(method="none", strength=0.0, rng=None) -> nn.Sequential:
    """A network 1-20-20-1 of tanh units, with jitter, batch norm or dropout where the method is one of these."""
    rng = default_rng(rng)
    layers = [Jitter(strength, rng)] if method == "augmentation" else []
    for n_in in (1, 20):
        layers.append(nn.Linear(n_in, 20, rng=rng))
        if method == "batch norm":
            layers.append(nn.BatchNorm1d(20))
        layers.append(nn.Tanh())
        if method == "dropout":
            layers.append(nn.Dropout(strength, rng=rng))
    return nn.Sequential(*layers, nn.Linear(20, 1, rng=rng))


def sample(points, sigma, rng) -> tuple:
    """x and noisy t, both (n, 1): a sine at random places in [−1, 1]."""
    x = rng.uniform(-1, 1, (points, 1))
    return x, np.sin(2 * np.pi * x) + sigma * rng.standard_normal(x.shape)


def train(method, strength, data, config, rng) -> nn.Module:
    """One network (or more), trained by one method."""
    if method == "ensemble":
        return Mean([train("none", 0, data, config, rng) for _ in range(strength)])
    model, mse = build(method, strength, rng), nn.MSELoss()
    penalty = {"L1": nn.l1_penalty, "L2": nn.l2_penalty}.get(method)

    def loss(y, target):
        return mse(y, target) + strength * penalty(model.parameters()) if penalty else mse(y, target)

    def go_on(loss, optimizer, epochs, **stopping):
        uninterrupted(tn.fit(model, *data["train"], loss=loss, optimizer=optimizer, epochs=epochs, progress=False, **stopping))
    stopping = {"validation": data["validation"], "patience": strength} if method == "early stopping" else {}
    go_on(loss, optim.Adam(model.parameters(), lr=config.rate), config.br_start if method == "BR" else config.epochs,
          **stopping)
    if method == "BR":
        optimizer = optim.BayesianRegularization(model.parameters())
        optimizer.gamma = config.points / 2             # of 481 parameters, 40 points can't determine more than 40
        go_on(mse, optimizer, config.br_epochs)
    return model


def compare(setting: dict, rng: np.random.Generator) -> dict:
    """All methods and strengths on one draw of the data: {(method, strength): errors and fit}."""
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
    folder = card.unfinished(config.out)
    plain = replace(config, out=Path(), jobs=1, dask=None)      # what the results depend on, and nothing else
    runs = sweep(compare, [{"config": plain}], config.repetitions, config.seed, config.jobs, config.dask,
                 resume=folder)[0]["results"]
    chosen = choose(runs)
    errors = {method: {part: np.array([run[method, strength][part] for run in runs]) for part in ("train", "clean")}
              for method, strength in chosen.items()}
    order = sorted(errors, key=lambda method: np.median(errors[method]["clean"]))
    names = {m: f"{m} ({chosen[m]:g})" if len(METHODS[m]) > 1 else m for m in order}
    for method in order:
        card.add_row(f"test error, {names[method]}", errors[method]["clean"])
    for method in order:
        if method != "none":
            wins = np.mean(errors[method]["clean"] < errors["none"]["clean"])
            card.add_row(f"beats no regularization, {names[method]}", 100 * wins, unit="% of repetitions")
    add_pitfalls(card, errors, order, config)
    draw_errors(card, errors, order, names, config)
    draw_fits(card, runs, order, chosen, names)
    return card


def add_pitfalls(card, errors, order, config):
    median = {(method, part): f"{np.median(errors[method][part]):.3f}" for method in order for part in errors[method]}
    best = order[0]
    card.pitfalls += [
        "A list of methods is not a comparison: all of these are said to help, and they don't help alike. Best in the median "
        f"here: {best}; no regularization is number {order.index('none') + 1} of {len(order)}.",
        "The strength must be chosen on validation data. Chosen on the test data, any method with more strengths to try would "
        "look better for that alone.",
        f"The training error says nothing: none has {median['none', 'train']} and a test error of {median['none', 'clean']}; "
        f"{best} has {median[best, 'train']} and {median[best, 'clean']}. The noise has {config.sigma ** 2:.3f}.",
        "BR estimates how many parameters the data determine, γ, and decays the weights accordingly. The usual first guess is "
        f"all 481, which {config.points} points can't do: from there, and from random weights, γ and the weights go to 0 and "
        f"stay there. So Adam starts the training here, and γ starts from {config.points / 2:g}.",
    ]


def draw_errors(card, errors, order, names, config):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(8, 4.6))
    for part, colour, shift, label in (("clean", "C0", 0.12, "test, against the clean sine"),
                                       ("train", "#aaaaaa", -0.12, "train, on noisy targets")):
        for i, method in enumerate(reversed(order)):
            values = errors[method][part]
            ax.plot(values, np.full(len(values), i + shift), "o", color=colour, markersize=3, alpha=0.5,
                    label=label if i == 0 else None)
            ax.plot(np.median(values), i + shift, "|", color=colour, markersize=16, markeredgewidth=2.5)
    if config.sigma:
        ax.axvline(config.sigma ** 2, color="black", ls=":")
        ax.text(config.sigma ** 2, len(order) - 0.4, "noise σ²", ha="center", fontsize=8)
    ax.set_yticks(range(len(order)), [names[method] for method in reversed(order)])
    ax.set(xscale="log", xlabel="mean squared error")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    card.add_figure(fig, "errors", f"Errors by method, the best first: a dot for each of {config.repetitions} repetitions, a "
                    "line for their median. In brackets the strength that validation chose.")


def draw_fits(card, runs, order, chosen, names):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True)
    x = np.linspace(-1, 1, 400)
    for ax, method in zip(axes, ["none", *(method for method in order if method != "none")]):
        result = runs[0][method, chosen[method]]
        ax.plot(*result["points"], "o", color="#bbbbbb", markersize=4, label="training points")
        ax.plot(x, np.sin(2 * np.pi * x), color="black", lw=1, label="clean")
        ax.plot(x, result["y"], color="C1", label="network")
        ax.set(title=names[method], xlabel="x", ylim=(-2.2, 2.2), xticks=(-1, -0.5, 0, 0.5, 1))
    axes[0].set_ylabel("target")
    axes[0].legend(loc="lower left")
    card.add_figure(fig, "fits", "Without regularization, and with the two best methods, in the first repetition.")
