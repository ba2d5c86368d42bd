"""Restricted Boltzmann machines: hidden units that learn digits, samples, repaired pictures, and a likelihood to judge by.

Report A (4.1) trains machines of 10 to 100 hidden units on MNIST, tells how good they are by pseudo-likelihood, lets Gibbs
chains run for 50, 100 and 200 steps, and has rows of a picture filled in (tinynn/energy/rbm.py says how all this works). Its
settings have the names of scikit-learn's BernoulliRBM, so what it does not say is taken from there: persistent contrastive
divergence (PCD), batches of 10, one constant rate, grey values taken as if they were data.

Then what the report does not measure: ln p of test digits, with ln Z by annealed importance sampling (AIS). For 500 hidden
units on binary digits, drawn anew from the grey values in every epoch, Salakhutdinov & Murray (2008) have −125 nats after
CD-1 and −86 after CD-25; our aim is −92 by PCD within 20 minutes. CD-1 is beside it, with all else the same. Test digits are
drawn once for all. A nat is one unit of ln p: 784 fair coins have −543.

Change first: in `learn`, let the rate of the large machines stay instead of falling along a cosine: which of likelihood,
pseudo-likelihood, chains and repairs notices? The test that guards the rate, and says which machines have which:
tests/exercises/test_rbm_exercise.py::test_the_rate_goes_on_falling_from_look_to_look
"""
from dataclasses import dataclass

import numpy as np

from exercises.card import Card, Config
from exercises.generative import _boltzmann as shared
from exercises.generative._boltzmann import Questions, above, ask, colours_of, digits, estimate
from tinynn.energy import RBM, log_partition
from tinynn.energy.partition import heap
from tinynn.optim import schedules
from tinynn.train import sweep, uninterrupted
from tinynn.viz.style import COLOURS

TABLE = ((20, .01, 10), (10, .01, 10), (10, .001, 10), (10, .001, 30), (50, .001, 30))  # table 4.1: units, rate, iterations
CHOSEN = (100, .01, 30)                                             # the report's machine for chains and repairs
DRAWN = "100 hidden, drawn digits"                                  # the same, learning from digits of zeros and ones
LARGE = "CD-1", "PCD"
PIXELS_ASKED = 5                                                    # of each digit, by pseudo-likelihood
AIM, PUBLISHED = -92, {"CD-1": -125, "CD-25": -86}


@dataclass(frozen=True)
class RbmConfig(Config):
    """images, test: digits to learn from and to test by. table, chosen: (hidden units, rate, iterations), `runs` of each, with
    batches of `batch`. exact: up to so many units Z is also enumerated. hidden, rate, large_batch: of the two large machines,
    whose rate falls to 0 along half a cosine; looks: after these epochs their likelihood is measured. temperatures: of AIS,
    for small machines, for large ones, and for these at their end. questions: see _boltzmann.py."""
    images: int = 60000
    test: int = 10000
    table: tuple = TABLE
    chosen: tuple = CHOSEN
    batch: int = 10
    runs: int = 3
    exact: int = 20
    hidden: int = 500
    rate: float = 0.05
    large_batch: int = 100
    looks: tuple = (1, 5, 20, 100)
    temperatures: tuple = (5000, 20000, 50000)
    questions: Questions = Questions()


CONFIG = RbmConfig(takes="15 min")
QUICK = RbmConfig(takes="12 s", quick=True, images=1500, test=500, table=((20, .01, 3), (10, .01, 3), (10, .001, 3)),
                  chosen=(100, .01, 8), runs=1, exact=10, hidden=60, large_batch=10, looks=(2, 10),
                  temperatures=(300, 400, 600), questions=shared.QUICK_QUESTIONS)


def build(hidden=500, rng=None) -> RBM:
    """A machine for 784 pixels; it takes on float32 from its data."""
    return RBM(shared.PIXELS, hidden, rng)


def learn(setting: dict, rng: np.random.Generator) -> dict:
    """Train one machine and measure it. points: [epoch, pseudo-likelihood of test digits, ln p of test and of training digits,
    the standard error of ln Z, the share of chains that count, the standard error of pseudo-likelihood] at each look; curve:
    pseudo-likelihood after each epoch."""
    x, *_, drawn = digits(*setting["counts"])
    some = (rng.random(x[:10000].shape, dtype=x.dtype) < x[:10000]).astype(x.dtype)             # training digits, drawn
    model, looks, seconds, result = build(setting["hidden"], rng), setting["looks"], 0.0, {"curve": [], "points": []}
    falling, constant = schedules.cosine(setting["rate"], looks[-1]), schedules.step(setting["rate"], looks[-1] + 1)
    rate = falling if setting["falling"] else constant
    for first, last, temperatures in zip((0, *looks), looks, setting["temperatures"]):
        history = uninterrupted(model.fit(x, last - first, lambda epoch: rate(first + epoch), batch_size=setting["batch"],
                                          persistent=setting["persistent"], binarise=setting["drawn"], progress=False))
        result["curve"] += history.pseudo_likelihood
        seconds += history.seconds[-1]
        z = estimate(model, setting["counts"], temperatures, rng)
        pseudo = model.pseudo_likelihood(drawn, PIXELS_ASKED, rng=0)                            # of all machines the same ones
        result["points"].append([last, pseudo.mean(), model.log_likelihood(drawn, z.log_z).mean(),
                                 model.log_likelihood(some, z.log_z).mean(), z.error, z.effective, standard_error(pseudo)])
    result |= {"model": model, "seconds": seconds, "points": np.array(result["points"]), "log_z": z.log_z}
    if setting["hidden"] <= setting["exact"]:
        result["exact"] = log_partition(model).log_z
    return result | (ask(model, setting["counts"], setting["questions"]) if setting["questions"] else {})


def standard_error(values) -> float:
    """Of the mean of independent values."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def settings_of(config) -> list:
    """One dict a machine, the longest first: the large ones, the report's."""
    common = {"counts": (config.images, config.test), "exact": config.exact}
    few, many, most = config.temperatures
    large = {"hidden": config.hidden, "rate": config.rate, "falling": True, "batch": config.large_batch, "looks": config.looks,
             "drawn": True, "temperatures": (many,) * (len(config.looks) - 1) + (most,), "questions": config.questions}
    settings = [common | large | {"name": name, "persistent": name == "PCD"} for name in LARGE]
    for entry, drawn in [(config.chosen, False), (config.chosen, True), *((entry, False) for entry in config.table)]:
        hidden, rate, epochs = entry
        settings += [common | {"hidden": hidden, "rate": rate, "falling": False, "batch": config.batch, "looks": (epochs,),
                               "drawn": drawn, "temperatures": (few,), "persistent": True, "run": run,
                               "questions": config.questions if entry == config.chosen and not drawn else None,
                               "name": DRAWN if drawn else entry} for run in range(config.runs)]
    return settings


def run(config: RbmConfig) -> Card:
    card = Card.begin(__name__, config)
    card.use(shared.data.mnist())
    folder, found = card.unfinished(config.out), {}
    for row in sweep(learn, settings_of(config), 1, config.seed, config.jobs, config.dask, resume=folder):
        found.setdefault(row["name"], []).extend(row["results"])
    counts = config.images, config.test
    fillers = shared.fill_without_machine(counts, config.questions)
    machines = {name_of(config.chosen): found[config.chosen]}
    machines |= {f"{config.hidden} hidden, {name}": found[name] for name in LARGE}
    first = {name: results[0]["model"] for name, results in machines.items()}
    add_rows(card, found, machines, fillers, config)
    add_pitfalls(card, found, machines, fillers, config)
    draw_likelihood(card, found, config)
    pictures = shared.shown_digits(*digits(*counts)[2:4])
    shared.draw_chains(card, first, pictures, config.questions)
    shared.draw_removed(card, {name: first[name] for name in (name_of(config.chosen), f"{config.hidden} hidden, PCD")},
                        pictures[[7, 2, 4, 9]], config.questions)
    shared.draw_holes(card, machines, fillers, config.questions, colours_of(machines))
    draw_filters(card, first)
    draw_table(card, found, config)
    return card


def name_of(entry) -> str:
    """As "20 hidden, rate 0.01, 10 iterations"."""
    hidden, rate, epochs = entry
    return f"{hidden} hidden, rate {rate:g}, {epochs} iterations"


def last(results, column) -> np.ndarray:
    """A column of `points` at the last look, of each run: (runs,)."""
    return np.array([result["points"][-1, column] for result in results])


def add_rows(card, found, machines, fillers, config):
    def likelihood(what, values, **more):
        card.add_row(what, values, unit="nats", better="higher", **more)
    large = f"{config.hidden} hidden, {{}}, {config.looks[-1]} epochs"
    likelihood(f"ln p of test digits, {large.format('PCD')}", last(found["PCD"], 2), report=AIM, source="our aim", tolerance=0)
    likelihood(f"ln p of test digits, {large.format('CD-1')}", last(found["CD-1"], 2), report=PUBLISHED["CD-1"],
               source="published", tolerance=0.05)
    for name in LARGE:
        likelihood(f"ln p of training digits, {large.format(name)}", last(found[name], 3))
        card.add_row(f"standard error of ln Z, {large.format(name)}", last(found[name], 4), unit="nats")
        card.add_row(f"chains of AIS that count, {large.format(name)}", 100 * last(found[name], 5), unit="%")
        card.add_row(f"ln Z by AIS, minus its lower bound by mean field, {large.format(name)}",
                     [above(result["model"], result["log_z"]) for result in found[name]], unit="nats")
        card.add_row(f"training time, {large.format(name)}", found[name][0]["seconds"] / 60, unit="min")
    for entry in (*config.table, config.chosen):
        curves, name = found[entry], name_of(entry)
        likelihood(f"pseudo-likelihood of training digits, grey, {name}", [result["curve"][-1] for result in curves])
        likelihood(f"ln p of test digits, {name}", last(curves, 2))
    likelihood(f"ln p of test digits, {name_of(config.chosen)}, learned from digits drawn", last(found[DRAWN], 2))
    for entry in config.table:
        off = [(result["log_z"] - result["exact"]) for result in found[entry] if "exact" in result]
        if off:
            card.add_row(f"ln Z by AIS − by enumeration, {name_of(entry)}", off, unit="nats")
    for name, results in machines.items():
        for i, steps in enumerate(config.questions.steps):
            card.add_row(f"chains that show another digit than at their start after {steps} steps, {name}",
                         [100 * result["moved"][i] for result in results], unit="%")
        for which, key in (("the commonest digit", "commonest"), ("no digit", "none")):
            card.add_row(f"chains that show {which} after {config.questions.steps[-1]} steps, {name}",
                         [100 * result[key] for result in results], unit="%")
    for axis, hole in asked_holes(config):
        for name, results in machines.items():
            card.add_row(f"squared error of a pixel, {hole[0]} {axis}, {name}",
                         [error(result["holes"], axis, hole, config) for result in results])
        for filler, scores in fillers.items():
            card.add_row(f"squared error of a pixel, {hole[0]} {axis}, {filler}", error(scores, axis, hole, config))
    for name, results in machines.items():
        for side, other in (("top", 1), ("top", 7), ("bottom", 7)):
            card.add_row(f"sevens without their {side} 12 rows, completed to a {other}, {name}",
                         [100 * result["sevens"][side][other] for result in results], unit="%")


def asked_holes(config) -> list:
    """Of the two kinds of removing, at the top and at the bottom, the middle number of rows and the largest."""
    return [(axis, holes[i]) for axis, holes in list(config.questions.holes().items())[:2] for i in (len(holes) // 2, -1)]


def error(scores, axis, hole, config) -> float:
    return float(scores[axis][config.questions.holes()[axis].index(hole), 0])


def add_pitfalls(card, found, machines, fillers, config):
    counts, (cd, pcd) = (config.images, config.test), (found[name][0] for name in LARGE)
    x, _, x_test, _, drawn = digits(*counts)
    chosen, few = found[config.chosen][0], config.temperatures[2] // 250
    readings = [chosen["model"].pseudo_likelihood(v, PIXELS_ASKED, rng=0).mean() for v in
                (x_test, drawn, (x_test >= 0.5).astype(np.float32))]
    apart = np.subtract(*(of["model"].pseudo_likelihood(drawn, PIXELS_ASKED, rng=0) for of in (pcd, cd)))     # (N,)
    hasty = estimate(pcd["model"], counts, few, np.random.default_rng(config.seed))
    flattered = pcd["model"].log_likelihood(drawn, hasty.log_z).mean()
    grey, binary = (np.median(last(found[name], 2)) for name in (config.chosen, DRAWN))
    gains = ", ".join(f"{name_of(entry)}: {np.median([result['curve'][-1] for result in found[entry]]):.0f} "
                      f"({np.median([gain(result['curve']) for result in found[entry]]):+.1f})" for entry in config.table)
    moved, commonest, none = (
        ", ".join(f"{100 * np.median([np.ravel(result[what])[-1] for result in results]):.0f} % ({name})"
                  for name, results in machines.items()) for what in ("moved", "commonest", "none"))
    sevens = {name: [100 * np.median([result["sevens"][side][other] for result in results])
                     for side, other in (("top", 1), ("top", 7), ("bottom", 7))] for name, results in machines.items()}
    chains, steps = config.questions.chains, config.questions.steps[-1]
    card.pitfalls += [
        "Pseudo-likelihood is not likelihood. Each pixel is predicted from all others, and its neighbours all but give it "
        f"away: on the same test digits PCD's machine has {pcd['points'][-1, 1]:.0f} nats, but ln p is "
        f"{pcd['points'][-1, 2]:.1f}; CD-1's has {cd['points'][-1, 1]:.0f}, and ln p is {cd['points'][-1, 2]:.1f}. In ln p "
        "the two differ by "
        f"{pcd['points'][-1, 2] - cd['points'][-1, 2]:.1f} nats, in pseudo-likelihood by {apart.mean():.1f} (standard error "
        f"{standard_error(apart):.1f}, by {PIXELS_ASKED} pixels of each digit). And where the digit as a whole is wrong, no "
        "pixel notices.",
        f"Which pixels? The pseudo-likelihood of one machine ({name_of(config.chosen)}) is {readings[0]:.0f} nats with grey "
        f"values, taken as probabilities, {readings[1]:.0f} with zeros and ones drawn from them, {readings[2]:.0f} with the "
        "nearer of 0 and 1. Numbers of different preparations cannot be compared, and few who print one say theirs. For "
        f"learning it matters too: test digits drawn have ln p = {grey:.1f} if grey values were learned as if they were data, "
        f"{binary:.1f} if digits were drawn anew in each epoch (medians).",
        "AIS tends to err in your favour. Its mean of weights is right on average, but weights are skewed: most estimates of "
        f"Z are too low, so likelihoods too high. With {few} temperatures PCD's machine has {flattered:.1f} nats, standard "
        f"error {hasty.error:.2f}, {hasty.effective:.0%} of the chains counting; with {config.temperatures[2]:,}, "
        f"{pcd['points'][-1, 2]:.1f}, {pcd['points'][-1, 4]:.2f} and {pcd['points'][-1, 5]:.0%}. (Of M chains with weights w "
        "the share (Σw)²/(M Σw²) counts: all if they are equal, 1/M if one has everything.) And where all chains missed "
        "the same valley, the standard error is small as well; only a lower bound of ln Z that needs no chains can tell. Mean "
        f"field's lies {above(pcd['model'], pcd['log_z']):.1f} nats below AIS's ln Z for PCD, "
        f"{above(cd['model'], cd['log_z']):.2f} for CD-1. (At 0 it was above, and took its place.)",
        "A likelihood also tells of what no digit shows. Mean field comes so near to ln Z for CD-1 that one heap of pixels, "
        "none of which knows of another, must hold e^−{0:.2f} = {1:.0%} of all probability or more. ".format(
            above(cd["model"], cd["log_z"]), np.exp(-above(cd["model"], cd["log_z"])))
        + f"Its ink adds up to {heap(cd['model'])[1].sum():.0f} pixels, that of a digit to {x.sum(axis=1).mean():.0f} in the "
        "mean. What is not in the data, and not where a chain comes that stops a step from them, stays there, and digits have "
        "the less (how it comes about: tinynn/energy/dbm.py, pretrain).",
        "A machine that is still learning tells about its rate and its iterations, not about its units. Pseudo-likelihoods of "
        f"table 4.1's machines, and what the last third of the iterations added: {gains}. If no pixel knew of another, both "
        f"likelihoods would be {shared.pixels_by_themselves(x, drawn):.0f}: a machine that has this has hardly begun.",
        f"{steps} Gibbs steps from a digit need not make a new one: of {chains} chains, "
        f"{moved} show another digit than they began with. Of random ones 90 % would; but so would chains that all fell into "
        f"one digit, so look at the commonest, too: {commonest} show it. And {none} show none, but next to empty paper. The "
        f"reader has a share in all this: it takes {100 * shared.misread(counts, config.questions):.0f} % of the digits at "
        "the start for others, drawn in zeros and ones.",
        "One picture is an anecdote. In the reports a seven without its top becomes a 1, and one without its bottom a 7 "
        "again. Of all test sevens asked, without the top 12 rows, without the bottom 12: " + "; ".join(
            f"{one:.0f} % become a 1 and {stay:.0f} % a 7, {bottom:.0f} % a 7 ({name})"
            for name, (one, stay, bottom) in sevens.items()) + ".",
        "A completed picture is one possible answer, not the mean of all, and is charged for it: with the lower half removed, "
        + "; ".join(f"{name}: one answer has a squared error of {results[0]['one']:.4f} a pixel, the mean of "
                    f"{config.questions.answers} has {results[0]['mean']:.4f}" for name, results in machines.items())
        + ". The mean is blurred, as the best guess must be. The mean of all training digits has "
        f"{fillers['mean training digit']['one']:.4f} there, the nearest one {fillers['nearest training digit']['one']:.4f}.",
    ]


def gain(curve) -> float:
    """What the last third of the epochs added."""
    return curve[-1] - curve[-1 - len(curve) // 3]


def draw_likelihood(card, found, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(11, 4), sharex=True)
    for name, colour in zip(LARGE, COLOURS):
        points = found[name][0]["points"]
        epoch, pseudo, test, training, _, _, of_pseudo = points.T                       # (looks, 7) -> (looks,) each
        axes[0].errorbar(epoch, pseudo, 2 * of_pseudo, fmt="o-", color=colour, capsize=3, label=name)
        axes[1].plot(epoch, test, color=colour, label=f"{name}, test digits")
        for at, _, value, _, se, effective, _ in points:
            shared.with_error(axes[1], ("y", at), value, se, effective, colour)
        axes[1].plot(epoch, training, ":", color=colour, label=f"{name}, training digits")
    axes[1].axhline(AIM, color="#666666", lw=1)
    axes[1].text(config.looks[0], AIM, "our aim", va="bottom", fontsize=8.5)
    for name, value in PUBLISHED.items():
        axes[1].plot(config.looks[-1], value, "kx")
        axes[1].annotate(f"{name}, published", (config.looks[-1], value), (-6, 0), textcoords="offset points", ha="right",
                         va="center", fontsize=8.5)
    for ax, title in zip(axes, ("Pseudo-likelihood, test digits", "ln p")):
        ax.set(xscale="log", xlabel="epochs", ylabel="nats a digit", title=title)
        ax.set_xticks(config.looks, config.looks)
        ax.minorticks_off()
        ax.legend(loc="best")
    low = min(result["points"][:, 2].min() for name in LARGE for result in found[name])
    axes[1].set_ylim(max(low, -250) - 15, PUBLISHED["CD-25"] + 8)
    card.add_figure(fig, "likelihood", f"{config.hidden} hidden units by two rules, one machine each: what pseudo-likelihood "
                    "and likelihood say. Bars: twice the standard error, at the right of ln Z; hollow: not to be trusted, as "
                    "under 5 % of AIS's chains count. Published: 500 units. ln p below −250 is not shown.")


def draw_table(card, found, config):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(8, 4.4))
    for entry, colour in zip((*config.table, config.chosen), COLOURS):
        for i, result in enumerate(found[entry]):
            ax.plot(1 + np.arange(entry[2]), result["curve"], color=colour, lw=1.2, label=None if i else name_of(entry))
    ax.set(xlabel="iterations over the training digits", ylabel="pseudo-likelihood (nats a digit, grey)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(fontsize=8.5)
    card.add_figure(fig, "table", f"The machines of report A's table 4.1, and the one of its pictures, {config.runs} of each; "
                    "estimated from ten pixels of 1000 training digits.")


def draw_filters(card, machines):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, len(machines), figsize=(11, 4.2))
    for ax, (name, model) in zip(axes, machines.items()):
        image = shared.show_filters(ax, model.W[:, :100], 10, name)
    fig.colorbar(image, ax=axes, label="weight ÷ the unit's largest", shrink=0.7)
    card.add_figure(fig, "filters", "Weights of up to 100 hidden units of the first machine of each kind: red pixels speak "
                    "for the unit, and it for them, blue ones against.")
