"""Three optimizers, one convolutional network: Adam, SGD and Adadelta on MNIST, from the same start.

Report A (1.1.5–1.1.6, table 1.4) trains conv 3 × 3 × 32, pool, conv 3 × 3 × 64, pool, dropout, dense 10, by Adam, then SGD,
then Adadelta, and gets better each time: test loss .025648, .022971, .022916. Is each optimizer better than the one before,
or did each start where the one before had stopped? So here each trains from random weights, the same for all three (within
a repetition), and in one repetition also in a chain, where only the optimizer is new.

SGD is gradient descent on mini-batches, without momentum: `optim.GD`. All rates fall to 0 along half a cosine. Everything in
OPTIMIZERS and CONFIG was chosen by training images that no network learned from; the test images are looked at when training
has ended. (What SGD had with a rate of 0.2 and 12 epochs was known, 0.9912, when such images chose 0.3.) All in float32.

Change first: `dropout`, to 0. What does the validation loss do, and does the test loss agree? The test of the same start:
tests/exercises/test_mnist_optimizers.py::test_all_optimizers_have_the_same_start
"""
from dataclasses import dataclass

import numpy as np

from exercises.card import Card, Config
from exercises.features._digits import by_chance, logits, score, split, train
from tinynn import nn, optim
from tinynn.autograd.settings import default_rng
from tinynn.data import mnist
from tinynn.train import sweep
from tinynn.viz import COLOURS, plain_numbers

OPTIMIZERS = {"Adam": (optim.Adam, 0.002), "SGD": (optim.GD, 0.3), "Adadelta": (optim.Adadelta, 1.0)}   # and its rate
REPORT = {"Adam": (.025648, .9909), "SGD": (.022971, .9917), "Adadelta": (.022916, .9918)}              # test loss, accuracy
CHAIN = tuple(OPTIMIZERS)
COLOUR = dict(zip(OPTIMIZERS, COLOURS))


@dataclass(frozen=True)
class OptimizersConfig(Config):
    """images, validation, test: how many to learn from, to choose by, and to test by. epochs, batch: of each training. chains:
    so many of the runs (at least 1) go on from Adam's network."""
    images: int = 55000
    validation: int = 5000
    test: int = 10000
    epochs: int = 14
    batch: int = 64
    dropout: float = 0.25
    runs: int = 3
    chains: int = 1


CONFIG = OptimizersConfig(takes="24 min")
QUICK = OptimizersConfig(takes="10 s", quick=True, images=1000, validation=200, test=500, epochs=2, runs=1)


def build(dropout=0.5, rng=None) -> nn.Sequential:
    """For images (N, 1, 28, 28), 50,186 parameters, in float32. ReLU comes after the pooling: the largest of four numbers is
    the same before and after it, and there are a quarter as many."""
    rng = default_rng(rng)
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding="same", rng=rng), nn.MaxPool2d(2), nn.ReLU(),   # -> (N, 32, 28, 28) -> (N, 32, 14, 14)
        nn.Conv2d(32, 64, 3, padding="same", rng=rng), nn.MaxPool2d(2), nn.ReLU(),  # -> (N, 64, 14, 14) -> (N, 64, 7, 7)
        nn.Flatten(), nn.Dropout(dropout, rng=rng), nn.Linear(7 * 7 * 64, 10, rng=rng)).astype(np.float32)


def learn(setting: dict, rng: np.random.Generator) -> list:
    """Train one network by a sequence of optimizers; what each reached, in order."""
    rng = np.random.default_rng((setting["seed"], setting["run"]))  # the start is the run's, whatever the sequence
    training, validation, test = split(setting["data"], *setting["counts"])
    model, results = build(setting["dropout"], rng), []
    for name in setting["sequence"]:
        optimizer, rate = OPTIMIZERS[name]
        optimizer = optimizer(model.parameters(), lr=optim.schedules.cosine(rate, setting["epochs"]))
        checkpoint = f"{setting['checkpoint']}-{name}" if "checkpoint" in setting else None
        seconds, scores = train(model, optimizer, training, validation, setting["epochs"], setting["batch"], rng, checkpoint)
        loss, accuracy = score(logits(model, test[0]), test[1])
        results.append({"seconds": seconds, "validation": scores, "loss": loss, "accuracy": accuracy})
    return results


def sequences(config) -> list:
    """(sequence, run) of all trainings, the longest first: chains, which begin with Adam from random weights; then each
    optimizer by itself, but for Adam where it began a chain."""
    alone = [((name,), run) for run in range(config.runs) for name in CHAIN if name != CHAIN[0] or run >= config.chains]
    return [(CHAIN, run) for run in range(config.chains)] + alone


def run(config: OptimizersConfig) -> Card:
    card = Card.begin(__name__, config)
    data, folder = card.use(mnist()), card.unfinished(config.out)
    common = {"data": data, "counts": (config.images, config.validation, config.test), "seed": config.seed,
              "epochs": config.epochs, "batch": config.batch, "dropout": config.dropout}
    table = sweep(learn, [common | {"sequence": sequence, "run": run} for sequence, run in sequences(config)], 1, config.seed,
                  config.jobs, config.dask, resume=folder)
    fresh, chain = {name: [] for name in CHAIN}, {name: [] for name in CHAIN}
    for row in table:
        results, = row["results"]
        fresh[row["sequence"][0]].append(results[0])
        for name, result in zip(row["sequence"], results):
            if row["sequence"] == CHAIN:
                chain[name].append(result)
    add_rows(card, fresh, chain)
    add_pitfalls(card, fresh, chain, config)
    draw_progress(card, fresh, config)
    draw_chain(card, fresh, chain, config)
    return card


def of(results, what) -> np.ndarray:
    """One number of each result: (runs,)."""
    return np.array([result[what] for result in results])


def add_rows(card, fresh, chain):
    for name, (loss, accuracy) in REPORT.items():
        card.add_row(f"test accuracy, {name}", of(fresh[name], "accuracy"), report=accuracy, better="higher",
                     tolerance=by_chance(accuracy))
        card.add_row(f"test loss, {name}", of(fresh[name], "loss"), report=loss, unit="nats")
        card.add_row(f"training time, {name}", [result["seconds"][-1] for result in fresh[name]], unit="s")
    for before, name in zip(CHAIN, CHAIN[1:]):
        card.add_row(f"test accuracy, {name} going on from {before}", of(chain[name], "accuracy"), better="higher")
        card.add_row(f"test loss, {name} going on from {before}", of(chain[name], "loss"), unit="nats")
    layers = [(layer, sum(p.size for p in layer.parameters())) for layer in build() if layer.parameters()]
    for (layer, count), printed in zip(layers, (320, 18496, 31750)):
        card.add_row(f"parameters of {layer}", count, report=printed, better="equal", tolerance=0,
                     incomparable="a misprint in the report" if printed == 31750 else "")


def add_pitfalls(card, fresh, chain, config):
    median = {name: np.median(of(fresh[name], "loss")) for name in CHAIN}
    chained = {name: np.median(of(chain[name], "loss")) for name in CHAIN}
    right = [np.median(of(chain[name], "accuracy")) for name in CHAIN]
    accuracies = of(fresh["Adam"], "accuracy")
    order = sorted(CHAIN, key=median.get)
    spread = 100 * np.sqrt(accuracies.mean() * (1 - accuracies.mean()) / min(config.test, 10000))
    unpadded = 5 * 5 * 64 * 10 + 10
    card.pitfalls += [
        "The report's losses fall from optimizer to optimizer, in the order in which they were run: did each go on from where "
        "the one before had stopped, too soon? Trained for longer, a chain need not get better: after "
        f"{config.epochs} epochs each, test losses here are " + ", then ".join(f"{name} {chained[name]:.4f}" for name in CHAIN)
        + f" (median of {len(chain['Adam'])}), of the same accuracy to {100 * np.ptp(right):.2f} %; from the same random "
        "weights, the best first, " + ", ".join(f"{name} {median[name]:.4f}" for name in order)
        + f" (medians of {len(accuracies)}). A comparison of optimizers needs a new start for each, and the same one.",
        f"Differences of 0.1 % are not yet differences between optimizers: with {config.test:,} test images the standard "
        f"deviation of an accuracy is {spread:.2f} %, and of {len(accuracies)} networks trained by Adam that differ in the "
        f"seed alone, the best is {100 * np.ptp(accuracies):.2f} % better than the worst. The report's three lie within "
        f"{100 * (REPORT['Adadelta'][1] - REPORT['Adam'][1]):.2f} %.",
        "“SGD” is nothing without its rate, which the report does not give. Plain gradient descent on mini-batches needs one "
        f"{OPTIMIZERS['SGD'][1] / OPTIMIZERS['Adam'][1]:.0f} times as large as Adam's: {OPTIMIZERS['SGD'][1]} beside "
        f"{OPTIMIZERS['Adam'][1]}, where all were tuned.",
        "Report A prints 31,750 parameters for the last layer; 7·7·64·10 + 10 are 31,370. And it has 7 × 7 inputs from each "
        f"channel only if the convolutions keep the size, with “same” padding: without, they are 5 × 5, and the layer has "
        f"{unpadded:,}.",
    ]


def draw_progress(card, fresh, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(2, 2, figsize=(11, 6), sharex="col", sharey="row")
    epochs = np.arange(1, config.epochs + 1)
    for name, results in fresh.items():
        for i, result in enumerate(results):
            loss, accuracy = result["validation"].T                             # (epochs, 2) -> (epochs,), (epochs,)
            for column, across in zip(axes.T, (epochs, result["seconds"])):
                column[0].plot(across, 100 * (1 - accuracy), ".-", color=COLOUR[name], lw=1, label=None if i else name)
                column[1].plot(across, loss, ".-", color=COLOUR[name], lw=1)
    axes[0, 0].set(yscale="log", ylabel="validation images wrong (%)")
    axes[1, 0].set(yscale="log", ylabel="validation loss (nats)", xlabel="epochs")
    axes[1, 1].set(xlabel="time (s), one thread" if config.jobs > 1 else "time (s)")
    axes[0, 0].legend()
    plain_numbers(axes[0, 0].yaxis, axes[1, 0].yaxis)
    card.add_figure(fig, "progress", f"Errors and losses on {config.validation:,} validation images, against epochs and "
                    f"seconds: all {config.runs} runs of each optimizer, every run from one start for all three.")


def draw_chain(card, fresh, chain, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(11, 3.6))
    for ax, what, label, k in zip(axes, ("loss", "accuracy"), ("test loss (nats)", "test accuracy (%)"), range(2)):
        factor = 100 if what == "accuracy" else 1
        for results, offset, colour, name in ((fresh, -0.12, COLOURS[0], "each from the same random weights"),
                                              (chain, 0.12, COLOURS[1], "each from where the one before stopped")):
            values = factor * np.array([of(results[name], what) for name in CHAIN])             # (3, runs)
            at = np.arange(len(CHAIN)) + offset
            ax.plot(at, np.median(values, axis=1), color=colour, label=name)
            ax.plot(np.repeat(at, values.shape[1]), values.ravel(), "o", color=colour, alpha=0.5)
        ax.plot(range(len(CHAIN)), [factor * REPORT[name][k] for name in CHAIN], "kx:", label="report A")
        ax.set(ylabel=label)
        ax.set_xticks(range(len(CHAIN)), CHAIN)
    axes[0].legend()
    card.add_figure(fig, "chain", f"The three optimizers in the order of the report. A dot is a network, {config.runs} of "
                    f"each by itself, {config.chains} in a chain; lines join their medians.")
