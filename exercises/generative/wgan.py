"""Wasserstein GANs: a critic that measures a distance, and what that is good for.

A GAN's discriminator says "real" or "made"; where it is sure, it says nothing else. A Wasserstein GAN's critic D (Arjovsky et
al. 2017) gives scores, and E D(x) − E D(G(z)), at its largest over all D whose slope is 1 at most, *is* the Wasserstein
distance between data and samples: it shrinks as samples get better, and its slope does not fade. The slope is bounded by
clipping the critic's weights, or by a penalty on the norm of its gradient, which has to be differentiated itself (Gulrajani et
al. 2017). Report B (4.4) shows both ideas on MNIST.

Here the same two networks play all three games, with as many steps of the generator: which critic's loss is smooth, and which
tells how good the samples are? The latter needs a judge (_judge.py), who after each epoch measures the Fréchet distance of
samples to test digits. Then two toys (_toys.py), where the truth is known and the distance to it exact, and on one of which
the penalty fails, unless it is one-sided.

Change first: `clip`, from 0.01 to 0.1 and 0.001. Which slope can the critic, 784–512–256–1, have at most then, and which has
it? The test that guards the answer: tests/exercises/test_wgan_exercise.py::test_no_clipped_critic_is_steeper_than_its_bound
"""
from dataclasses import dataclass

import numpy as np

from exercises.card import Card, Config
from exercises.features._images import in_rows, show
from exercises.generative import _judge as judge
from exercises.generative import _toys as toys
from exercises.generative.gan import BETAS, LATENT, build, centred, grey
from tinynn import Tensor, optim
from tinynn.autograd.backward import grad
from tinynn.data import mnist
from tinynn.train import GAN, WGAN, fit_adversarial, generate, grid, sweep, uninterrupted
from tinynn.viz import COLOURS, plain_numbers

NAMES = PLAIN, CLIPPED, PENALISED = "GAN", "WGAN, clipped", "WGAN, gradient penalty"
ONE_SIDED = "WGAN, one-sided penalty"                                   # of the toys only
GAMES = {                                                               # as in the papers; toys: rates for small networks
    PLAIN: {"how": {"game": GAN, "n_critic": 1}, "optimizer": lambda p, rate: optim.Adam(p, lr=rate, betas=BETAS),
            "rate": 2e-4, "toys": 1e-3},
    CLIPPED: {"how": {"game": WGAN, "n_critic": 5}, "optimizer": lambda p, rate: optim.RMSprop(p, lr=rate),
              "rate": 5e-5, "toys": 5e-4},
    PENALISED: {"how": {"game": WGAN, "n_critic": 5, "penalty": 10},
                "optimizer": lambda p, rate: optim.Adam(p, lr=rate, betas=(0.0, 0.9)), "rate": 1e-4, "toys": 1e-3},
}
GAMES[ONE_SIDED] = GAMES[PENALISED] | {"how": GAMES[PENALISED]["how"] | {"one_sided": True}}
COLOUR = dict(zip(GAMES, COLOURS))
NOTHING = {PLAIN: np.log(2), CLIPPED: 0.0, PENALISED: 0.0}             # the loss of a critic that tells nothing


@dataclass(frozen=True)
class WganConfig(Config):
    """images: to learn from; epochs: of the WGANs' critics, whose generators make a step in five (a GAN has a fifth of the
    epochs, so as many of these); batch; clip: of the clipped critic's weights; runs: of each game; judged: how many samples
    are compared with as many test digits, each time that the generator has made as many steps as there are batches.
    toy_epochs, toy_points, toy_batch, toy_clip: of the toys, likewise; toy_made: samples whose distance is
    measured; judge_images, judge_epochs: of the network that reads digits."""
    images: int = 60000
    epochs: int = 40
    batch: int = 128
    clip: float = 0.01
    runs: int = 3
    judged: int = 2000
    toy_points: int = 10240
    toy_epochs: int = 250
    toy_batch: int = 256
    toy_clip: float = 0.1
    toy_made: int = 1000
    judge_images: int = 55000
    judge_epochs: int = 3


CONFIG = WganConfig(takes="25 min")
QUICK = WganConfig(takes="15 s", quick=True, images=500, epochs=15, batch=50, runs=1, judged=300, toy_points=1024,
                   toy_epochs=10, toy_made=300, judge_images=1500, judge_epochs=10)


def play(name, generator, critic, x, rate, epochs, clip, **choices):
    """Train two networks in one of the GAMES, for so many epochs of the critic."""
    game = GAMES[name]
    if name == CLIPPED:
        choices["clip"] = clip
    players = {"generator_optimizer": generator, "critic_optimizer": critic}
    return uninterrupted(fit_adversarial(
        generator, critic, x, epochs=epochs, progress=False, **game["how"] | choices,
        **{player: game["optimizer"](model.parameters(), rate) for player, model in players.items()}))


def epochs_of(setting) -> int:
    """So many that the generator makes as many steps in every game; setting["epochs"]: with five steps of the critic each."""
    return max(1, setting["epochs"] * GAMES[setting["name"]]["how"]["n_critic"] // 5)


def learn(setting: dict, rng: np.random.Generator) -> dict:
    """Play a game on MNIST: its losses, the Fréchet distance after each epoch, samples."""
    generator, critic = build(dropout=0, rng=rng)
    reader, name, x = judge.restore(setting["judge"]), setting["name"], centred(setting["x"])
    z, every = rng.standard_normal((setting["judged"], LATENT), np.float32), GAMES[name]["how"]["n_critic"]

    def look(history):
        if len(history) % every == 0:
            distance = judge.frechet(setting["real"], judge.read(reader, grey(generate(generator, z)))[1])
            history.info.setdefault("distances", []).append(distance)
    history = play(name, generator, critic, x, GAMES[name]["rate"], epochs_of(setting), setting["clip"],
                   latent=LATENT, batch_size=setting["batch"], samples=30, rng=rng, callbacks=[look],
                   checkpoint=setting.get("checkpoint"))
    distances = history.info.get("distances", [])
    made = generate(generator, z)
    verdict = judge.assess(*judge.read(reader, grey(made)), setting["real"])
    mean = np.array(history.critic_loss)[:every * len(distances)].reshape(-1, every).mean(axis=1)   # of as many batches
    return {"loss": np.array(history.steps["critic_loss"])[every - 1::every], "mean": mean, "distances": np.array(distances),
            "slope": slope(critic, x[:len(made)], made[:len(x)], rng), "seconds": history.seconds[-1],
            "made": grey(history.samples[-1]), **verdict}


def learn_toy(setting: dict, rng: np.random.Generator) -> dict:
    """Play a game on a toy: samples, their distance to the truth, and that of true samples."""
    toy, name = setting["toy"], setting["name"]
    generator, critic = toys.build(toy, rng)
    play(name, generator, critic, toys.draw(toy, setting["points"], rng), GAMES[name]["toys"], epochs_of(setting),
         setting["clip"], latent=toys.LATENT, batch_size=setting["batch"], samples=1, rng=rng)
    x, truth = toys.made(generator, setting["made"], rng), toys.draw(toy, setting["made"], rng)
    result = {"x": x, "distance": toys.distance(toy, x, rng), "floor": toys.distance(toy, truth, rng)}
    return result | ({"reached": toys.reached(x)} if toy == toys.RING else {})


def slope(critic, real, made, rng) -> float:
    """The critic's mean slope, the norm of its gradient, at random points between data and samples, both (N, 784)."""
    e = rng.random((len(real), 1), dtype=np.float32)
    x = Tensor(e * real + (1 - e) * made, requires_grad=True)
    gradient, = grad(critic(x).sum(), [x])
    return float(np.linalg.norm(gradient.data, axis=1).mean())


def steepest(critic, clip) -> float:
    """The largest slope that a critic with weights in [−clip, clip] can have: the layers' largest, multiplied.

    |W x| ≤ √(Σ Wᵢⱼ²) |x| ≤ clip · √(n_in · n_out) · |x|, with equality if all weights are clip and all of x is equal; what is
    between the layers, a LeakyReLU, has a slope of 1 at most.
    """
    return float(np.prod([clip * np.sqrt(p.size) for p in critic.parameters() if p.ndim == 2]))


def jitter(loss, nothing) -> float:
    """How far the loss moves from one step to the next, as a share of what it tells: median |ΔL| ÷ median |L − nothing|, last
    half. nothing: the loss of a critic that tells nothing, ln 2 in a GAN, 0 in a WGAN."""
    late = np.asarray(loss)[len(loss) // 2:] - nothing
    return float(np.median(np.abs(np.diff(late))) / np.median(np.abs(late)))


def told(result) -> float:
    """The rank correlation (Spearman's) between what the critic's mean loss says of the samples at each look and their
    distance.

    1: the loss tells which look's samples are better. A discriminator's loss *rises* as samples get better, too: they can
    be told less easily; so does a critic's, which is minus a distance.
    """
    return judge.rank_correlation(-result["mean"], result["distances"])


def run(config: WganConfig) -> Card:
    card = Card.begin(__name__, config)
    data, folder = card.use(mnist()), card.unfinished(config.out)
    how = config.seed, config.jobs, config.dask
    reader, _ = judge.appoint(data, (config.judge_images, 5000, 10000), config.judge_epochs, config.seed, folder)
    real = judge.read(reader, judge.reference(data, config.judged)[0])[1]
    rows = sweep(learn, grid(x=[data.x_train[:config.images].reshape(-1, 784)], name=list(NAMES), epochs=[config.epochs],
                             batch=[config.batch], clip=[config.clip], judged=[config.judged], real=[real],
                             judge=[reader.state_dict()]),
                 config.runs, *how, resume=folder)
    found = {row["name"]: row["results"] for row in rows}
    rows = sweep(learn_toy, grid(toy=[toys.LINE, toys.RING], name=list(GAMES), points=[config.toy_points],
                                 epochs=[config.toy_epochs], batch=[config.toy_batch], clip=[config.toy_clip],
                                 made=[config.toy_made]),
                 config.runs, *how, resume=folder)
    toy = {(row["toy"], row["name"]): row["results"] for row in rows}
    add_rows(card, found, toy)
    add_pitfalls(card, found, toy, config)
    draw_losses(card, found, config)
    draw_told(card, found, config)
    draw_samples(card, found)
    draw_toys(card, toy, config)
    return card


def add_rows(card, found, toy):
    for name, results in found.items():
        for what, values in (("jump of the critic's loss in a step ÷ what it tells",
                              [jitter(of["loss"], NOTHING[name]) for of in results]),
                             ("slope of the critic between data and samples", [of["slope"] for of in results]),
                             ("rank correlation of loss and Fréchet distance", [told(of) for of in results]),
                             ("Fréchet distance at the end", [of["distances"][-1] for of in results]),
                             ("precision", [of["precision"] for of in results]), ("recall", [of["recall"] for of in results]),
                             ("samples that the judge is sure of, %", [100 * of["shares"].sum() for of in results]),
                             ("least frequent digit, %", [100 * of["shares"].min() for of in results]),
                             ("training time, s", [of["seconds"] for of in results])):
            what, _, unit = what.partition(", ")
            card.add_row(f"{what}, {name}", values, unit=unit)
    for (kind, name), results in toy.items():
        what = "W₁" if kind == toys.LINE else "W₂"
        card.add_row(f"{what} to the truth, {kind}, {name}", [of["distance"] for of in results])
        if kind == toys.RING:
            card.add_row(f"modes reached of 8, {name}", [of["reached"][0] for of in results])
            card.add_row(f"samples near a mode, {name}", [100 * of["reached"][1] for of in results], unit="%")
    for kind, what in ((toys.LINE, "W₁"), (toys.RING, "W₂")):
        floor = [of["floor"] for (one, _), results in toy.items() if one == kind for of in results]
        card.add_row(f"{what} to the truth, {kind}, as many true samples", floor)


def add_pitfalls(card, found, toy, config):
    middle = {what: {name: np.median([measure(of, name) for of in results]) for name, results in found.items()}
              for what, measure in (("jitter", lambda of, name: jitter(of["loss"], NOTHING[name])),
                                    ("told", lambda of, _: told(of)), ("time", lambda of, _: judge.with_time(of["distances"])),
                                    ("end", lambda of, _: of["distances"][-1]), ("slope", lambda of, _: of["slope"]),
                                    ("seconds", lambda of, _: of["seconds"]))}
    looks = len(found[PLAIN][0]["distances"])
    of_ring = {name: [of["reached"] for of in toy[toys.RING, name]] for name in GAMES}
    least = {name: min(modes for modes, _ in values) for name, values in of_ring.items()}
    on_line = {name: np.median([of["distance"] for of in toy[toys.LINE, name]]) for name in GAMES}
    on_ring = {name: np.median([of["distance"] for of in toy[toys.RING, name]]) for name in GAMES}
    floor = [of["floor"] for name in GAMES for of in toy[toys.RING, name]]
    near = {name: 100 * np.median([share for _, share in values]) for name, values in of_ring.items()}

    def each(values, form):
        return ", ".join(f"{name} {format(value, form)}" for name, value in values.items())
    card.pitfalls += [
        "“More stable” is to be measured. From one step to the next the critic's loss jumps by this share of what it tells "
        f"(how far it is from ln 2 in a GAN, from 0 in a WGAN): {each(middle['jitter'], '.2g')}. Whether it tells how good "
        f"samples are is another question: over {looks} looks, the rank correlation of its mean with the Fréchet distance of "
        f"the samples is {each(middle['told'], '.2f')} (by chance, 0 ± {1 / np.sqrt(max(looks - 1, 1)):.2f}). But what falls "
        f"with time agrees with all else that does: the number of looks still to come has {each(middle['time'], '.2f')}.",
        f"A smooth loss is not a good sample. The Fréchet distances at the end are {each(middle['end'], '.3g')}, after as "
        f"many steps of the generator, in {each(middle['seconds'], '.0f')} s: a critic that is trained five times as often, "
        "and a penalty that is differentiated twice, have to be paid for.",
        f"Clipping bounds the slope, but not by 1. With weights of at most {config.clip:g} this critic's slope can be "
        f"{steepest(build()[1], config.clip):.2g} at most, of deeper ones less or much more; measured are, between data and "
        f"samples, {each(middle['slope'], '.2g')}. So the “distance” of a clipped critic is one of its own units. The penalty "
        "asks for a slope of 1, so that minus its loss, but for the penalty, is in the units of the data.",
        "Where the truth is known, look at it. Of the ring's eight modes, the fewest that a run reached are "
        f"{each(least, 'd')}; of the samples, near a mode are {each(near, '.0f')} %, of true ones 98.9 %. The distance tells "
        f"less: W₂ is {each(on_ring, '.2g')}, but {np.median(floor):.2g} of as many true samples, which have by chance more "
        "at one mode than at another.",
        "The penalty, (slope − 1)², needs room to turn round. Between two heaps on a line the best critic's slope is 1 here, "
        "−1 there and 0 between, where the penalty is a hill: it leans to one side, drives all samples there and far past, "
        f"then back. W₁ to the truth: {each(on_line, '.2g')}; all samples at one of the heaps would have 2. One-sided, only "
        "slopes above 1 cost something, which is all that the distance asks for.",
    ]


def draw_losses(card, found, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.6))
    for ax, (name, results) in zip(axes, found.items()):
        loss = results[0]["loss"]
        wide = max(1, len(loss) // 50)
        ax.plot(1 + np.arange(len(loss)), loss, color=COLOUR[name], lw=0.4, alpha=0.6)
        mean = np.convolve(loss, np.ones(wide) / wide, mode="valid")
        ax.plot(wide // 2 + 1 + np.arange(len(mean)), mean, color="black", lw=1.1)
        low, high = np.quantile(loss[len(loss) // 50:], (0.002, 0.998))
        ax.set(title=name, xlabel="steps of the generator", ylim=(low - 0.1 * (high - low), high + 0.1 * (high - low)))
    axes[0].set_ylabel("loss of the discriminator (nats)")
    axes[1].set_ylabel("loss of the critic: minus a distance, and penalty")
    card.add_figure(fig, "losses", "The critic's loss before each step of the generator, and its running mean over a fiftieth "
                    "of all steps (black): the first run of each game. The first and the farthest values may lie outside.")


def draw_told(card, found, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.6))
    for name, results in found.items():
        for i, of in enumerate(results):
            per_epoch = len(of["loss"]) / len(of["distances"])
            axes[0].plot(per_epoch * (1 + np.arange(len(of["distances"]))), of["distances"], ".-", ms=3, lw=1,
                         color=COLOUR[name], label=None if i else name)
    axes[0].set(xlabel="steps of the generator", ylabel="Fréchet distance of samples", yscale="log")
    axes[0].legend()
    for ax, names in zip(axes[1:], ([PLAIN], [CLIPPED, PENALISED])):
        for name in names:
            of = found[name][0]
            said = -of["mean"] / np.abs(of["mean"]).max()
            ax.plot(said, of["distances"], "o-", ms=3, lw=0.6, color=COLOUR[name], label=name)
        ax.set(xlabel="minus the mean loss, in parts of its largest", ylabel="Fréchet distance of samples", yscale="log")
        ax.legend()
    plain_numbers(*(ax.yaxis for ax in axes))
    card.add_figure(fig, "told", f"Left: how good samples become, all {config.runs} runs. Middle, right: does the loss "
                    "tell? A dot is a look at the first run; a loss that tells gives a rising line.")


def draw_samples(card, found):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.4))
    for ax, (name, results) in zip(axes, found.items()):
        show(ax, in_rows(results[0]["made"].reshape(-1, 28, 28), 6))
        ax.set_title(name, loc="center")
    card.add_figure(fig, "samples", "Thirty samples after as many steps of the generator: the first run of each game.")


def draw_toys(card, toy, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(2, len(GAMES), figsize=(12, 5.2), height_ratios=(1, 1.5))
    made = np.concatenate([[[-3.5], [3.5]], *(toy[toys.LINE, name][0]["x"] for name in GAMES)])             # (M, 1)
    edges, x = np.linspace(made.min(), made.max(), 121), np.linspace(made.min(), made.max(), 1000)      # nothing is outside
    truth = np.exp(-((x[:, None] - toys.ENDS) / toys.SPREAD) ** 2 / 2).mean(axis=1) / toys.SPREAD / np.sqrt(2 * np.pi)
    for (line, ring), name in zip(axes.T, GAMES):
        of_line, of_ring = toy[toys.LINE, name][0], toy[toys.RING, name][0]
        line.hist(of_line["x"][:, 0], edges, density=True, color=COLOUR[name], alpha=0.6)
        line.plot(x, truth, "k", lw=1)
        line.set(title=name, xlabel="x", ylim=(0, 1.7))
        ring.plot(*of_ring["x"].T, ".", color=COLOUR[name], ms=2)
        ring.plot(*toys.CENTRES.T, "k+", ms=7)
        ring.set(xlabel="x₁", xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
        line.text(0.5, 0.95, f"W₁ = {of_line['distance']:.2f}", transform=line.transAxes, ha="center", va="top")
        ring.text(0.5, 0.5, f"W₂ = {of_ring['distance']:.2f}", transform=ring.transAxes, ha="center", va="center")
    axes[0, 0].set_ylabel("density")
    axes[1, 0].set_ylabel("x₂")
    card.add_figure(fig, "toys", f"{config.toy_made:,} samples of each first run, beside the truth (black: its density, the "
                    "centres of its eight Gaussians), and their exact distance from it. As many true samples have W₁ = {:.2g} "
                    "({:.2g} to {:.2g}) and W₂ = {:.2g} ({:.2g} to {:.2g}), median and range of all runs.".format(
                        *(end([of["floor"] for name in GAMES for of in toy[kind, name]])
                          for kind in (toys.LINE, toys.RING) for end in (np.median, min, max))), "drawn by the exercise")
