"""A generative adversarial network: a forger learns from a detective who learns from the forger.

A generator G makes digits of noise z, a discriminator D says how likely a digit is real (Goodfellow et al. 2014). Report A
(4.3.1–4.3.4) trains fully connected networks on MNIST, with 20 numbers of noise (and 10), batches of 512, Adam at 0.001, for
70 epochs; its generator's loss goes from 0.83 to 3.08, its discriminator's from 0.70 to 0.25, and it calls that convergence.
Where nobody can tell real from made, D says ½, and both losses are ln 2 = 0.69: that line is in the figure. What is worth
knowing of the samples no loss tells, so a classifier reads them (_judge.py): which digits, how good, what is missing.

The report names no layers: ours are 20–256–512–784 with batch norm and 784–512–256–1 with dropout, with which samples had a
higher recall, beside 5,000 training digits, than with networks half as large. Adam has Radford's β₁ = 0.5. Beside it, what
happens with Adam's own 0.9, and with a strong discriminator: three steps for each of the generator's, or a head start of some
epochs in which D alone learns, until it is sure of every sample. Then the loss of the theory is flat ("saturating"), and the
one that everybody uses is not. What that matters depends on the generator's optimizer: Goodfellow's was momentum, where a
small gradient makes a small step; Adam divides by the gradient's size. All are compared after as many steps of the generator.

Change first: add to VARIANTS one of your own, as a head start of 1 epoch with momentum and the saturating loss: how sure must
D be, before G learns nothing more? The test that guards it:
tests/exercises/test_gan_exercise.py::test_every_variant_is_played_as_it_is_named
"""
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from exercises.card import Card, Config
from exercises.features._images import in_rows, show
from exercises.generative import _judge as judge
from tinynn import grad, nn, optim
from tinynn.autograd.settings import default_rng
from tinynn.data import mnist
from tinynn.train import GAN, SATURATING_GAN, batches, fit_adversarial, generate, sweep, uninterrupted
from tinynn.train.adversarial import critic_step
from tinynn.viz.style import COLOURS

LATENT, LN2 = 20, float(np.log(2))
BETAS = 0.5, 0.999                                                              # of Adam; Radford et al. 2016
REPORT = {1: (.829, .698), 2: (.956, .686), 10: (1.36, .571), 20: (1.99, .429), 30: (2.22, .396), 50: (2.86, .300),
          70: (3.08, .253)}                                                     # after so many epochs: losses of G and of D
REPORT_S, OWN, STEPS = "20 numbers of noise", "Adam's own β₁, 0.9", "three steps of D for each"
HEAD, HEAD_FLAT, NO_HEAD = "head start", "head start, saturating", "momentum, no head start"
MOMENTUM, MOMENTUM_FLAT = "head start, momentum", "head start, momentum, saturating"
VARIANTS = {REPORT_S: {}, OWN: {"betas": (0.9, 0.999)}, STEPS: {"n_critic": 3}, HEAD: {"head_start": 3},
            HEAD_FLAT: {"head_start": 3, "game": SATURATING_GAN}, MOMENTUM: {"head_start": 3, "momentum": 0.01},
            MOMENTUM_FLAT: {"head_start": 3, "momentum": 0.01, "game": SATURATING_GAN}, "10 numbers of noise": {"latent": 10},
            NO_HEAD: {"momentum": 0.01}}
STRONG = REPORT_S, STEPS, HEAD, HEAD_FLAT, MOMENTUM, MOMENTUM_FLAT
COLOUR = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(VARIANTS)}


@dataclass(frozen=True)
class GanConfig(Config):
    """images: to learn from. epochs, batch, rate (of Adam), runs: of the report's network; other_runs: of the variants, which
    end when the generator has made the steps of `other_epochs`. made: samples that are judged, beside as many test digits.
    judge_epochs: of the network that reads them."""
    images: int = 60000
    epochs: int = 70
    other_epochs: int = 12
    batch: int = 512
    rate: float = 1e-3
    runs: int = 3
    other_runs: int = 2
    made: int = 5000
    judge_images: int = 55000
    judge_epochs: int = 3


CONFIG = GanConfig(takes="30 min")
QUICK = GanConfig(takes="15 s", quick=True, images=1500, epochs=8, other_epochs=4, batch=64, runs=1, other_runs=1, made=300,
                  judge_images=1500, judge_epochs=10)


def build(latent=LATENT, dropout=0.3, rng=None) -> tuple:
    """(generator z (N, latent) -> (N, 784) in [−1, 1], discriminator of these -> logits (N, 1)), in float32."""
    rng = default_rng(rng)
    generator = nn.Sequential(nn.Linear(latent, 256, rng=rng), nn.BatchNorm1d(256), nn.LeakyReLU(0.2),
                              nn.Linear(256, 512, rng=rng), nn.BatchNorm1d(512), nn.LeakyReLU(0.2),
                              nn.Linear(512, 784, rng=rng), nn.Tanh())
    discriminator = nn.Sequential(nn.Linear(784, 512, rng=rng), nn.LeakyReLU(0.2), nn.Dropout(dropout, rng=rng),
                                  nn.Linear(512, 256, rng=rng), nn.LeakyReLU(0.2), nn.Dropout(dropout, rng=rng),
                                  nn.Linear(256, 1, rng=rng))
    return generator.astype(np.float32), discriminator.astype(np.float32)


def centred(x) -> np.ndarray:
    """Pictures from 0 ... 1 to −1 ... 1: a discriminator learns faster from inputs around 0."""
    return 2 * x - 1


def grey(x) -> np.ndarray:
    """The way back."""
    return (x + 1) / 2


def to_length(values, n) -> np.ndarray:
    """values (k, ...) as (n, ...): of a run that ended before its n epochs, as it diverged, the others are NaN."""
    values = np.asarray(values)
    return np.concatenate([values, np.full((n - len(values), *values.shape[1:]), np.nan, values.dtype)])


def size(gradients) -> float:
    """√Σ g² over all numbers in the arrays."""
    return float(np.sqrt(sum((g ** 2).sum() for g in gradients)))


def learn(setting: dict, rng: np.random.Generator) -> dict:
    """Train one pair, for so many epochs' steps of the generator; its losses, what it makes of the same noise after each of
    these epochs, and many samples: `early`, after the epochs of `compared`, and at the end; `slope`, |dL_G/dw| at the start.

    Of a variant: head_start, epochs of D alone; momentum, the rate of a generator that learns by that; the others as of
    fit_adversarial and Adam.
    """
    how = {"latent": LATENT, "n_critic": 1, "game": GAN, "betas": BETAS, "head_start": 0, "momentum": None}
    how |= VARIANTS[setting["variant"]]
    betas, head_start, momentum = how.pop("betas"), how.pop("head_start"), how.pop("momentum")
    x, every, early = centred(setting["x"]), how["n_critic"], []
    epochs = every * setting["epochs"]                                                      # of the discriminator
    generator, discriminator = build(how["latent"], rng=rng)
    judging = optim.Adam(discriminator.parameters(), lr=setting["rate"], betas=betas)
    making = optim.Momentum(generator.parameters(), lr=momentum) if momentum else \
        optim.Adam(generator.parameters(), lr=setting["rate"], betas=betas)
    z = rng.standard_normal((setting["made"], how["latent"]), np.float32)

    def fakes(n):
        return generator(rng.standard_normal((n, how["latent"]), np.float32))               # (n, latent) -> (n, 784)
    for _ in range(head_start):
        for real, _ in batches(x, x, setting["batch"], rng):
            critic_step(discriminator, judging, GAN, real, fakes(len(real)))
    slope = size(grad(how["game"].generator(discriminator(fakes(setting["batch"]))), generator.parameters()))

    checkpoint = setting.get("checkpoint")
    kept = checkpoint and Path(f"{checkpoint}-early.npy")                                   # for a run that goes on later

    def look(history):
        if len(history) == every * setting["compared"]:
            early.append(grey(generate(generator, z)))
            if kept:
                np.save(kept, early[0])
    history = uninterrupted(fit_adversarial(
        generator, discriminator, x, **how, generator_optimizer=making, critic_optimizer=judging, epochs=epochs,
        callbacks=[look], batch_size=setting["batch"], samples=30, rng=rng, progress=False, checkpoint=checkpoint))
    if kept and kept.exists():
        early = [np.load(kept)]
    ends = rng.standard_normal((2, 6, 1, how["latent"]), np.float32)
    t = np.linspace(0, 1, 10, dtype=np.float32)[:, None]                                    # (10, 1): both ends, too
    between = (1 - t) * ends[0] + t * ends[1]                                               # (6, 10, latent)
    G, D, right, through = (to_length(values, epochs)[every - 1::every] for values in (
        history.generator_loss, history.critic_loss, history.accuracy, grey(history.samples)))
    made = grey(generate(generator, z))
    return {"G": G, "D": D, "right": right, "through": through, "seconds": history.seconds[-1], "made": made,
            "early": (early or [made])[0], "between": grey(generate(generator, between.reshape(60, -1))), "slope": slope}


def run(config: GanConfig) -> Card:
    card = Card.begin(__name__, config)
    data, folder = card.use(mnist()), card.unfinished(config.out)
    x = data.x_train[:config.images].reshape(-1, 784)                                       # (N, 1, 28, 28) -> (N, 784)
    found, compared = {name: [] for name in VARIANTS}, min(config.epochs, config.other_epochs)
    common = {"x": x, "compared": compared, "batch": config.batch, "rate": config.rate, "made": config.made}
    settings = [common | {"variant": REPORT_S, "epochs": config.epochs}] * config.runs
    for names in (list(VARIANTS)[1:-1], [NO_HEAD]):
        settings += [common | {"variant": name, "epochs": compared} for name in names] * config.other_runs
    for row in sweep(learn, settings, 1, config.seed, config.jobs, config.dask, resume=folder):
        found[row["variant"]] += row["results"]
    reader, accuracy = judge.appoint(data, (config.judge_images, 5000, 10000), config.judge_epochs, config.seed, folder)
    (sure, real), others = (judge.read(reader, lot) for lot in judge.reference(data, config.made))

    def judged(what, names):
        return {name: [judge.assess(*judge.read(reader, of[what]), real) for of in found[name]] for name in names}
    verdicts, end = judged("early", VARIANTS), judged("made", [REPORT_S])[REPORT_S]
    between = [judge.shares(judge.read(reader, of["between"])[0]).sum() for of in found[REPORT_S]]
    add_rows(card, found, verdicts, end, between, compared, config)
    for what, value in judge.assess(*others, real).items():
        if what != "shares":
            card.add_row(f"{what}, real digits beside other real ones", value)
    card.add_row("digits that the judge reads right, of the test set", 100 * accuracy, unit="%", better="higher")
    add_pitfalls(card, found, verdicts, end, compared)
    draw_losses(card, found[REPORT_S], config)
    draw_samples(card, found[REPORT_S][0]["through"], config)
    draw_between(card, found[REPORT_S][0]["between"])
    draw_classes(card, verdicts, end, judge.shares(sure), compared, config)
    draw_strong(card, found, compared)
    animate(card, found[REPORT_S][0]["through"])
    return card


def add_rows(card, found, verdicts, end, between, compared, config):
    for epoch, losses in REPORT.items():
        for player, report in zip("GD", losses):
            if epoch <= config.epochs:
                card.add_row(f"loss of {player}, epoch {epoch}", [run[player][epoch - 1] for run in found[REPORT_S]],
                             report=report, unit="nats", incomparable="the report names no layers, and nearer to ln 2 is no "
                             "worse")
    card.add_row("least frequent digit, 20 numbers of noise", [100 * of["shares"].min() for of in end], report=5,
                 source="our aim, at least", better="higher", tolerance=0, unit="%")
    card.add_row("pictures between two draws of noise, ends included, that the judge is sure of", 100 * np.array(between),
                 unit="%")
    for name, epochs, of_name in ((REPORT_S, config.epochs, end), *((name, compared, of) for name, of in verdicts.items())):
        for what, better in (("Fréchet distance", "lower"), ("precision", "higher"), ("recall", "higher")):
            card.add_row(f"{what}, {name}, {epochs} epochs", [of[what] for of in of_name], better=better)
        card.add_row(f"samples that the judge is sure of, {name}, {epochs} epochs",
                     [100 * of["shares"].sum() for of in of_name], unit="%", better="higher")
    for name in (*STRONG, NO_HEAD):
        card.add_row(f"size of the generator's gradient before its first step, {name}", [run["slope"] for run in found[name]])
        card.add_row(f"digits that the discriminator is right about, {name}, {compared} epochs",
                     [100 * run["right"][compared - 1] for run in found[name]], unit="%")
    card.add_row("training time", [run["seconds"] for run in found[REPORT_S]], unit="s")


def add_pitfalls(card, found, verdicts, end, compared):
    last = {player: np.median([run[player][-1] for run in found[REPORT_S]]) for player in ("G", "D", "right")}
    then = np.median([run["G"][compared - 1] for run in found[REPORT_S]])
    far = {name: np.median([of["Fréchet distance"] for of in verdicts[name]]) for name in (*STRONG, NO_HEAD)}
    right = {name: 100 * np.median([run["right"][compared - 1] for run in found[name]]) for name in (*STRONG, NO_HEAD)}
    slope = {name: np.median([run["slope"] for run in found[name]]) for name in STRONG}
    sure = np.median([-run["G"][0] for run in found[MOMENTUM_FLAT]])                            # −E ln(1 − p) is E p, if small
    card.pitfalls += [
        f"A generator's loss that rises to 3 has not converged. At the end D is right about {100 * last['right']:.0f} % of "
        f"the digits here, with losses of {last['G']:.2f} for G and {last['D']:.2f} for D; if it could not tell them, it "
        f"would be right about half, and both losses ln 2 = {LN2:.2f}. The report's 3.08 and 0.253 are those of a D that "
        f"wins: in (geometric) mean it gives a sample a probability of e^−3.08 = {np.exp(-3.08):.0%} of being real.",
        f"The losses do not tell how good samples are. From epoch {compared} to the last G's loss went from {then:.2f} to "
        f"{last['G']:.2f}, and the Fréchet distance of the samples to real digits from {far[REPORT_S]:.0f} to "
        f"{np.median([of['Fréchet distance'] for of in end]):.0f}.",
        "Is a strong discriminator too strong? One with three steps for each of the generator's is right about "
        f"{right[STEPS]:.0f} % of the digits after {compared} epochs' steps of the generator, with one step "
        f"{right[REPORT_S]:.0f} %, and the samples' Fréchet distance is {far[STEPS]:.0f} beside {far[REPORT_S]:.0f}. One that "
        f"has learned alone for {VARIANTS[HEAD]['head_start']} epochs is sure: in the next one it gives a sample, of a "
        f"generator that goes by momentum and the theory's loss, a probability of {sure:.1g} of being real (mean). There what "
        f"the theory minimises, ln(1 − D(G(z))), is flat: its gradient has size {slope[HEAD_FLAT]:.1g}, that of the usual "
        f"−ln D(G(z)) {slope[HEAD]:.2g}.",
        "What a flat loss costs depends on the optimizer. After that head start a generator that goes by momentum ends "
        f"{compared} epochs with D right about {right[MOMENTUM_FLAT]:.0f} % by the theory's loss, and "
        f"{right[MOMENTUM]:.0f} % by the usual one (Fréchet distances {far[MOMENTUM_FLAT]:.0f} and {far[MOMENTUM]:.0f}). By "
        f"the usual one without a head start it has {right[NO_HEAD]:.0f} % and {far[NO_HEAD]:.0f}: only what is beyond that "
        "is the head start's. "
        f"Adam, which divides by the gradient's size, ends with {right[HEAD_FLAT]:.0f} % and {right[HEAD]:.0f} % "
        f"({far[HEAD_FLAT]:.0f} and {far[HEAD]:.0f}).",
    ]


def draw_losses(card, runs, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(11, 4))
    epochs = 1 + np.arange(config.epochs)
    for player, name, colour in (("G", "generator", COLOURS[0]), ("D", "discriminator", COLOURS[1])):
        axes[0].plot(epochs, np.array([run[player] for run in runs]).T, color=colour, lw=1.2,
                     label=[name] + [None] * (len(runs) - 1))
        axes[0].plot(list(REPORT), [losses["GD".index(player)] for losses in REPORT.values()], "x", color=colour,
                     label=f"{name}, report")
    axes[0].axhline(LN2, color="black", ls=":", lw=1.2, label="ln 2: nobody can tell")
    axes[0].set(xlabel="epochs", ylabel="loss (nats), mean of an epoch")
    axes[0].legend()
    axes[1].plot(epochs, 100 * np.array([run["right"] for run in runs]).T, color=COLOURS[1], lw=1.2)
    axes[1].axhline(50, color="black", ls=":", lw=1.2)
    axes[1].set(xlabel="epochs", ylabel="digits that the discriminator is right about (%)", ylim=(45, 101))
    card.add_figure(fig, "losses", f"The two losses, and how often the discriminator is right about training digits and made "
                    f"ones: {config.runs} runs. Dotted: where they would end if nobody could tell.")


def draw_samples(card, through, config):
    import matplotlib.pyplot as plt
    shown = sorted({1, 2, 5, 10, 20, 40, config.epochs} & set(range(1, config.epochs + 1)))
    fig, axes = plt.subplots(len(shown), 1, figsize=(9.5, 0.62 * len(shown)), squeeze=False)
    for ax, epoch in zip(axes[:, 0], shown):
        show(ax, in_rows(through[epoch - 1, :15].reshape(-1, 28, 28), 15))
        ax.set_title(f"epoch {epoch} ", loc="right", x=0, y=0.3, fontsize=9, fontweight="normal")
    card.add_figure(fig, "samples", "What the generator makes of the same fifteen draws of noise as it learns (first run).")


def draw_between(card, between):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(7, 4.2))
    show(ax, in_rows(between.reshape(-1, 28, 28), 10))
    card.add_figure(fig, "between", "In each row the noise goes in ten even steps along a straight line from one draw to "
                    "another: are there digits between two digits (first run)?")


def draw_classes(card, verdicts, end, real, compared, config):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(8, 4))
    ax.bar(np.arange(10), 100 * real, color="#dddddd", width=0.8, label="test digits")
    series = [(f"{REPORT_S}, {config.epochs} epochs", "black", "+", end)]
    series += [(name, COLOUR[name], ".", of) for name, of in verdicts.items() if name != NO_HEAD]
    for i, (name, colour, marker, of) in enumerate(series):
        values = np.array([100 * one["shares"] for one in of])                              # (runs, 10)
        at = np.arange(10) + 0.8 * (i + 0.5) / len(series) - 0.4
        ax.plot(np.tile(at, len(values)), values.ravel(), marker, color=colour, ms=7, label=name)
    ax.axhline(5, color="black", ls=":", lw=1.2)
    ax.set(xlabel="surely read as", ylabel="share of the pictures (%)", xticks=range(10))
    ax.legend(ncols=2, fontsize=8.5)
    card.add_figure(fig, "classes", f"Which digits a classifier is sure to read in {config.made:,} samples of each run, after "
                    f"{compared} epochs' steps of the generator; crosses: after {config.epochs}. Dotted: 5 %. "
                    "It can be sure of what is no digit, as of noise, if it never saw any.")


def draw_strong(card, found, compared):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplot_mosaic([["lines", 0, 1, 2], ["lines", 3, 4, 5]], figsize=(11, 5.2), width_ratios=(1.9, 1, 1, 1))
    for at, name in enumerate(STRONG):
        for run in found[name]:
            axes["lines"].plot(1 + np.arange(compared), 100 * run["right"][:compared], color=COLOUR[name])
        show(axes[at], in_rows(found[name][0]["through"][compared - 1, :25].reshape(-1, 28, 28), 5))
        axes[at].set_title(name.replace("momentum, ", "momentum,\n"), loc="center", fontsize=9, color=COLOUR[name])
    axes["lines"].axhline(50, color="black", ls=":", lw=1.2)
    axes["lines"].set(xlabel="steps of the generator, in epochs", ylabel="discriminator right (%)", ylim=(45, 101))
    card.add_figure(fig, "strong", "Strong discriminators: three steps for each of the generator's, or a head start of "
                    f"{VARIANTS[HEAD]['head_start']} epochs. Saturating: the theory's loss; momentum: instead of Adam, for "
                    f"the generator. Samples after {compared} epochs' steps of the generator (first runs); lines, in the "
                    "colours of their names: all runs.")


def animate(card, through):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(4.2, 3.8))
    image = show(ax, in_rows(through[0].reshape(-1, 28, 28), 6))

    def frames():
        for epoch in sorted({*range(0, min(10, len(through))), *range(10, len(through), 5), len(through) - 1}):
            image.set_data(in_rows(through[epoch].reshape(-1, 28, 28), 6))
            ax.set_title(f"epoch {epoch + 1}", fontsize=10)
            yield
    card.add_animation(fig, frames(), "learning", "The same thirty draws of noise, epoch by epoch (first run).")
