"""What rbm.py and dbm.py share: digits of zeros and ones, what every machine is asked, and the pictures of its answers."""
from functools import cache
from typing import NamedTuple

import numpy as np

from exercises.features._images import in_rows, show
from tinynn import data
from tinynn.energy import log_partition
from tinynn.energy.partition import at_least
from tinynn.viz.style import COLOURS

SIDE, PIXELS = 28, 784
FEW = 0.05              # of AIS's chains, by weight: with fewer that count, ln Z is not to be trusted
BLUE, PALE = np.array([0.0, 0.45, 0.7]), np.array([0.92, 0.96, 1.0])        # ink and paper that a machine filled in
FILLERS = {"nearest training digit": "#999999", "mean training digit": "#444444"}       # what needs no machine, its colour


class Questions(NamedTuple):
    """chains: how many, steps: after how many Gibbs steps they are looked at. pictures: test digits to complete, by `fill`
    Gibbs steps, with so many rows `removed` at the top, at the bottom, or `window` rows from each of `starts` on. answers:
    how many completions of one picture are averaged."""
    chains: int = 200
    steps: tuple = (50, 100, 200)
    pictures: int = 500
    removed: tuple = tuple(range(0, 21, 2))
    window: int = 10
    starts: tuple = tuple(range(0, 19, 3))
    fill: int = 50
    answers: int = 10

    def holes(self) -> dict:
        """{what is on the x axis: [(x, the first row removed, how many), ...]}."""
        return {"rows removed at the top": [(n, 0, n) for n in self.removed],
                "rows removed at the bottom": [(n, SIDE - n, n) for n in self.removed],
                f"first of {self.window} rows removed": [(first, first, self.window) for first in self.starts]}


QUICK_QUESTIONS = Questions(chains=20, steps=(5, 10, 20), pictures=50, removed=(0, 5, 10, 15, 20), starts=(0, 9, 18), fill=20,
                            answers=5)


@cache
def digits(images, test) -> tuple:
    """x (N, 784), y (N,) to learn from; x and y to test by; and the test pictures drawn from {0, 1} with their grey values as
    probabilities, once for all: whatever the seed of the exercise, likelihoods are those of the same pictures."""
    mnist = data.mnist()
    x, x_test = (part.reshape(-1, PIXELS) for part in (mnist.x_train[:images], mnist.x_test[:test]))     # -> (N, 784)
    drawn = np.random.default_rng(1998).random(mnist.x_test.size).reshape(-1, PIXELS)[:test] < x_test
    return x, mnist.y_train[:images], x_test, mnist.y_test[:test], drawn.astype(np.float32)


def pixels_by_themselves(x, drawn) -> float:
    """Mean ln p of `drawn` if no pixel knew of another, each 1 as often as it is in x (one of either kind added); nats."""
    p = (x.sum(axis=0, dtype=float) + 1) / (len(x) + 2)                                     # (784,)
    return float((drawn @ np.log(p) + (1 - drawn) @ np.log(1 - p)).mean())


def shown_digits(x, y) -> np.ndarray:
    """The first picture of each digit: (10, 784)."""
    return x[[np.argmax(y == digit) for digit in range(10)]]


def known_pixels(first, rows) -> np.ndarray:
    """Which pixels are left when `rows` rows from `first` on are removed: (784,), bools."""
    known = np.ones((SIDE, SIDE), bool)
    known[first:first + rows] = False
    return known.ravel()


def nearest(x, pictures, known=slice(None)) -> np.ndarray:
    """Which of the pictures (M, 784) is nearest to each of x (N, 784), by the known pixels: (N,)."""
    x, pictures = x[:, known], pictures[:, known]
    return np.argmin((pictures ** 2).sum(axis=1) - 2 * x @ pictures.T, axis=1)          # (N, K) @ (K, M) -> (N, M) -> (N,)


class Reader:
    """Says which digit a picture shows: that of the nearest of the first 10,000 training digits; −1, none, if it has less than
    half the ink of the faintest of them: to empty paper a thin 1 is the nearest."""

    def __init__(self, counts):
        self.x, self.y = (part[:10000] for part in digits(*counts)[:2])
        self.least = self.x.sum(axis=1).min() / 2

    def __call__(self, x) -> np.ndarray:
        return np.where(x.sum(axis=1) < self.least, -1, self.y[nearest(x, self.x)].astype(int))


def estimate(model, counts, temperatures, rng):
    """ln Z by AIS, from the mean training digit on; no chain counts if mean field knows of more."""
    return log_partition(model, "ais", temperatures=temperatures, data=digits(*counts)[0], rng=rng, progress=False)


def above(model, log_z) -> float:
    """How far ln Z lies above what mean field guarantees, in nats; at 0 `estimate` took that, as AIS had missed a valley."""
    return log_z - at_least(model)


def ask(model, counts, questions) -> dict:
    """What the questions ask of a machine (an RBM or a DBM):

    moved: the share of chains that show another digit than the one at which they started, at each of `steps`; commonest: that
    of the digit which most of them show at the end; none: of those that show none then;
    holes: {x axis: (holes, 2)}, the squared error of a pixel, and the share of digits read rightly, of completed pictures;
    sevens: {"top", "bottom"}: the shares (10,) of digits that are read when 12 rows of test sevens are completed;
    one, mean: the squared error of a pixel where the lower half was removed, of one completion and of the mean of several.
    """
    x_test, y_test = digits(*counts)[2:4]
    read, x, y = Reader(counts), x_test[:questions.pictures], y_test[:questions.pictures]
    path = model.gibbs(x_test[:questions.chains], questions.steps[-1], trajectory=True)         # (steps + 1, chains, 784)
    begin, shown = read(path[0]), [read(path[n]) for n in questions.steps]
    answers = {"moved": [float(((now != begin) & (now >= 0)).mean()) for now in shown], "none": float((shown[-1] < 0).mean()),
               "commonest": max(float((shown[-1] == digit).mean()) for digit in range(10))}
    answers["holes"] = {axis: np.array([score(model.reconstruct(x, known_pixels(*hole), questions.fill), x, y, read)
                                        for _, *hole in holes]) for axis, holes in questions.holes().items()}
    sevens = x_test[y_test == 7][:questions.pictures]
    answers["sevens"] = {}
    for name, first in (("top", 0), ("bottom", SIDE - 12)):
        read_as = read(model.reconstruct(sevens, known_pixels(first, 12), questions.fill))
        answers["sevens"][name] = np.array([(read_as == digit).mean() for digit in range(10)])
    known = known_pixels(SIDE // 2, SIDE // 2)
    several = np.array([model.reconstruct(x, known, questions.fill) for _ in range(questions.answers)])  # (answers, N, 784)
    answers["one"], answers["mean"] = (float(np.square(picture - x).mean()) for picture in (several, several.mean(axis=0)))
    return answers


def score(completed, x, y, read) -> tuple:
    """(mean squared error of a pixel, share of digits read rightly) of pictures (N, 784)."""
    return np.square(completed - x).mean(dtype=float), (read(completed) == y).mean()


def fill_without_machine(counts, questions) -> dict:
    """{filler: {x axis: (holes, 2), "one": a number}} as in `ask`, with pixels of the nearest training digit, or the mean."""
    x_train, _, x, y, _ = digits(*counts)
    read, x, y = Reader(counts), x[:questions.pictures], y[:questions.pictures]

    def filled(filler, first, rows):
        known = known_pixels(first, rows)
        source = read.x[nearest(x, read.x, known)] if filler.startswith("nearest") else x_train.mean(axis=0)
        return score(np.where(known, x, source), x, y, read)
    return {filler: {axis: np.array([filled(filler, *hole) for _, *hole in holes])
                     for axis, holes in questions.holes().items()}
            | {"one": filled(filler, SIDE // 2, SIDE // 2)[0]} for filler in FILLERS}


def misread(counts, questions) -> float:
    """The share of the digits at which chains start that `Reader` takes for another when zeros and ones are drawn of them."""
    read, (*_, x, _, drawn) = Reader(counts), digits(*counts)
    return float((read(drawn[:questions.chains]) != read(x[:questions.chains])).mean())


def draw_holes(card, answers, fillers, questions, colours):
    """Add the figure "completed". answers: {machine: the answers of one or several of its kind}."""
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(2, 3, figsize=(11, 6.2), sharex="col", sharey="row")
    for column, (axis, holes) in zip(axes.T, questions.holes().items()):
        across = [hole[0] for hole in holes]
        for name, colour in FILLERS.items():
            for ax, values, factor in zip(column, fillers[name][axis].T, (1, 100)):             # (holes, 2) -> (holes,)
                ax.plot(across, factor * values, "--", color=colour, label=name)
        for name, runs in answers.items():
            scores = np.array([run["holes"][axis] for run in runs])                                 # (runs, holes, 2)
            for ax, values, factor in zip(column, np.moveaxis(scores, 2, 0), (1, 100)):             # (runs, holes)
                ax.plot(across, factor * np.median(values, axis=0), ".-", color=colours[name], label=name)
                ax.fill_between(across, *(factor * end(values, axis=0) for end in (np.min, np.max)), color=colours[name],
                                alpha=0.25, lw=0)
        column[1].set_xlabel(axis)
        column[1].xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel("squared error of a pixel")
    axes[1, 0].set_ylabel("read rightly (%)")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    runs = ", ".join(f"{len(of)} of {name}" for name, of in answers.items())
    card.add_figure(fig, "completed", f"{questions.pictures} test digits with rows removed, filled in by {questions.fill} "
                    "Gibbs steps in which the known pixels are put back: the mean squared error over all 784 pixels (ink 1, "
                    "paper 0), and the share that the nearest training digit reads rightly. Dashed: without a machine. The "
                    f"reader, a nearest digit itself, favours that one. Machines: {runs}; lines are medians, shaded is from "
                    "the least to the largest.")


def with_error(ax, along, value, error, effective, colour, label=None):
    """Draw a likelihood with a bar of twice the standard error of ln Z, along "x" or "y", or hollow and without a bar where
    FEW of AIS's chains count: there the standard error means nothing, as it is never above 1. along: (axis, place)."""
    axis, place = along
    trusted = effective >= FEW
    x, y = (value, place) if axis == "x" else (place, value)
    ax.errorbar(x, y, **({f"{axis}err": 2 * error} if trusted else {}), fmt="o", color=colour, capsize=3, label=label,
                mfc=colour if trusted else "white")


def tinted(x, known) -> np.ndarray:
    """Pictures (n, 784) in colours, (n, 28, 28, 3): known pixels in black on white, the others in blue on pale blue."""
    x, known = (np.broadcast_to(part, x.shape).reshape(-1, SIDE, SIDE, 1) for part in (x, known))
    return np.where(known, 1 - x, x * BLUE + (1 - x) * PALE)                            # (n, 28, 28, 1) -> (n, 28, 28, 3)


def show_colours(ax, pictures, columns):
    """Draw coloured pictures (n, 28, 28, 3) in rows."""
    show(ax, np.stack([1 - in_rows(1 - pictures[..., c], columns, 2) for c in range(3)], axis=-1).clip(0, 1))


def draw_removed(card, machines, pictures, questions):
    """Add the figure "removed": pictures (n, 784), completed by each of {name: machine}, by what was removed."""
    import matplotlib.pyplot as plt
    axes_names = questions.holes()
    widths = [len(holes) for holes in axes_names.values()]
    size = 0.6 + 0.42 * sum(widths), 0.8 + 0.42 * len(pictures) * len(machines)
    fig, axes = plt.subplots(len(machines), 3, figsize=size, squeeze=False, width_ratios=widths)
    for row, (name, model) in zip(axes, machines.items()):
        for ax, (axis, holes) in zip(row, axes_names.items()):
            columns = []
            for _, *hole in holes:
                known = known_pixels(*hole)
                columns.append(tinted(model.reconstruct(pictures, known, questions.fill), known))
            show_colours(ax, np.stack(columns, axis=1).reshape(-1, SIDE, SIDE, 3), len(holes))  # (n, holes, 28, 28, 3)
            if model is next(iter(machines.values())):
                ax.set_title(axis, fontsize=8.5, fontweight="normal", pad=12)
                for i, (x, *_) in enumerate(holes):
                    ax.text(30 * i + 14, -2, x, ha="center", va="bottom", fontsize=7.5)
        row[0].text(-0.02, 0.5, name, transform=row[0].transAxes, rotation=90, ha="right", va="center", fontsize=8)
    card.add_figure(fig, "removed", "Test digits by what was removed: known pixels black, pixels that the machine filled in "
                    f"blue. Each is where a chain of {questions.fill} steps ended: one possible answer of many, of the first "
                    "machine of each kind.")


def draw_chains(card, machines, start, questions):
    """Add the figure "chains" and its animation "gibbs": Gibbs chains of each of {name: machine} from pictures (10, 784)."""
    import matplotlib.pyplot as plt
    last = questions.steps[-1]
    paths = {name: model.gibbs(start, last, trajectory=True) for name, model in machines.items()}       # (steps + 1, 10, 784)
    shown = [0, 1, *questions.steps]
    fig, axes = plt.subplots(1, len(paths), figsize=(12, 0.3 + 12 / len(paths) * len(shown) / 10), squeeze=False)
    for ax, (name, path) in zip(axes[0], paths.items()):
        show(ax, in_rows(path[shown].reshape(-1, SIDE, SIDE), 10))
        ax.set_title(name, fontsize=10)
        for i, n in enumerate(shown):
            ax.text(-3, 29 * i + 14, n, ha="right", va="center", fontsize=8)
    card.add_figure(fig, "chains", "Gibbs chains from a test digit each, of the first machine of each kind. From above: the "
                    "digit, and what is drawn after " + ", ".join(map(str, shown[1:-1])) + f" and {last} steps.")
    fig, axes = plt.subplots(len(paths), 1, figsize=(5, 0.8 * len(paths)), squeeze=False)
    images = [show(ax, in_rows(path[0].reshape(-1, SIDE, SIDE), 10)) for ax, path in zip(axes[:, 0], paths.values())]

    def frames():
        for n in range(0, last + 1, max(last // 25, 1)):
            for ax, image, (name, path) in zip(axes[:, 0], images, paths.items()):
                image.set_data(in_rows(path[n].reshape(-1, SIDE, SIDE), 10))
                ax.set_title(f"{name}: step {n}", fontsize=9)
            yield
    card.add_animation(fig, frames(), "gibbs", f"The same chains, in motion: all {last} steps.", per_second=5)


def show_filters(ax, weights, columns, title):
    """Draw weights (784, n), each divided by its largest; returns matplotlib's image."""
    scaled = (weights / np.abs(weights).max(axis=0)).T                                  # (784, n) -> (n, 784)
    ax.set_title(title, fontsize=10)
    ax.set_anchor("N")
    return show(ax, in_rows(scaled.reshape(-1, SIDE, SIDE), columns), -1, 1, "RdBu_r")


def colours_of(names) -> dict:
    return dict(zip(names, COLOURS))
