"""The laser by a lagged MLP: a network that predicts one step, made to forecast a hundred.

A chaotic laser (Santa Fe competition, data set A): 1000 values are given, the next 100 to be forecast. A tanh network learns
the next value from the `lag` values before it, and then eats its own predictions: closed loop, its feedback clipped to the
range of the training values (reports A 2.2.1, B 2.2). First report B's table, units × lag, by Levenberg–Marquardt (LM) with
early stopping; then procedures that train networks by Bayesian regularization (BR) and choose among them or combine them.
Nothing that trains, chooses or combines is given the 100 values; each procedure's forecast is scored once a repetition.

Scores: NMSE = MSE ÷ variance of the 100 values; report B's table: MSE ÷ variance σ² of the 1000 training values.
Change first: `networks`, how many are combined. What does the tenth still bring? The test that guards the alignment:
tests/train/test_series.py::test_the_forecast_of_a_line_goes_on_with_the_line
"""
from dataclasses import dataclass

import numpy as np

import tinynn as tn
from exercises.card import Card, Config
from tinynn import nn, optim
from tinynn.data import santa_fe_laser
from tinynn.train import grid, hold_out, horizon, mse, nmse, sweep, windows

from ._laser import Laser, draw_forecasts, draw_horizon, median_of

REPORT_BEST, REPORT_MEDIANS = 0.197, (0.65, 45)                 # of 20 units × lag 30; lowest and highest of the table
WINNER = 0.028                                                  # NMSE of the competition's winner, Wan's network
AIM = 0.12                                                      # ours, for one network
ONE, SELECTED, RECENT, HALF, LOOP, APART = PROCEDURES = (
    "one network", "the best by validation on a collapse", "the best by validation on the last values",
    "median of the best half by these, in the loop", "median of all, in the loop", "median of all forecasts")
# Ours. It was fixed on training values alone: of three blocks of 140 with a collapse, held out in turn, and forecasts of 100
# from several starts in them, APART had the least MSE with 5 networks, 0.79 σ² after 300 iterations and 0.65 after 1000; LOOP
# had 0.91 and 0.83, ONE 0.94 and 1.02: a network on its own does better with fewer iterations, a committee with more. Two
# layers of 15 and 10 units had 0.73 after 300, LSTMs of 30 units 1.0.
# Before this was settled, ONE had been scored on the test values with 600 iterations (0.25, ten networks) and with 300 (0.65):
# it is 300 because validation says so, but nobody here was blind to that.
BEST = APART
COLOUR = {ONE: "C1", RECENT: "C2", BEST: "C0"}


@dataclass(frozen=True)
class LaserConfig(Config):
    """hidden, lags, epochs, patience, repetitions: of the table; validation: the values that stop it early. units, lag,
    one_epochs, br_epochs: of the BR networks, the one on its own and the others; each of `runs` repetitions trains one, and
    `networks` on all values, and as many without each of two blocks: `collapse`, report B's, in which pulses grow and
    collapse, and `last`."""
    hidden: tuple = (5, 10, 20, 30)
    lags: tuple = (5, 10, 20, 30)
    epochs: int = 200
    patience: int = 10
    repetitions: int = 5
    validation: tuple = (700, 1000)
    units: int = 20
    lag: int = 30
    one_epochs: int = 300
    br_epochs: int = 600
    networks: int = 5
    runs: int = 10
    collapse: tuple = (544, 644)
    last: tuple = (900, 1000)


CONFIG = LaserConfig(takes="40 min")
QUICK = LaserConfig(takes="5 s", quick=True, hidden=(5, 10), lags=(5, 10), epochs=20, repetitions=2, units=8, lag=10,
                    one_epochs=10, br_epochs=15, networks=3, runs=3)


def build(units=20, lag=30, rng=None) -> nn.Sequential:
    """A network lag-units-1, from a Nguyen–Widrow start."""
    model = nn.Sequential(nn.Linear(lag, units), nn.Tanh(), nn.Linear(units, 1))
    nn.init.nguyen_widrow(model, rng=rng)
    return model


def learn(setting: dict, rng: np.random.Generator) -> dict:
    """Train one network on setting["series"] (scaled), without the values of setting["block"], if any; its weights.

    "LM" stops early by the windows inside the block; "BR" uses no validation.
    """
    lag, block = setting["lag"], setting["block"]
    x, y = windows(setting["series"], lag)
    y = y[:, None]                                              # (n,) -> (n, 1)
    train = inside = np.arange(len(x))
    if block:
        train, inside = hold_out(len(x), block[0], block[1] - lag, gap=lag)     # the last window's target is in the block
    model = build(setting["units"], lag, rng)
    if setting["algorithm"] == "LM":
        optimizer, stop = optim.LevenbergMarquardt(model.parameters()), {"validation": (x[inside], y[inside]),
                                                                         "patience": setting["patience"]}
    else:
        optimizer, stop = optim.BayesianRegularization(model.parameters()), {}
    tn.fit(model, x[train], y[train], loss=nn.MSELoss(), optimizer=optimizer, epochs=setting["epochs"], progress=False, **stop)
    return {"weights": model.state_dict()}


def network(setting, result) -> nn.Sequential:
    """The trained network of a job."""
    model = build(setting["units"], setting["lag"])
    model.load_state_dict(result["weights"])
    return model


def procedures(laser, one, models, no_collapse, no_last, config) -> dict:
    """One repetition: {procedure: its forecast}; besides, the forecasts of every network that has a block to be validated on.

    one: the network on its own. models: K networks that have learned from the whole series. The others: K each that have
    not seen one of the two blocks.
    """
    def forecast(model):
        return laser.forecast(model, config.lag)

    def ranked(models, block):
        return sorted(models, key=lambda model: laser.validate(model, config.lag, block))
    apart, by_last = [forecast(model) for model in models], ranked(no_last, config.last)        # apart: K × (steps,)
    return {ONE: forecast(one), SELECTED: forecast(ranked(no_collapse, config.collapse)[0]), RECENT: forecast(by_last[0]),
            HALF: forecast(median_of(by_last[:(len(by_last) + 1) // 2])), LOOP: forecast(median_of(models)),
            APART: np.median(apart, axis=0),
            "all": apart, "no collapse": [forecast(model) for model in no_collapse],
            "no last": [forecast(model) for model in no_last]}


def run(config: LaserConfig) -> Card:
    card = Card.begin(__name__, config)
    laser = Laser(card.use(santa_fe_laser()))
    folder = card.unfinished(config.out)

    def runs(repetitions, **choices):
        return sweep(learn, grid(series=[laser.series], **choices), repetitions, config.seed, config.jobs, config.dask,
                     resume=folder)
    table = runs(config.repetitions, algorithm=["LM"], units=config.hidden, lag=config.lags, epochs=[config.epochs],
                 patience=[config.patience], block=[config.validation])
    br = {"algorithm": ["BR"], "units": [config.units], "lag": [config.lag]}
    one = runs(config.runs, **br, epochs=[config.one_epochs], block=[None])[0]
    rows = runs(config.runs * config.networks, **br, epochs=[config.br_epochs], block=[None, config.collapse, config.last])
    kinds = [[network(row, result) for result in row["results"]] for row in rows]               # runs · K networks each
    parts = [slice(i, i + config.networks) for i in range(0, len(kinds[0]), config.networks)]
    repetitions = [procedures(laser, network(one, result), *[models[part] for models in kinds], config)
                   for result, part in zip(one["results"], parts)]
    forecasts = {name: np.array([one[name] for one in repetitions]) for name in repetitions[0]}
    scores = {name: nmse(laser.test, forecasts[name]) for name in PROCEDURES}                   # {name: (runs,)}
    hindsight = {SELECTED: forecasts["no collapse"], RECENT: forecasts["no last"]}              # {name: (runs, K, steps)}
    hindsight = {name: np.array([nmse(laser.test, own).min() for own in of]) for name, of in hindsight.items()}
    lm = {clip: score_table(laser, table, clip) for clip in (True, False)}
    add_rows(card, laser, lm, scores, hindsight, forecasts)
    add_pitfalls(card, laser, lm, *kinds[:2], forecasts, config)
    draw_forecasts(card, laser, forecasts, {name: COLOUR[name] for name in (ONE, BEST)})
    draw_procedures(card, scores, hindsight, config)
    draw_table(card, lm, config)
    draw_horizon(card, laser, forecasts, COLOUR)
    return card


def score_table(laser, table, clip) -> dict:
    """{(units, lag): closed-loop MSE ÷ variance of the training values, (repetitions,)}."""
    return {(row["units"], row["lag"]): np.array([
        mse(laser.test, laser.forecast(network(row, result), row["lag"], clip=clip)) / laser.train.var()
        for result in row["results"]]) for row in table}


def add_rows(card, laser, lm, scores, hindsight, forecasts):
    beside = {ONE: (AIM, "our aim"), BEST: (WINNER, "the competition's winner")}
    for name in PROCEDURES:
        report, source = beside.get(name, (None, ""))
        card.add_row(f"NMSE, BR: {name}", scores[name], report=report, source=source)
    card.add_row(f"NMSE, BR: each network that “{BEST}” combines, on its own", nmse(laser.test, forecasts["all"]).ravel())
    for name, best in hindsight.items():
        card.add_row(f"NMSE, BR: {name}: the best of the same networks in hindsight", best)
        card.add_row(f"NMSE, BR: {name} ÷ the best in hindsight", scores[name] / best)
    for name in (ONE, BEST):
        card.add_row(f"horizon until |error| > σ/2, BR: {name}", horizon(laser.test, forecasts[name], laser.train.std() / 2),
                     unit="steps", better="higher")
    for clip, errors in lm.items():
        medians, how = [np.median(of) for of in errors.values()], "clipped" if clip else "not clipped"
        why = "the report does not say that it clips" if clip else ""
        card.add_row(f"MSE ÷ σ², LM, {how}: best network of the table, in hindsight", min(of.min() for of in errors.values()),
                     report=REPORT_BEST, incomparable=why)
        for word, report, value in zip(("lowest", "highest"), REPORT_MEDIANS, (min(medians), max(medians))):
            card.add_row(f"MSE ÷ σ², LM, {how}: {word} median of the table", value, report=report, incomparable=why)
    for (units, lag), errors in lm[True].items():
        card.add_row(f"MSE ÷ σ², LM: {units} units × lag {lag}", errors)


def add_pitfalls(card, laser, lm, models, held, forecasts, config):
    truth, best, lag = laser.test, forecasts[BEST], config.lag
    free, bound = (nmse(truth, np.array([laser.forecast(model, lag, clip=clip) for model in models]))
                   for clip in (False, True))
    one, combined = ("{:.2g} in the median (quartiles {:.2g} and {:.2g})".format(*np.percentile(of, (50, 25, 75)))
                     for of in (nmse(truth, forecasts[ONE]), bound))
    worse = np.mean([np.median(lm[False][key]) > 1.1 * np.median(lm[True][key]) for key in lm[True]])
    seen, unseen = (np.median([laser.validate(model, lag, config.collapse) for model in of]) for of in (models, held))
    factor = truth.var() / laser.train.var()
    card.pitfalls += [
        f"Unclipped feedback blows up. Of {len(models)} BR networks, {np.mean(free > 1):.0%} have an NMSE above 1 then, the "
        f"worst {free.max():.2g}; with clipping, {np.mean(bound > 1):.0%}, the worst {bound.max():.2g}. Of the medians in the "
        f"LM table, {worse:.0%} are more than a tenth worse without.",
        "The roll-out posted with the exercise is off by one. Compared with the truth one step late, the forecasts of "
        f"“{BEST}” score {np.median(nmse(truth[1:], best[:, :-1])):.2g} instead of "
        f"{np.median(nmse(truth[1:], best[:, 1:])):.2g}; a perfect one would score {nmse(truth[1:], truth[:-1]):.2g}. The "
        "series x_t = t shows such a slip at once.",
        "Report B validates in closed loop on t = {} to {}, which its networks have learned from. ".format(*config.collapse) +
        f"Networks that have score {seen:.2g} there in the median; networks that have not, {unseen:.2g}. On the test values "
        "the best of {} by this honest validation scores {:.2g} in the median; one that has learned from all, and was not "
        "chosen, {:.2g}.".format(config.networks, np.median(nmse(truth, forecasts[SELECTED])), np.median(bound)),
        f"By validation a network on its own does better with few iterations ({config.one_epochs}), those to be combined with "
        f"many ({config.br_epochs} here: they take time). On the test values, networks of the former score {one}, of the "
        f"latter {combined}: with a few collapses to validate on, such a choice is half a guess.",
        f"MSE ÷ variance of the training values is {factor:.3g} times the NMSE, ÷ variance of the {len(truth)} values: "
        f"report B's {REPORT_BEST} is an NMSE of {REPORT_BEST / factor:.3g}. State which.",
        f"Report B's {REPORT_BEST} is the best of its table by the test values themselves. So is our best in hindsight: "
        "nobody had these values to choose by, and choosing is part of the procedure.",
    ]


def draw_procedures(card, scores, hindsight, config):
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator
    fig, ax = plt.subplots(figsize=(9.5, 3.8))
    for i, (name, values) in enumerate(scores.items()):
        colour, spread = COLOUR.get(name, "#888888"), i + np.linspace(-0.2, 0.2, len(values))
        ax.plot(values, spread, "o", color=colour, alpha=0.6)
        ax.plot([np.median(values)] * 2, [i - 0.34, i + 0.34], color=colour, lw=2.5)
        if name in hindsight:
            ax.plot(hindsight[name], spread, "k|", ms=7, alpha=0.7, label="best in hindsight" if name == RECENT else None)
    ax.axvline(WINNER, color="k", ls=":", lw=1.2, label=f"the competition's winner, {WINNER}")
    ax.set_yticks(range(len(scores)), scores)
    ax.set(xscale="log", xlabel="NMSE of the test values", ylim=(len(scores) - 0.4, -0.6))
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")
    fig.legend(loc="outside upper right", ncols=2)
    card.add_figure(fig, "procedures", f"A dot is a repetition ({config.runs}) with {config.networks} BR networks, the bar "
                    "their median; a tick the best of the same networks in hindsight, which is no procedure. Networks to be "
                    "validated have not learned from t = {} to {}, or {} to {}; the others from all.".format(
                        *config.collapse, *config.last))


def draw_table(card, lm, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.6))
    for ax, (clip, errors) in zip(axes, lm.items()):
        table = np.array([[np.median(errors[units, lag]) for lag in config.lags] for units in config.hidden])
        ax.imshow(np.log10(table), cmap="viridis_r", aspect="auto", vmin=-1, vmax=1.5)
        for (i, j), value in np.ndenumerate(table):
            ax.text(j, i, f"{value:.2g}", ha="center", va="center", color="white" if value > 2.5 else "black")
        ax.set_xticks(range(len(config.lags)), config.lags)
        ax.set_yticks(range(len(config.hidden)), config.hidden)
        ax.grid(False)
        ax.set(title="Feedback clipped" if clip else "Not clipped", xlabel="lag (steps)", ylabel="hidden units")
    card.add_figure(fig, "table", "MSE of the closed-loop forecast ÷ variance of the training values, LM with early stopping: "
                    f"the median of {config.repetitions} starts. Report B's medians go from {REPORT_MEDIANS[0]} to "
                    f"{REPORT_MEDIANS[1]}, its best network has {REPORT_BEST}.")
