"""Autoencoders: digits through a bottleneck of 32, 64 or 128 numbers, and the best straight way through it, PCA.

A network learns to repeat its input, the 784 pixels x of a digit, from a code z of q numbers (report A, 3.1.1, table 3.1):
    z = W₁x + b₁,    x̂ = σ(W₂z + b₂),    loss: the mean of (x̂ − x)² over all pixels of all images, ink 1, paper 0
The report does not describe its network. Ours was chosen on validation images, and so was its rate, which falls by steps:
what a run of 60 epochs is after its 40th is what a run of 40 would be. For comparison: without the sigmoid σ, where all is
linear, and nothing has a smaller error on its training images than PCA (Baldi & Hornik 1989); with a ReLU on the code, as
in every tutorial, at Adam's own rate, which is likely what the report did; and a deep network.

Change first: `rate`, to 0.0005: how much of it is learning, how much is patience? The test that guards the floor:
tests/exercises/test_autoencoder.py::test_no_linear_one_goes_below_pca
"""
from dataclasses import dataclass
from functools import cache

import numpy as np

import tinynn as tn
from exercises.card import Card, Config
from exercises.features._images import in_rows, show
from tinynn import data, nn, optim
from tinynn.autograd.settings import default_rng
from tinynn.projection import PCA
from tinynn.train import grid, sweep
from tinynn.viz import COLOURS

PIXELS, WIDE = 784, 256                                         # of an image; units of the deep one before its code
OURS, RELU = "linear code, sigmoid output", "ReLU code, sigmoid output"
COLOUR = {OURS: COLOURS[0], RELU: COLOURS[1], "deep": COLOURS[2], "linear": COLOURS[3], "PCA": "#666666"}
REPORT = {(16, 32): (.0179, .0127), (16, 64): (.0048, .0054), (16, 128): (.0018, .0018),
          (32, 32): (.0141, .0139), (32, 64): (.0047, .0055), (32, 128): (.0018, .0018),
          (64, 32): (.0154, .0140), (64, 64): (.0055, .0053), (64, 128): (.0018, .0017)}     # after 40 and 60 epochs
REPORT_TEST = 0.000227


@dataclass(frozen=True)
class AutoencoderConfig(Config):
    """images: of the training set that are used, 4 of 5 to train, 1 to validate. epochs: after which errors are compared.
    rate: of Adam, times `drop` after every `drop_epoch` epochs. kind_epochs: of the comparison of kinds, in which the rate
    drops as many times. relu_rate: constant, for as many epochs as the report's. kind_batch: for all these."""
    images: int = 60000
    batches: tuple = (16, 32, 64)
    codes: tuple = (32, 64, 128)
    epochs: tuple = (40, 60)
    rate: float = 0.004
    drop: float = 0.2
    drop_epoch: int = 20
    repetitions: int = 2
    kind_batch: int = 64
    kind_epochs: int = 18
    relu_rate: float = 0.001


CONFIG = AutoencoderConfig(takes="12 min")
QUICK = AutoencoderConfig(takes="15 s", quick=True, images=1500, batches=(16, 32), codes=(32, 64), epochs=(10, 15),
                          drop_epoch=5, repetitions=1, kind_batch=32, kind_epochs=6)


def build(kind=OURS, code=128, rng=None) -> nn.Sequential:
    """A network x (N, 784) -> x̂ (N, 784) of one of the kinds in COLOUR, in float32."""
    rng = default_rng(rng)

    def linear(n_in, n_out):
        return nn.Linear(n_in, n_out, rng=rng)
    if kind == "deep":
        layers = [linear(PIXELS, WIDE), nn.ReLU(), linear(WIDE, code),                          # 784 -> 256 -> q
                  linear(code, WIDE), nn.ReLU(), linear(WIDE, PIXELS), nn.Sigmoid()]            # q -> 256 -> 784
    else:
        layers = [linear(PIXELS, code), *([nn.ReLU()] if kind == RELU else []),          # 784 -> q
                  linear(code, PIXELS), *([] if kind == "linear" else [nn.Sigmoid()])]          # q -> 784
    return nn.Sequential(*layers).astype(np.float32)


@cache
def images(n, seed) -> tuple:
    """Pixels (·, 784) of 80 and 20 % of n training images, drawn at random, and of all test images; and one digit of each
    class among these, (10, 784)."""
    mnist = data.mnist()
    x, test = mnist.x_train.reshape(-1, PIXELS), mnist.x_test.reshape(-1, PIXELS)               # (N, 1, 28, 28) -> (N, 784)
    rows = np.random.default_rng(seed).permutation(len(x))[:n]
    train, validation = np.split(rows, [len(rows) * 4 // 5])
    return x[train], x[validation], test, test[[np.argmax(mnist.y_test == digit) for digit in range(10)]]


def learn(setting: dict, rng: np.random.Generator) -> dict:
    """Train one network; its errors and weights."""
    train, validation, test, _ = images(setting["images"], setting["seed"])
    model, loss = build(setting["kind"], setting["code"], rng), nn.MSELoss()
    rate = optim.schedules.step(setting["rate"], setting["drop_epoch"], setting["drop"])
    history = tn.fit(model, train, train, loss=loss, optimizer=optim.Adam(model.parameters(), lr=rate), rng=rng,
                     epochs=setting["epochs"], batch_size=setting["batch"], validation=(validation,) * 2, progress=False)
    return {"validation": np.array(history.val_loss), "test": tn.evaluate(model, test, test, loss, 1000),
            "seconds": history.seconds[-1], "weights": model.state_dict()}


def pca_errors(pca, x) -> np.ndarray:
    """The mean squared error of a pixel of x (N, D) from its first q components, for q = 0, 1, ..., (q_max + 1,).

    The directions are orthonormal, so each component takes its own square off the distance to the mean:
    |x − x̂|² = |x − m|² − z₁² − ... − z_q².
    """
    z = pca.transform(x)                                                                        # (N, D) -> (N, q_max)
    whole, each = ((x - pca.mean) ** 2).sum(dtype=float), (z * z).sum(axis=0, dtype=float)
    return (whole - np.append(0, np.cumsum(each))) / x.size


def restore(pca, x, q) -> np.ndarray:
    """x (N, D) from its first q components: (N, D)."""
    return pca.mean + pca.transform(x)[:, :q] @ pca.components[:q]                              # (N, q) @ (q, D) -> (N, D)


def run(config: AutoencoderConfig) -> Card:
    card = Card.begin(__name__, config)
    card.use(data.mnist())
    folder = card.unfinished(config.out)
    train, validation, test, _ = images(config.images, config.seed)

    def runs(repetitions, epochs, drop_epoch, rate=config.rate, drop=config.drop, **choices):
        settings = grid(images=[config.images], seed=[config.seed], rate=[rate], drop=[drop], epochs=[epochs],
                        drop_epoch=[drop_epoch], code=config.codes, **choices)
        return sweep(learn, settings, repetitions, config.seed, config.jobs, config.dask, resume=folder)
    last, share = config.epochs[-1], config.kind_epochs / config.epochs[-1]
    table = {(row["batch"], row["code"]): row["results"] for row in
             runs(config.repetitions, last, config.drop_epoch, kind=[OURS], batch=config.batches)}
    batch = [config.kind_batch]
    rows = runs(1, config.kind_epochs, max(round(share * config.drop_epoch), 1), kind=[OURS, "deep", "linear"], batch=batch)
    rows += runs(1, last, last, config.relu_rate, 1, kind=[RELU], batch=batch)
    kinds = {(row["kind"], row["code"]): row["results"][0] for row in rows}
    pca = PCA().fit(train)
    floor = {"validation": pca_errors(pca, validation), "test": pca_errors(pca, test)}
    best = {code: min((table[batch, code] for batch in config.batches), key=lambda runs: median(runs, "validation"))
            for code in config.codes}                                   # the batch size that validation images choose
    add_rows(card, table, best, kinds, floor, config)
    add_pitfalls(card, table, best, kinds, floor, restore(pca, validation, config.codes[-1]), validation, config)
    draw_reconstructions(card, best, floor, pca, config)
    draw_sizes(card, table, kinds, floor, config)
    draw_training(card, table, floor, config)
    draw_effects(card, kinds, pca, validation, config)
    return card


def median(runs, part) -> float:
    """The median over runs of the error that they end with on the images of a part."""
    return float(np.median([np.ravel(run[part])[-1] for run in runs]))


def add_rows(card, table, best, kinds, floor, config):
    for (batch, code), runs in table.items():
        for epochs, report in zip(config.epochs, REPORT.get((batch, code), (None, None))):
            card.add_row(f"validation MSE, code {code}, batch {batch}, {epochs} epochs",
                         [run["validation"][epochs - 1] for run in runs], report=report)
    for code, runs in best.items():
        card.add_row(f"test MSE, code {code}, the batch size that validation chose", [run["test"] for run in runs])
        card.add_row(f"test MSE, PCA, {code} components", floor["test"][code])
    for (kind, code), run in kinds.items():
        report = REPORT.get((config.kind_batch, code), (None,))[-1] if kind == RELU else None
        card.add_row(f"validation MSE, {kind}, code {code}, batch {config.kind_batch}, {len(run['validation'])} epochs",
                     run["validation"][-1], report=report)
    code, batch = config.codes[-1], config.batches[-1]
    card.add_row(f"test MSE ÷ batch size, code {code}, batch {batch}", [run["test"] / batch for run in table[batch, code]],
                 report=REPORT_TEST, incomparable="the report does not say what it is the mean of")


def add_pitfalls(card, table, best, kinds, floor, restored, validation, config):
    code, batch, last = config.codes[-1], config.batches[-1], config.epochs[-1]
    ours, test = median(best[code], "validation"), median(table[batch, code], "test")
    clipped = float(((restored.clip(0, 1) - validation) ** 2).mean())
    dead = {q: unused(kinds[RELU, q], q, validation) for q in config.codes}
    end = {key: run["validation"][-1] for key, run in kinds.items()}
    deep = {q: end["deep", q] / end[OURS, q] for q in (config.codes[0], code)}
    slow, fast = (np.median([run["seconds"] for q in config.codes for run in table[b, q]])
                  for b in (config.batches[0], batch))
    card.pitfalls += [
        "An error without its reduction says nothing. The report's validation errors are means over pixels, .0017 for a code "
        f"of 128; its test error, {REPORT_TEST}, is about an eighth of that. A loop that adds up the mean losses of batches, "
        f"but divides by the number of images, gets MSE ÷ batch size. Ours, code {code}, batch {batch}: {test:.5f} a pixel, "
        f"{test * PIXELS:.2f} an image, {test / batch:.2g} that way. If the report did so, its test error was "
        f"{64 * REPORT_TEST:.4f} with batches of 64, which is its network with a code of 32, or {8 * REPORT_TEST:.4f} with "
        "batches of 8, near its best. It does not say.",
        f"“Better than PCA”: by what? PCA has {floor['validation'][code]:.5f} with {code} numbers, and the linear network "
        f"{end['linear', code] / floor['validation'][code]:.2f} times that. PCA with its pixels clipped to [0, 1] has "
        f"{clipped:.5f}, and a network that is linear but for a sigmoid at its very end {ours:.5f}. Most pixels are paper, "
        "exactly 0: a sigmoid says so over a wide range of its input, a straight line at one point.",
        f"A ReLU on the code lets each of its numbers say half as much, and some nothing: {listed(dead)} are 0 for every "
        f"image (“dead”). This network, which many tutorials have, is likely the report's: {last} epochs with batches of "
        f"{config.kind_batch} at Adam's own rate end at {', '.join(f'{end[RELU, q]:.4f}' for q in config.codes)}, in the "
        f"report at {', '.join(f'{REPORT[64, q][1]:.4f}' for q in config.codes)}.",
        f"Depth helps short codes. After {config.kind_epochs} epochs the deep network's error is "
        + ", ".join(f"{ratio:.2f} times ours with a code of {q}" for q, ratio in deep.items()) + ". Where the code is long "
        "there is little to gain, and {0} units in between are one more bottleneck, and more to learn.".format(WIDE),
        f"An epoch is no unit of time: {last} of them took {slow:.0f} s with batches of {config.batches[0]}, and {fast:.0f} s "
        f"with {batch}. The errors, once the rate has fallen, are nearly the same.",
    ]


def unused(run, code, x) -> int:
    """How many units of a ReLU code are 0 for all images x (N, 784)."""
    model = build(RELU, code)
    model.load_state_dict(run["weights"])
    with tn.no_grad():
        return int((model[:2](x).numpy().max(axis=0) == 0).sum())                               # (N, q) -> (q,)


def listed(dead) -> str:
    """As "3 units of 32, 5 of 64"."""
    return ", ".join(f"{n} {'units ' if i == 0 else ''}of {q}" for i, (q, n) in enumerate(dead.items()))


def draw_reconstructions(card, best, floor, pca, config):
    import matplotlib.pyplot as plt
    digits = images(config.images, config.seed)[-1]
    rows = [("original", digits)]
    for code, runs in best.items():
        model = build(OURS, code)
        model.load_state_dict(runs[0]["weights"])
        with tn.no_grad():
            rows += [(f"PCA, {code}: {floor['test'][code]:.4f}", restore(pca, digits, code)),
                     (f"autoencoder, {code}: {runs[0]['test']:.4f}", model(digits).numpy())]
    fig, axes = plt.subplots(len(rows), 1, figsize=(9, 0.75 * len(rows)))
    for ax, (name, x) in zip(axes, rows):
        show(ax, in_rows(x.reshape(-1, 28, 28), 10))
        ax.set_title(name + " ", loc="right", x=0, y=0.3, fontsize=9, fontweight="normal")
    card.add_figure(fig, "reconstructions", "The first test image of each digit, and what comes back from as many principal "
                    "components and from as long a code; with the mean squared error of a pixel over all test images.")


def draw_sizes(card, table, kinds, floor, config):
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator
    fig, ax = plt.subplots(figsize=(8, 5))
    q = np.arange(len(floor["validation"]))
    near = (q >= min(config.codes) / 2) & (q <= 2 * max(config.codes))
    ax.plot(q[near], floor["validation"][near], color=COLOUR["PCA"], lw=2.5, label="PCA, the floor of what is linear")
    for kind in dict.fromkeys(kind for kind, _ in kinds):
        runs = [kinds[kind, code]["validation"] for code in config.codes]
        ax.plot(config.codes, [run[-1] for run in runs], "o-", color=COLOUR[kind], label=f"{kind}, {len(runs[0])} epochs")
    ends = [[run["validation"][-1] for batch in config.batches for run in table[batch, code]] for code in config.codes]
    ax.plot(config.codes, [np.median(values) for values in ends], "*", color=COLOUR[OURS], ms=12,
            label=f"{OURS}, {config.epochs[-1]} epochs")
    for code in config.codes:
        values = [error for (_, of), errors in REPORT.items() if of == code for error in errors]
        ax.plot([code] * len(values), values, "kx", label="report, all its settings" if code == config.codes[0] else None)
    ax.set(xscale="log", yscale="log", xlabel="numbers in the code", ylabel="validation MSE of a pixel (ink 1, paper 0)")
    ax.set_xticks(config.codes, config.codes)
    ax.minorticks_off()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.legend()
    card.add_figure(fig, "sizes", "The error against the length of the code. One run of each kind, with batches of "
                    f"{config.kind_batch}; the stars are the median of all batch sizes and runs.")


def draw_training(card, table, floor, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, len(config.codes), figsize=(11, 3.9), squeeze=False)
    for ax, code in zip(axes[0], config.codes):
        for batch, colour in zip(config.batches, COLOURS):
            runs = np.array([run["validation"] for run in table[batch, code]])                  # (runs, epochs)
            ax.plot(1 + np.arange(runs.shape[1]), runs.T, color=colour, lw=1.1,
                    label=[f"batches of {batch}"] + [None] * (len(runs) - 1))
            ax.plot(config.epochs, REPORT.get((batch, code), (np.nan, np.nan)), "x", color=colour)
        ax.axhline(floor["validation"][code], color=COLOUR["PCA"], lw=2)
        ax.text(config.epochs[-1], floor["validation"][code], "PCA", color=COLOUR["PCA"], ha="right", va="bottom")
        ax.set(yscale="log", xlabel="epochs", title=f"Code of {code}")
    axes[0, 0].set_ylabel("validation MSE of a pixel (ink 1, paper 0)")
    axes[0, -1].legend()
    card.add_figure(fig, "training", f"Validation error while learning, a line each of {config.repetitions} runs; the rate "
                    f"falls to {config.drop:g} of itself after every {config.drop_epoch} epochs. Crosses: the report.")


def draw_effects(card, kinds, pca, x, config):
    import matplotlib.pyplot as plt
    code, shown = config.codes[0], 32
    spread = np.sqrt(pca.explained_variance[:shown, None])
    panels = {"PCA": 2 * spread * pca.components[:shown]}
    for kind, at in ((OURS, 1), (RELU, 2)):
        model = build(kind, code)
        model.load_state_dict(kinds[kind, code]["weights"])
        panels[kind] = effects(model[:at], model[at:], x)[:shown]
    fig, axes = plt.subplots(1, len(panels), figsize=(11, 5.6))
    for ax, (name, pictures) in zip(axes, panels.items()):
        image = show(ax, in_rows(pictures.reshape(-1, 28, 28), 4), -1, 1, "RdBu_r")
        ax.set_title(name, loc="center")
    fig.colorbar(image, ax=axes, label="change of the pixel", shrink=0.6)
    card.add_figure(fig, "effects", f"What each number of a code of {code} does: the picture with this number one standard "
                    "deviation above its mean, minus the one as far below, all others being at their means. Components come "
                    "in order; units do not, and an empty picture is a unit that does nothing.")


def effects(encode, decode, x) -> np.ndarray:
    """The picture when one number of the code is its mean + its standard deviation over x, minus that at −: (q, 784)."""
    with tn.no_grad():
        z = encode(x).numpy()                                                                   # (N, 784) -> (N, q)
        mean, steps = z.mean(axis=0), np.diag(z.std(axis=0))                                    # (q,), (q, q)
        return decode(mean + steps).numpy() - decode(mean - steps).numpy()                      # (q, q) -> (q, 784)
