"""A variational autoencoder: a code that one can draw from, and a bound on how likely a digit is.

An encoder makes of a digit x a normal distribution of codes, q(z|x) = N(μ, σ²), a decoder makes of a code the probabilities of
all pixels; learning raises the bound ln p(x) ≥ E ln p(x|z) − KL(q(z|x) ‖ N(0, I)) (nn/variational.py). Report A (4.4) has a
middle layer of 300 units, 600 latents, batches of 3000, Adam at 0.001, 100 epochs. Beside it: the same network with batches
of 100; one with more units and 40 latents; and one with 2, whose whole space of codes fits on a page. In all of them, the
report's too, Adam's rate falls to 0 along half a cosine.

Pixels are bits here, drawn anew from the grey values in every epoch, or nats mean nothing; test digits are drawn once for all.
"Bound" is the one of importance weighting with many draws, which is nearer to ln p(x) than what is learned by.

Change first: in `learn`, give `fit` bits that were drawn once, instead of grey values. How far do the bounds of training and
test digits part then? The test that catches it: tests/exercises/test_vae_exercise.py::test_each_epoch_draws_new_bits
"""
from dataclasses import dataclass

import numpy as np

import tinynn as tn
from exercises.card import Card, Config
from exercises.features._images import in_rows, show
from exercises.generative._boltzmann import digits
from tinynn import nn, optim
from tinynn.autograd.settings import default_rng
from tinynn.data import mnist
from tinynn.nn.variational import importance_bound
from tinynn.train import sweep, uninterrupted
from tinynn.viz.style import COLOURS

AIM = -100
NETWORKS = {                                                            # hidden: units between pixels and code
    "report A": {"hidden": (300,), "latents": 600, "batch": 3000, "epochs": 100},
    "report A, batches of 100": {"hidden": (300,), "latents": 600, "batch": 100, "epochs": 40},
    "ours": {"hidden": (500, 500), "latents": 40, "batch": 100, "epochs": 40},
    "2 latents": {"hidden": (500, 500), "latents": 2, "batch": 100, "epochs": 40},
}
COLOUR = dict(zip(NETWORKS, COLOURS))


@dataclass(frozen=True)
class VaeConfig(Config):
    """images, test: digits to learn from and to test by. rate: of Adam, which falls to 0 along half a cosine. epochs: None,
    those of NETWORKS, or another number for all. draws: of z for the bound. runs: of each network."""
    images: int = 60000
    test: int = 10000
    rate: float = 1e-3
    epochs: int | None = None
    draws: int = 500
    runs: tuple = (3, 1, 3, 1)


CONFIG = VaeConfig(takes="38 min")
QUICK = VaeConfig(takes="15 s", quick=True, images=1500, test=200, epochs=8, draws=20, runs=(1, 1, 1, 1))


def build(hidden=(500, 500), latents=40, rng=None) -> nn.VAE:
    """784 - hidden - 2 × latents, and the way back to 784 logits, in float32."""
    rng = default_rng(rng)

    def network(*sizes):
        layers = [layer for pair in zip(sizes, sizes[1:]) for layer in (nn.Linear(*pair, rng=rng), nn.ReLU())]
        return nn.Sequential(*layers[:-1]).astype(np.float32)
    return nn.VAE(network(784, *hidden, 2 * latents), network(latents, *hidden[::-1], 784), rng)


class Drawn(nn.Module):
    """A VAE of bits, which are drawn from grey values x anew each time; what is in {0, 1} already stays."""

    def __init__(self, vae, rng):
        self.vae, self.rng = vae, rng

    def forward(self, x):
        bits = (self.rng.random(x.shape, dtype=np.float32) < x.data).astype(np.float32)
        return *self.vae(bits), bits


def loss(output, _):
    """The negative bound of the bits that were drawn."""
    return nn.ELBOLoss()(output[:3], output[3])


def learn(setting: dict, rng: np.random.Generator) -> dict:
    """Train one network; its terms after each epoch, and what it makes of codes and test digits."""
    how, (x, _, _, y, bits) = NETWORKS[setting["name"]], digits(*setting["counts"])
    vae, epochs = build(how["hidden"], how["latents"], rng), setting["epochs"] or how["epochs"]
    part = bits[:2000]

    def look(history):
        with tn.no_grad():
            terms = [float(term.data) for term in nn.ELBOLoss().terms(vae(part), part)]
        history.info.setdefault("terms", []).append(terms)
    adam = optim.Adam(vae.parameters(), lr=optim.schedules.cosine(setting["rate"], epochs))
    history = uninterrupted(tn.fit(Drawn(vae, rng), x, x, loss=loss, epochs=epochs, batch_size=how["batch"], rng=rng,
                                   optimizer=adam, callbacks=[look], progress=False, checkpoint=setting.get("checkpoint")))
    with tn.no_grad():
        mu, log_var = (part.numpy() for part in vae.encode(bits))                           # 2 × (test, L)
        bound = np.concatenate([importance_bound(vae, bits[i:i + 100], setting["draws"], rng=rng).numpy()
                                for i in range(0, len(bits), 100)])
        kl = 0.5 * (mu ** 2 + np.exp(log_var) - 1 - log_var).mean(axis=0)                   # (test, L) -> (L,)

        def decode(z):
            return tn.sigmoid(vae.decoder(z.astype(np.float32))).numpy()                    # (n, L) -> (n, 784)
        z = rng.standard_normal((50, mu.shape[1]))
        ends, t = mu[:12].reshape(6, 2, 1, -1), np.linspace(0, 1, 10)[:, None]
        between = (1 - t) * ends[:, 0] + t * ends[:, 1]                                     # (6, 10, L)
        result = {"terms": np.array(history.info["terms"]), "seconds": history.seconds[-1], "bound": bound.mean(), "kl": kl,
                  "samples": decode(z), "between": decode(between.reshape(60, -1)), "mu": mu[:3000], "y": y[:3000],
                  "back": (bits[:10], decode(mu[:10]))}
        if mu.shape[1] == 2:
            result["map"] = decode(np.stack(np.meshgrid(quantiles(20), -quantiles(20)), axis=-1).reshape(-1, 2))
    return result


def quantiles(n) -> np.ndarray:
    """n numbers that cut the standard normal distribution into equal parts: codes that are likely, evenly."""
    from scipy.special import ndtri
    return ndtri((np.arange(n) + 0.5) / n)


def run(config: VaeConfig) -> Card:
    card = Card.begin(__name__, config)
    card.use(mnist())
    folder = card.unfinished(config.out)
    found = {name: [] for name in NETWORKS}
    settings = [{"name": name, "counts": (config.images, config.test), "rate": config.rate, "epochs": config.epochs,
                 "draws": config.draws} for name, runs in zip(NETWORKS, config.runs) for _ in range(runs)]
    for row in sweep(learn, settings, 1, config.seed, config.jobs, config.dask, resume=folder):     # all at once: no idle core
        found[row["name"]] += row["results"]
    add_rows(card, found, config)
    add_pitfalls(card, found, config)
    draw_terms(card, found)
    draw_pictures(card, found)
    draw_latents(card, found)
    draw_map(card, found["2 latents"][0])
    return card


def add_rows(card, found, config):
    for name, results in found.items():
        report, source = (AIM, "our aim") if name == "ours" else (None, "")
        card.add_row(f"bound on ln p of test digits, {config.draws} draws, {name}", [of["bound"] for of in results],
                     report=report, source=source, better="higher", tolerance=0, unit="nats")
        for k, what in enumerate(("reconstruction, −E ln p(x|z)", "KL")):
            card.add_row(f"{what}, {name}", [of["terms"][-1, k] for of in results], unit="nats")
        card.add_row(f"latents with a KL above 0.01 nats, {name}", [(of["kl"] > 0.01).sum() for of in results])
        card.add_row(f"KL of all others together, {name}", [of["kl"][of["kl"] <= 0.01].sum() for of in results], unit="nats")
        card.add_row(f"training time, {name}", [of["seconds"] for of in results], unit="s")


def add_pitfalls(card, found, config):
    used, rest, bound = ({name: np.median(values) for name, values in of.items()} for of in (
        {name: [(of["kl"] > 0.01).sum() for of in results] for name, results in found.items()},
        {name: [of["kl"][of["kl"] <= 0.01].sum() for of in results] for name, results in found.items()},
        {name: [of["bound"] for of in results] for name, results in found.items()}))
    term = {name: np.median([of["terms"][-1] for of in results], axis=0) for name, results in found.items()}
    (large, epochs), (small, more) = ((how["batch"], config.epochs or how["epochs"]) for how in list(NETWORKS.values())[:2])
    steps, smaller_steps = epochs * -(-config.images // large), more * -(-config.images // small)
    card.pitfalls += [
        f"A KL divergence is never negative. That of report A's network is {term['report A'][1]:.1f} nats; the report prints "
        "it with the other sign, −½Σ(1 + ln σ² − μ² − σ²) without the first minus. What is minimised is reconstruction + KL; "
        "a loss that falls below 0 because of a KL rewards codes that tell everything.",
        "Sum or mean is not a matter of taste. The KL is a sum over latents, so the reconstruction must be a sum over pixels: "
        f"{term['report A'][0]:.0f} nats. As a mean over 784 pixels it would be {term['report A'][0] / 784:.2f}, where a KL "
        f"of {term['report A'][1]:.1f} outweighs all that it could gain: the encoder would be told to say nothing.",
        "Six hundred latents are not a code of 600 numbers. A latent whose KL is 0 is N(0, 1) whatever the digit, and tells "
        "nothing. Above 0.01 nats have "
        + ", ".join(f"{used[name]:.0f} of {len(results[0]['kl'])} ({name}; all others together have {rest[name]:.2g} nats)"
                    for name, results in found.items()) + ".",
        f"An epoch is not a measure of learning. Batches of {large} make {steps:,} steps of {epochs} epochs, batches of "
        f"{small} make {smaller_steps:,} of {more}: the same network comes to a bound of {bound['report A']:.1f} and of "
        f"{bound['report A, batches of 100']:.1f} nats.",
    ]


def draw_terms(card, found):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.8))
    for name, results in found.items():
        for i, of in enumerate(results):
            epochs = 1 + np.arange(len(of["terms"]))
            for ax, values in zip(axes, (of["terms"][:, 0], of["terms"][:, 1], -of["terms"].sum(axis=1))):
                ax.plot(epochs, values, color=COLOUR[name], lw=1.1, label=None if i else name)
            axes[2].plot(epochs[-1], of["bound"], "o", color=COLOUR[name])
    axes[2].axhline(AIM, color="black", ls=":", lw=1.2)
    for ax, label in zip(axes, ("reconstruction (nats)", "KL (nats)", "bound on ln p (nats)")):
        ax.set(xlabel="epochs", ylabel=label)
    axes[2].set_ylim(max(axes[2].get_ylim()[0], -220), None)
    axes[0].set_ylim(None, min(axes[0].get_ylim()[1], 220))
    axes[0].legend()
    card.add_figure(fig, "terms", "The two terms, and the bound, on 2,000 test digits (all, if there are less): a line for "
                    "each run. Dots: the tighter bound by importance weighting, on all test digits. Dotted: our aim.")


def draw_pictures(card, found):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(len(found), 3, figsize=(11, 2.5 * len(found)), width_ratios=(1, 1, 1))
    for row, (name, results) in zip(axes, found.items()):
        of = results[0]
        pictures = (np.concatenate(of["back"]), of["samples"], of["between"])
        for ax, x, title in zip(row, pictures, ("digits, and back", "samples", "between two digits")):
            show(ax, in_rows(x.reshape(-1, 28, 28), 10))
            ax.set_title(f"{name}: {title}", loc="center", fontsize=9)
    card.add_figure(fig, "pictures", "Left: bits of ten test digits, and the probabilities that come back from their mean "
                    "codes. Middle: from codes drawn from N(0, I). Right: on straight lines between codes of test digits. "
                    "First runs.")


def draw_latents(card, found):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(7.5, 4))
    for name, results in found.items():
        for i, of in enumerate(results):
            kl = np.sort(of["kl"])[::-1]
            ax.plot(1 + np.arange(len(kl)), kl, color=COLOUR[name], lw=1.2, label=None if i else name)
    ax.axhline(0.01, color="black", ls=":", lw=1.2)
    ax.set(xscale="log", yscale="log", xlabel="latents, the most used first", ylabel="KL of this latent (nats)")
    ax.set_ylim(1e-5, None)
    ax.legend()
    card.add_figure(fig, "latents", "How much each latent tells of a digit, on average over the test digits: a line for each "
                    "run. Dotted: 0.01 nats.")


def draw_map(card, of):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(11, 5.2))
    show(axes[0], in_rows(of["map"].reshape(-1, 28, 28), 20, border=0))
    points = axes[1].scatter(*of["mu"].T, c=of["y"], cmap="tab10", vmin=-0.5, vmax=9.5, s=5)
    fig.colorbar(points, ax=axes[1], ticks=range(10), label="digit")
    axes[1].set(xlabel="first latent", ylabel="second latent", aspect="equal")
    card.add_figure(fig, "map", "Two latents. Left: what the decoder makes of codes, spaced so that each picture stands for "
                    "the same probability. Right: the mean codes of up to 3,000 test digits.")
