"""A deep convolutional GAN: the forger paints dogs in colour, by transposed convolutions.

Radford, Metz and Chintala (2016) found what makes two convolutional networks train each other at all: strides instead of
pooling, batch norm in both, except where pictures come out and go in, ReLU in the generator, LeakyReLU in the discriminator,
weights from N(0, 0.02²), and Adam with a small rate and little momentum. Each layer of the generator doubles the picture's
side, each of the discriminator halves it:

    z (N, 100, 1, 1)  ->  4 × 4  ->  8 × 8  ->  16 × 16  ->  (N, 3, 32, 32) in [−1, 1]          the discriminator: backwards

Batch norm makes a batch one question. As in the paper D sees dogs and samples in batches of their own, each with its own mean
and variance; in one batch together, they would help each other (critic_step calls it twice).

Reports A (4.3.5) and B (4.3, figure 4.4) show losses and accuracies of the last 500 iterations, and samples, but no numbers.
No classifier judges dogs here as _judge.py judges digits. Measured is how far a crowd of samples is from dogs that nobody
trained on, in thumbnails of 8 × 8; whether samples are copies; and whether D learned dogs, or its dogs by heart.

Change first: `dogs`, so that mirror images of the dogs are learned from, too. Does D take more of the dogs that it never saw
for real? The test that catches the mistake to make there, mirror images of held-out dogs among those to learn from:
tests/exercises/test_dcgan_exercise.py::test_held_out_dogs_are_not_learned_from
"""
from dataclasses import dataclass

import numpy as np

from exercises.card import Card, Config
from exercises.generative._judge import frechet, rank_correlation, with_time
from exercises.generative._pictures import arc, colours_in_rows, compare, contrast, line, show_colours, thumbnails
from exercises.generative.gan import to_length
from tinynn import nn, no_grad, optim
from tinynn.autograd.settings import default_rng
from tinynn.data import cifar10_dogs
from tinynn.train import GAN, fit_adversarial, generate, sweep, uninterrupted
from tinynn.viz.style import COLOURS

LN2, LATENT, LAST = float(np.log(2)), (100, 1, 1), 500
PLAYERS = {"G": ("generator", COLOURS[0]), "D": ("discriminator", COLOURS[1])}
KINDS = {"x": ("dogs it learned from", COLOURS[2]), "held": ("dogs it never saw", COLOURS[4]), "made": ("samples", COLOURS[0])}


@dataclass(frozen=True)
class DcganConfig(Config):
    """images: to learn from. held_out: others, to compare as many samples with; a batch at least. width: channels of the
    discriminator's first layer, twice and four times as many in the next. rate, beta: of Adam, betas (beta, 0.999)."""
    images: int = 4500
    held_out: int = 500
    width: int = 32
    epochs: int = 60
    batch: int = 64
    rate: float = 2e-4
    beta: float = 0.5
    runs: int = 2


CONFIG = DcganConfig(takes="8 min")
QUICK = DcganConfig(takes="15 s", quick=True, images=320, held_out=100, width=8, epochs=12, batch=16, rate=1e-3, runs=1)


def build(width=32, rng=None) -> tuple:
    """(generator z (N, 100, 1, 1) -> pictures (N, 3, 32, 32) in [−1, 1], discriminator pictures -> logits (N, 1)), float32."""
    rng = default_rng(rng)

    def up(n_in, n_out, *how):                                      # no bias: the batch norm has one
        return nn.ConvTranspose2d(n_in, n_out, 4, *how, bias=False, rng=rng), nn.BatchNorm2d(n_out), nn.ReLU()

    def down(n_in, n_out):
        return nn.Conv2d(n_in, n_out, 4, 2, 1, bias=False, rng=rng), nn.BatchNorm2d(n_out), nn.LeakyReLU(0.2)
    generator = nn.Sequential(
        *up(100, 4 * width),                                                                    # -> (N, 4w, 4, 4)
        *up(4 * width, 2 * width, 2, 1),                                                        # -> (N, 2w, 8, 8)
        *up(2 * width, width, 2, 1),                                                            # -> (N, w, 16, 16)
        nn.ConvTranspose2d(width, 3, 4, 2, 1, rng=rng), nn.Tanh())                              # -> (N, 3, 32, 32)
    discriminator = nn.Sequential(
        nn.Conv2d(3, width, 4, 2, 1, rng=rng), nn.LeakyReLU(0.2),                               # -> (N, w, 16, 16)
        *down(width, 2 * width),                                                                # -> (N, 2w, 8, 8)
        *down(2 * width, 4 * width),                                                            # -> (N, 4w, 4, 4)
        nn.Conv2d(4 * width, 1, 4, rng=rng), nn.Flatten())                                      # -> (N, 1, 1, 1) -> (N, 1)
    for p in generator.parameters() + discriminator.parameters():
        if p.ndim == 4:                                             # windows; the others are of batch norms, and biases
            p.data = rng.normal(0, 0.02, p.shape)
    return generator.astype(np.float32), discriminator.astype(np.float32)


def dogs(data, config) -> tuple:
    """Dogs to learn from (images, 3, 32, 32), and others, held out; in [−1, 1], as tanh's are."""
    x = 2 * data.x_train - 1
    return x[:-config.held_out][:config.images], x[-config.held_out:]


def learn(setting: dict, rng: np.random.Generator) -> dict:
    """Train one pair; its losses at every step, what it makes of fixed noise, and what D thinks at the end."""
    x, held, config = setting["x"], setting["held"], setting["config"]
    generator, discriminator = build(config["width"], rng)
    adam = {player: optim.Adam(model.parameters(), lr=config["rate"], betas=(config["beta"], 0.999))
            for player, model in (("generator_optimizer", generator), ("critic_optimizer", discriminator))}
    z = rng.standard_normal((len(held), *LATENT), np.float32)

    def look(history):
        distance = frechet(thumbnails(held), thumbnails(generate(generator, z)))
        history.info.setdefault("distance", []).append(distance)
    history = uninterrupted(fit_adversarial(
        generator, discriminator, x, game=GAN, latent=LATENT, **adam, epochs=config["epochs"], batch_size=config["batch"],
        samples=8, rng=rng, callbacks=[look], progress=False, checkpoint=setting.get("checkpoint")))
    made = generate(generator, z)

    def between(way, pairs, t):
        a, b = z[:2 * pairs].reshape(2, pairs, -1)                                              # both (pairs, 100)
        return generate(generator, way(a, b, t).reshape(-1, *LATENT))                           # (pairs · len(t), 3, 32, 32)
    half = {way.__name__: contrast(between(way, len(z) // 2, [0.5])) for way in (line, arc)}
    rows = [between(way, 4, np.linspace(0, 1, 9)) for way in (line, arc)]
    kinds = {"x": x[:len(held)], "held": held, "made": in_batches(generator, z, config["batch"])}   # moves running statistics
    thinks = {}
    for mode in (discriminator.eval, discriminator.train):          # in this order: the second moves them, too
        mode()
        thinks[mode.__name__] = {kind: in_batches(discriminator, pictures, config["batch"])[:, 0]
                                 for kind, pictures in kinds.items()}
    steps = config["epochs"] * -(-len(x) // config["batch"])
    G, D, right = (to_length(history.steps[name], steps) for name in ("generator_loss", "critic_loss", "accuracy"))
    losses, distance, through = (to_length(values, config["epochs"])
                                 for values in (history.generator_loss, history.info["distance"], history.samples))
    return {"G": G, "D": D, "right": 100 * right, "epoch losses": losses, "distance": distance, "through": through,
            "seconds": history.seconds[-1], "made": made, "thinks": thinks, "half": half | {"end": contrast(made)},
            "between": rows}


def in_batches(model, x, size) -> np.ndarray:
    """What a model makes of x, in its present mode and in whole batches, as batch norm has them: (N rounded down, ...)."""
    with no_grad():
        return np.concatenate([model(x[i:i + size]).numpy() for i in range(0, len(x) - size + 1, size)])


def run(config: DcganConfig) -> Card:
    card = Card.begin(__name__, config)
    x, held = dogs(card.use(cifar10_dogs()), config)
    folder = card.unfinished(config.out)
    how = {name: getattr(config, name) for name in ("width", "epochs", "batch", "rate", "beta")}
    results = sweep(learn, [{"x": x, "held": held, "config": how}], config.runs, config.seed, config.jobs, config.dask,
                    resume=folder)[0]["results"]
    compared = [compare(of["made"], x, held) for of in results]
    floor = frechet(thumbnails(held), thumbnails(x[:len(held)]))
    add_rows(card, results, compared, floor, 100 * len(x) / (len(x) + len(held)))
    add_pitfalls(card, results, compared, floor, 100 * len(x) / (len(x) + len(held)))
    draw_losses(card, results, config)
    draw_samples(card, results[0]["made"], held)
    draw_distance(card, results, floor)
    draw_thinks(card, results[0]["thinks"]["train"])
    draw_between(card, results[0]["between"])
    draw_nearest(card, results[0]["made"], compared[0], x, held)
    animate(card, results[0]["through"])
    return card


def last(of, what) -> float:
    """The median over the last iterations of a run."""
    return float(np.median(of[what][-LAST:]))


def for_real(of, kind, mode="train") -> float:
    """How many pictures of a kind D takes for real, in per cent."""
    return float(100 * (of["thinks"][mode][kind] > 0).mean())


def right(of, mode) -> float:
    """How many pictures D is right about: dogs it learned from, and samples."""
    return (for_real(of, "x", mode) + 100 - for_real(of, "made", mode)) / 2


def add_rows(card, results, compared, floor, chance):
    n = min(LAST, len(results[0]["G"]))
    for what, name, unit in (("G", "loss of G", "nats"), ("D", "loss of D", "nats"), ("right", "D is right about", "%")):
        card.add_row(f"{name}, median of the last {n} iterations", [last(of, what) for of in results], unit=unit)
    card.add_row("Fréchet distance of thumbnails from dogs never seen, samples", [of["distance"][-1] for of in results])
    card.add_row("the same, of as many dogs", floor)
    card.add_row("rank correlation of G's loss and that distance, over epochs", [agreement(of) for of in results])
    card.add_row("rank correlation of the epochs still to come and that distance",
                 [with_time(of["distance"]) for of in results])
    for kind, (name, _) in KINDS.items():
        card.add_row(f"{name} that D takes for real", [for_real(of, kind) for of in results], unit="%")
    card.add_row("samples whose nearest of all dogs is one learned from", [of["learned"] for of in compared], unit="%")
    card.add_row("the same, by chance", chance, unit="%")
    for what, name in (("near", "RMS difference (pixels 0 to 1) from the nearest dog learned from"),
                       ("hubs", "different dogs among these nearest"), ("apart", "RMS difference of two")):
        for where, which in (("", "samples"), (", held", "dogs never seen")):
            card.add_row(f"{name}, {which}", [np.median(of[what + where]) for of in compared])
    card.add_row("training time", [of["seconds"] for of in results], unit="s")


def agreement(of) -> float:
    """The rank correlation, over epochs, of the generator's loss and the distance: 1 if lower losses meant better samples."""
    return rank_correlation(of["epoch losses"], of["distance"])


def add_pitfalls(card, results, compared, floor, chance):
    def middle(measure):
        return np.median([measure(of) for of in results])
    recent = {what: middle(lambda of: last(of, what)) for what in ("G", "D", "right")}
    first = {what: middle(lambda of: of[what][0]) for what in ("epoch losses", "distance")}
    end = {what: middle(lambda of: of[what][-1]) for what in ("epoch losses", "distance")}
    real = {kind: middle(lambda of: for_real(of, kind)) for kind in KINDS}
    half = {where: middle(lambda of: of["half"][where]) for where in ("line", "arc", "end")}
    like = {what: np.median([np.median(of[what]) for of in compared])
            for what in ("near", "near, held", "learned", "hubs", "hubs, held")}
    card.pitfalls += [
        f"Losses that stay as they are have not converged. Over the last {min(LAST, len(results[0]['G']))} iterations D is "
        f"right about {recent['right']:.0f} % of a batch, with losses of {recent['D']:.2f} for D and {recent['G']:.2f} for G. "
        f"If nobody could tell, it would be right about half, both would be ln 2 = {LN2:.2f}. Nor is a D that is right about "
        "all, with a loss near 0, a success: it is the other end of the game, where little is left for G to learn from.",
        "A loss that an opponent measures, who learns as well, is a poor measure of samples: its meaning changes with him. "
        f"From the first epoch to the last G's went from {first['epoch losses']:.2f} to {end['epoch losses']:.2f}, while the "
        f"thumbnails' distance from dogs went from {first['distance']:.1f} to {end['distance']:.1f} (of dogs: "
        f"{floor:.1f}). Over all epochs the rank correlation of the two is {middle(agreement):.2f}; 1 if the loss told all. "
        "But both fall with time; the number of epochs still to come, which has seen no sample, has "
        f"{middle(lambda of: with_time(of['distance'])):.2f}.",
        f"A discriminator can learn its dogs by heart. It takes {real['x']:.0f} % of the dogs that it learned from for real, "
        f"{real['held']:.0f} % of dogs that it never saw, and {real['made']:.0f} % of samples. As far as the second number "
        "lies below the first, it knows its dogs, and G is told to paint those rather than dogs.",
        "With batch norm, D in evaluation is another function. With a batch's own mean and variance it is right about "
        f"{middle(lambda of: right(of, 'train')):.0f} % of dogs and samples, with the running ones, which mix the two, "
        f"about {middle(lambda of: right(of, 'eval')):.0f} %.",
        f"Far from every dog learned from does not mean new. A sample lies {like['near']:.3f} from the nearest, a dog never "
        f"seen {like['near, held']:.3f}; but smooth pictures are near to everything. So ask whether the nearest of all dogs "
        f"was learned from: it was for {like['learned']:.0f} % of the samples, by chance for {chance:.0f} %. Nor is that many "
        f"independent answers: {like['hubs']:.0f} different dogs are nearest to {len(results[0]['made'])} samples, "
        f"{like['hubs, held']:.0f} to as many dogs never seen.",
        f"Halfway between two draws of {LATENT[0]} numbers is where draws hardly ever are: at √½ of their distance from 0. "
        f"What G makes there has a contrast of {half['line']:.3f}, halfway on a great circle {half['arc']:.3f}, of draws "
        f"{half['end']:.3f}.",
    ]


def draw_losses(card, results, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(2, 2, figsize=(11, 5.6), sharex="col")
    n, steps = min(LAST, len(results[0]["G"])), 1 + np.arange(len(results[0]["G"]))
    window = min(50, len(steps) // 10 + 1)
    for row, names in zip(axes, (PLAYERS, ("right",))):
        for name in names:
            label, colour = PLAYERS.get(name, (None, COLOURS[1]))
            for i, of in enumerate(results):
                smooth = np.convolve(of[name], np.full(window, 1 / window), "valid")
                row[0].plot(steps[window - 1:], smooth, color=colour, lw=1.2, label=None if i else label)
            row[1].plot(steps[-n:], results[0][name][-n:], color=colour, lw=0.7)
    for ax in axes.flat:
        ax.axhline(50 if ax in axes[1] else LN2, color="black", ls=":", lw=1.2)
    axes[0, 0].annotate("ln 2: nobody can tell", (0.99, LN2), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                        fontsize=9)
    axes[0, 0].legend()
    axes[0, 0].set(ylabel="loss (nats)", title=f"mean of {window} iterations")
    axes[0, 1].set(title=f"the last {n}, one by one")
    axes[1, 0].set(xlabel="iterations", ylabel="discriminator right (%)")
    axes[1, 1].set(xlabel="iterations")
    card.add_figure(fig, "losses", f"The two losses, and how many pictures of a batch, half of them made, the discriminator "
                    f"is right about. Left: {config.runs} runs. Right: the first run. Dotted: if nobody could tell.")


def draw_samples(card, made, held):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(9, 2.6))
    for ax, pictures, title in zip(axes, (made, held), ("samples", "dogs")):
        show_colours(ax, pictures[:32], 8, title)
    card.add_figure(fig, "samples", "Not chosen: the first 32 samples of the first run, and dogs that nobody learned from.")


def draw_distance(card, results, floor):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(10, 3.8))
    epochs = 1 + np.arange(len(results[0]["distance"]))
    for of in results:
        axes[0].plot(epochs, of["distance"], color=COLOURS[0], lw=1.2)
        points = axes[1].scatter(of["epoch losses"], of["distance"], c=epochs, s=14)
    fig.colorbar(points, ax=axes[1], label="epoch")
    for ax in axes:
        ax.axhline(floor, color="black", ls=":", lw=1.2)
        ax.set_ylim(0, None)
    axes[0].set(xlabel="epochs", ylabel="Fréchet distance of thumbnails")
    axes[1].set(xlabel="loss of the generator (nats), mean of an epoch")
    card.add_figure(fig, "distance", "How far samples are from dogs that nobody learned from, in thumbnails of 8 × 8, and "
                    "beside it the loss. A line for each run, a dot for each epoch. Dotted: as many dogs.")


def draw_thinks(card, thinks):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(8, 3.6))
    edges = np.histogram_bin_edges(np.nan_to_num(np.concatenate(list(thinks.values())), posinf=0, neginf=0), 40)
    for kind, (name, colour) in KINDS.items():
        ax.hist(thinks[kind], edges, histtype="step", color=colour, lw=1.8, label=name)
    ax.axvline(0, color="black", ls=":", lw=1.2)
    ax.set(xlabel="the discriminator's logit: made (< 0) or real (> 0)", ylabel="pictures")
    ax.legend()
    card.add_figure(fig, "thinks", "What the discriminator says at the end of three kinds of pictures, as many of each, in "
                    "batches of one kind, and samples made in batches, as in training (first run).")


def draw_between(card, between):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(11, 2.7))
    for ax, x, title in zip(axes, between, ("straight lines", "great circles")):
        show_colours(ax, x, len(x) // 4, title)
    card.add_figure(fig, "between", "Between two draws of noise, left and right in each row, in even steps on two ways: the "
                    "straight one, whose middle is nearer to 0 than draws are, and around 0 (first run).")


def draw_nearest(card, made, compared, x, held):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(11, 1.75))
    for ax, pictures, where, title in ((axes[0], made, "", "samples"), (axes[1], held, ", held", "dogs never seen")):
        chosen = compared["near" + where].argsort()[:12]
        rows = [pictures[chosen], *x[compared["nearest" + where][chosen].T]]                # 3 × (12, 3, 32, 32)
        show_colours(ax, np.concatenate(rows), 12, f"{title}, and below each the two nearest dogs learned from")
    card.add_figure(fig, "nearest", "Are there copies? Of each kind the twelve that are nearest to a dog learned from (first "
                    "run). The right side shows what is to be expected of pictures that are no copies.")


def animate(card, through):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(2.6, 1.5))
    image = show_colours(ax, through[0], 4)

    def frames():
        for epoch in np.unique(np.geomspace(1, len(through), 11).round().astype(int)):      # photographs make a large file
            image.set_data(colours_in_rows(through[epoch - 1], 4))
            ax.set_title(f"epoch {epoch}", fontsize=9)
            yield
    card.add_animation(fig, frames(), "learning", "The same eight draws of noise as the generator learns (first run).", 2.5)
