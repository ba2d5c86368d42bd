"""A deep Boltzmann machine: a second layer of hidden units above the first, and what it adds to a restricted one.

The reports (A 4.2, B 4.2) train two hidden layers on MNIST and show the filters of both, and samples. What they leave open is
what the second layer is for. So there are restricted machines beside the deep one, on the same binary digits, drawn anew in
every epoch: one with as many hidden units as its first layer has, and one with as many as both together. All answer the same
questions: ln p of test digits, how far Gibbs chains go, how well removed rows are filled in (see rbm.py, which comes first).

For an RBM ln p(v) = −F(v) − ln Z. For the deep machine the sum over both hidden layers has no closed form, and there is a
lower bound by mean field (tinynn/energy/dbm.py):
    ln p(v) >= −E(v, μ¹, μ²) + H(μ¹) + H(μ²) − ln Z,     ln Z for all by annealed importance sampling (AIS)
What is lost by it is measured here, digit by digit: given v, the two hidden layers are an RBM, whose own Z is ln p(v) + ln Z.
Salakhutdinov & Hinton (2009) have a bound of about −85 nats for 500 and 1000 units, and about −86 for an RBM of 500.

Change first: `joint_epochs`, to 5: is the second layer worth anything then? The test that guards the measure of what the bound
loses: tests/exercises/test_dbm_exercise.py::test_what_the_bound_loses_is_exact_in_a_small_machine
"""
from dataclasses import dataclass

import numpy as np

from exercises.card import Card, Config
from exercises.generative import _boltzmann as shared
from exercises.generative._boltzmann import Questions, above, ask, colours_of, digits, estimate
from tinynn.energy import DBM, RBM, log_partition
from tinynn.optim import schedules
from tinynn.train import sweep, uninterrupted
from tinynn.viz.style import COLOURS

RANDOM = "DBM, not pre-trained"


@dataclass(frozen=True)
class DbmConfig(Config):
    """images, test: digits to learn from and to test by. hidden: units of the two layers. epochs: of an RBM, by PCD; rate: its
    rate, and that of pre-training, for `pre_epochs` epochs a layer; joint_rate, joint_epochs: of the layers together. All
    rates fall to 0 along half a cosine. k: Gibbs steps between two updates, of all but pre-training, which is CD-1. batch: of
    all. temperatures: of AIS. judged: test digits for which the loss by the
    bound is measured, with `judging` temperatures. questions: see _boltzmann.py."""
    images: int = 60000
    test: int = 10000
    hidden: tuple = (200, 200)
    epochs: int = 60
    rate: float = 0.05
    pre_epochs: int = 20
    joint_rate: float = 0.03
    joint_epochs: int = 50
    k: int = 5
    batch: int = 100
    temperatures: int = 20000
    judged: int = 20
    judging: int = 1000
    questions: Questions = Questions()

    def machines(self) -> tuple:
        """The names of a DBM and of the RBMs beside it."""
        first, second = self.hidden
        return f"DBM {first}–{second}", f"RBM {first}", f"RBM {first + second}"


CONFIG = DbmConfig(takes="15 min")
QUICK = DbmConfig(takes="12 s", quick=True, images=1500, test=500, hidden=(60, 60), epochs=10, pre_epochs=5, joint_epochs=8,
                  batch=20, temperatures=300, judged=3, judging=100, questions=shared.QUICK_QUESTIONS)


def build(hidden=(200, 200), rng=None):
    """A machine for 784 pixels, with one hidden layer or with two; it takes on float32 from its data."""
    return (RBM if len(hidden) == 1 else DBM)(shared.PIXELS, *hidden, rng)


def log_p(model, v, log_z) -> float:
    """The mean of ln p(v), or of its lower bound for a DBM, over the rows of v (N, 784)."""
    return float((model.log_likelihood if isinstance(model, RBM) else model.lower_bound)(v, log_z).mean())


def lost(model, v, temperatures, rng) -> tuple:
    """ln p(v) minus its lower bound, for each row of v (N, 784), in nats, and the standard errors: (N,), (N,).

    Given v, h¹ and h² are an RBM with weights W₂, biases b₁ + W₁ᵀv and b₂, and Σ over h¹, h² of e^(−E) = e^(aᵀv) times its Z.
    AIS starts from the mean field, which is near; its a₀ is drawn from a "data set" of 1000 equal rows μ¹.
    """
    gaps, errors = [], []
    for row, bound, mean in zip(v, model.lower_bound(v, 0.0), model.mean_field(v)[0]):
        given = RBM(*model.W2.shape, rng).astype(model.W2.dtype)
        given.W[:], given.a[:], given.b[:] = model.W2, model.b1 + row @ model.W1, model.b2
        z = log_partition(given, "ais", temperatures=temperatures, data=np.tile(mean, (1000, 1)), progress=False)
        gaps.append(row @ model.a + z.log_z - bound)
        errors.append(z.error)
    return np.array(gaps), np.array(errors)


def learn(setting: dict, rng: np.random.Generator) -> dict:
    """Train one machine and measure it. stages: {when: [ln p or bound of test digits, of training digits, the standard error
    of ln Z, the share of chains that count]}; above: ln Z minus its lower bound by mean field, at the end."""
    x, *_, drawn = digits(*setting["counts"])
    some = (rng.random(x[:10000].shape, dtype=x.dtype) < x[:10000]).astype(x.dtype)             # training digits, drawn
    model, stages = build(setting["hidden"], rng), {}
    how = {"batch_size": setting["batch"], "binarise": True, "progress": False}

    def look(stage):
        z = estimate(model, setting["counts"], setting["temperatures"], rng)
        stages[stage] = [log_p(model, drawn, z.log_z), log_p(model, some, z.log_z), z.error, z.effective]
        return above(model, z.log_z)
    before = ()
    if setting["pre_epochs"]:
        before = model.pretrain(x, setting["pre_epochs"], schedules.cosine(setting["pre_rate"], setting["pre_epochs"]), **how)
        uninterrupted(before[1])
        look("pre-trained")
    if isinstance(model, RBM):
        how["persistent"] = True                                        # as a DBM's chains always are
    rate = schedules.cosine(setting["rate"], setting["epochs"])
    history = uninterrupted(model.fit(x, setting["epochs"], rate, k=setting["k"], **how))
    seconds = sum(part.seconds[-1] for part in (*before, history))
    result = {"model": model, "seconds": seconds, "above": look("done"), "stages": stages}
    if isinstance(model, DBM):
        result["lost"], result["lost_error"] = lost(model, drawn[:setting["judged"]], setting["judging"], rng)
    return result | ask(model, setting["counts"], setting["questions"])


def settings_of(config) -> list:
    """One dict a machine, the longest first."""
    deep, small, large = config.machines()
    common = {"counts": (config.images, config.test), "batch": config.batch, "temperatures": config.temperatures,
              "judged": config.judged, "judging": config.judging, "questions": config.questions, "pre_rate": config.rate,
              "k": config.k}
    two = common | {"hidden": config.hidden, "epochs": config.joint_epochs, "rate": config.joint_rate}
    one = common | {"epochs": config.epochs, "rate": config.rate, "pre_epochs": 0}
    return [two | {"name": deep, "pre_epochs": config.pre_epochs}, two | {"name": RANDOM, "pre_epochs": 0},
            one | {"name": large, "hidden": (sum(config.hidden),)}, one | {"name": small, "hidden": config.hidden[:1]}]


def run(config: DbmConfig) -> Card:
    card = Card.begin(__name__, config)
    card.use(shared.data.mnist())
    folder = card.unfinished(config.out)
    found = {row["name"]: row["results"][0] for row in
             sweep(learn, settings_of(config), 1, config.seed, config.jobs, config.dask, resume=folder)}
    counts = config.images, config.test
    fillers = shared.fill_without_machine(counts, config.questions)
    shown = {name: found[name] for name in config.machines()}
    models = {name: result["model"] for name, result in shown.items()}
    test_x, test_y, drawn = digits(*counts)[2:]
    respond = responses(models[config.machines()[0]], drawn)
    add_rows(card, found, fillers, config)
    add_pitfalls(card, found, respond, shared.misread(counts, config.questions), config)
    pictures = shared.shown_digits(test_x, test_y)
    shared.draw_chains(card, models, pictures, config.questions)
    draw_bounds(card, found)
    draw_filters(card, models, respond)
    shared.draw_removed(card, dict(list(models.items())[::2]), pictures[[7, 2, 4, 9]], config.questions)
    shared.draw_holes(card, {name: [result] for name, result in shown.items()}, fillers, config.questions, colours_of(shown))
    return card


def responses(model, v) -> np.ndarray:
    """The mean of the digits v (N, 784) for which a unit of the second layer is on, minus that of all: (784, H₂)."""
    on = model.mean_field(v, 30, 1e-3)[1]                                               # (N, H₂)
    return v.T @ on / on.sum(axis=0) - v.mean(axis=0)[:, None]                          # (784, N) @ (N, H₂) -> (784, H₂)


def parameters(model) -> int:
    rbm = getattr(model, "joint", model)
    return rbm.W.size + rbm.a.size + rbm.b.size


def add_rows(card, found, fillers, config):
    for name, result in found.items():
        what = "ln p" if isinstance(result["model"], RBM) else "lower bound of ln p"
        for stage, (test, training, error, effective) in result["stages"].items():
            which = name if stage == "done" else f"{name}, {stage} only"
            card.add_row(f"{what} of test digits, {which}", test, unit="nats", better="higher")
            card.add_row(f"{what} of training digits, {which}", training, unit="nats", better="higher")
            card.add_row(f"standard error of ln Z, {which}", error, unit="nats")
            card.add_row(f"chains of AIS that count, {which}", 100 * effective, unit="%")
        card.add_row(f"ln Z by AIS, minus its lower bound by mean field, {name}", result["above"], unit="nats")
        if "lost" in result:
            card.add_row(f"lost by the bound, of {len(result['lost'])} test digits, {name}", result["lost"], unit="nats")
        card.add_row(f"parameters, {name}", parameters(result["model"]))
        card.add_row(f"training time, {name}", result["seconds"] / 60, unit="min")
        card.add_row(f"chains that show another digit than at their start after {config.questions.steps[-1]} steps, {name}",
                     100 * result["moved"][-1], unit="%")
        card.add_row(f"chains that show the commonest digit then, {name}", 100 * result["commonest"], unit="%")
        card.add_row(f"chains that show no digit then, {name}", 100 * result["none"], unit="%")
    for axis, holes in list(config.questions.holes().items())[:2]:
        for i in (len(holes) // 2, -1):
            for name, scores in ({name: result["holes"] for name, result in found.items()} | fillers).items():
                card.add_row(f"squared error of a pixel, {holes[i][0]} {axis}, {name}", scores[axis][i, 0])


def add_pitfalls(card, found, respond, misread, config):
    deep, small, large = config.machines()
    test, error = ({name: result["stages"]["done"][i] for name, result in found.items()} for i in (0, 2))
    differ = {name: (test[deep] - test[name], float(np.hypot(error[deep], error[name]))) for name in (small, large)}
    first, (gaps, errors) = found[deep], (found[deep][key] for key in ("lost", "lost_error"))
    before, model = first["stages"]["pre-trained"][0], first["model"]
    linear = model.W1 @ model.W2                                                        # (784, H₁) @ (H₁, H₂) -> (784, H₂)
    alike = np.array([np.corrcoef(one, other)[0, 1] for one, other in zip(linear.T, respond.T)])
    moved, commonest, none = (
        ", ".join(f"{100 * np.ravel(found[name][what])[-1]:.0f} % ({name})" for name in config.machines())
        for what in ("moved", "commonest", "none"))
    card.pitfalls += [
        f"A lower bound is no likelihood. The deep machine's {test[deep]:.1f} nats, beside {test[small]:.1f} and "
        f"{test[large]:.1f} of the RBMs, leave out what the bound loses: {gaps.mean():.2f} nats in the mean of {len(gaps)} "
        f"test digits, from {gaps.min():.2f} to {gaps.max():.2f} (each by AIS, with a standard error of "
        f"{np.median(errors):.2f}). AIS itself tends to find too small a Z, which makes all three look better than they are: "
        + ", ".join(f"{found[name]['stages']['done'][3]:.0%}" for name in config.machines()) + " of its chains count (of M "
        "with weights w the share (Σw)²/(M Σw²)), and where it is a few per cent, neither ln Z nor its standard error means "
        "anything.",
        "Chains that agree may all be wrong: AIS's standard error is how much they differ, and of a valley to which none came "
        "it knows nothing. Mean field gives a lower bound of ln Z without chains, and here it is below AIS's by "
        + ", ".join(f"{result['above']:.1f} ({name})" for name, result in found.items()) + " nats. (At 0 it was above, "
        "and took its place. Visible biases that do not begin at the data's means can lead there: tinynn/energy/dbm.py, "
        "pretrain.)",
        f"“Deep is better”: than what? {deep} has {parameters(model):,} parameters, {small} "
        f"{parameters(found[small]['model']):,} and {large} {parameters(found[large]['model']):,}; they learned for "
        f"{first['seconds']:.0f}, {found[small]['seconds']:.0f} and {found[large]['seconds']:.0f} s, all with {config.k} "
        f"Gibbs steps an update, one machine of each. To {small}, which has no second layer, the difference is "
        "{:+.2f} ± {:.2f} nats".format(*differ[small]) + f"; to {large}, with as many hidden units side by side, "
        "{:+.2f} ± {:.2f}".format(*differ[large]) + " (standard errors of both ln Z; what another start would change they do "
        f"not know). The bound loses {gaps.mean():.2f} nats, so that the first may be {differ[small][0] + gaps.mean():+.2f}.",
        f"Pre-training is a start, not a result: two RBMs put together have {before:.1f} nats as a deep machine; learned "
        f"together they come to {test[deep]:.1f}, and from random weights, without the 2 × {config.pre_epochs} epochs before, "
        f"to {test[RANDOM]:.1f}. Without the doubling of inputs in pre-training (tinynn/energy/dbm.py) h¹ would hear "
        "everything twice when both are joined.",
        "A second layer's filters are mostly shown “through the first”, as W₁W₂. That treats h¹ as if it were linear, and "
        "forgets that units of h¹ are on or off together. The pictures for which a unit of h² really is on, minus the mean "
        f"picture, correlate with it by {np.median(alike):.2f} (median of {len(alike)} units; from {alike.min():.2f} to "
        f"{alike.max():.2f}). Both are shown.",
        f"Samples that begin at test digits flatter. After {config.questions.steps[-1]} steps of {config.questions.chains} "
        f"chains {moved} show another digit (of random ones 90 % would, but so would chains that all fell into one), "
        f"{commonest} the commonest one, and {none} none, but next to empty paper. Of the digits at the start, drawn in zeros "
        f"and ones, the reader takes {100 * misread:.0f} % for others.",
    ]


def draw_bounds(card, found):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(8, 3.2))
    entries = {name if stage == "done" else f"{name}, {stage} only": values
               for name, result in found.items() for stage, values in result["stages"].items()}
    for i, (test, training, error, effective) in enumerate(entries.values()):
        shared.with_error(ax, ("x", i), test, error, effective, COLOURS[0], None if i else "test digits")
        ax.plot(training, i, "|", color=COLOURS[0], ms=10, label=None if i else "training digits")
    ax.set_yticks(range(len(entries)), entries)
    ax.set(xlabel="ln p of a digit, DBM: its lower bound (nats)", ylim=(len(entries) - 0.5, -0.5))
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    card.add_figure(fig, "bounds", "What one layer and two are worth: ln p of the RBMs, and its lower bound for the DBMs. "
                    "Bars: twice the standard error of ln Z; hollow: not to be trusted, under 5 % of AIS's chains count.")


def draw_filters(card, models, respond):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 4, figsize=(12, 3.7))
    deep, small, _ = models
    model = models[deep]
    panels = {f"{small}, W": models[small].W, "DBM's first layer, W₁": model.W1, "second layer, W₁W₂": model.W1 @ model.W2,
              "second, mean digit when on": respond}
    for ax, (title, weights) in zip(axes, panels.items()):
        image = shared.show_filters(ax, weights[:, :100], 10, title)
    fig.colorbar(image, ax=axes, label="weight ÷ the unit's largest", shrink=0.7)
    card.add_figure(fig, "filters", "Up to 100 units of each layer: weights of an RBM; of the deep machine's first layer; of "
                    "its second, through the first as if it were linear; and the same units by what they do, the mean of the "
                    "test digits for which a unit is on, minus the mean digit.")
