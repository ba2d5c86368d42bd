"""Hopfield attractors: every fixed point of two small networks, and where each start ends.

Three patterns are stored in 2 and in 3 saturating units, x ← min(max(Wx + b, −1), 1), by the rule of Li, Michel & Porod
(reports A 2.1.1–2.1.2, B 2.1). Besides the patterns, which are stable, there are fixed points that nobody asked for: they
are enumerated exactly, with their kind: "stable" if all small steps away shrink, "repeller" if as many directions grow as
W can make grow, "saddle" between. So most states near a repeller leave at once; those near a saddle may come closer first.
The energy E = −½xᵀ(W − I)x − bᵀx goes downhill all the way.

Change first: PATTERNS. Store (1, 1) and (−1, −1) only: how many fixed points are there, and which? The test that guards
the counts: tests/exercises/test_hopfield_exercises.py::test_fixed_points_are_nine_and_seven
"""
from dataclasses import dataclass

import numpy as np

from exercises.card import Card, Config
from tinynn.energy import Hopfield, hebb_capacity
from tinynn.energy.hopfield_rules import hebb
from tinynn.viz import COLOURS

PATTERNS = {2: ((1, 1), (-1, -1), (1, -1)), 3: ((1, 1, 1), (-1, -1, 1), (1, -1, -1))}
NAMED_BY_A = (1, 1, 1), (-1, -1, -1), (1, -1, 1)                # the 3-D patterns in report A's text
STATE_OF_A = 1, 0.06045472, -0.06045472                         # a "stable state" that it reports
KINDS = {"stable": "o", "saddle": "X", "repeller": "s"}         # and their markers
TICKS = -1, -0.5, 0, 0.5, 1
SIX_DIGITS = 2e-6
# Units: {what: the report's number}. W and b to six digits, counts of fixed points, and the mean number of iterations.
REPORT = {2: {"diagonal": 1.161834, "off-diagonal": 0, "bias": 0, "stable": 4, "saddle": 4, "repeller": 1, "mean": 8},
          3: {"diagonal": 0.848933, "off-diagonal": 0.312901, "bias": 0.284852, "stable": 3, "saddle": 3, "repeller": 1,
              "mean": 55}}


@dataclass(frozen=True)
class AttractorsConfig(Config):
    """square, cube: how many starts along each side, of [−1, 1]² and of [−reach, reach]³. fine: more for the square.
    tolerance: what may count as no change. limit: of iterations. shown: starts along each side in the 3-D figures.
    units: of a larger network, to be filled with random patterns."""
    square: int = 11
    fine: tuple = (21, 101)
    cube: int = 10
    reach: float = 0.1
    tolerance: float = 1e-4
    limit: int = 1000
    shown: int = 4
    units: int = 240


CONFIG = AttractorsConfig(takes="2 s")
QUICK = AttractorsConfig(takes="2 s", quick=True, fine=(21,), cube=6, units=60)


def build(units=2) -> Hopfield:
    """The network with 2 or 3 units."""
    return Hopfield(PATTERNS[units])


def grid(side, units, reach=1.0) -> np.ndarray:
    """Starts in the square or cube [−reach, reach]ᵘ: (sideᵘ, units)."""
    axes = np.meshgrid(*[np.linspace(-reach, reach, side)] * units, indexing="ij")
    return np.stack(axes, axis=-1).reshape(-1, units)           # u arrays (side, ..., side) -> (sideᵘ, u)


def nearest(states, points) -> np.ndarray:
    """Which fixed point each state (M, N) is closest to: (M,)."""
    places = np.array([point.state for point in points])
    return np.linalg.norm(states[:, None] - places, axis=2).argmin(axis=1)      # (M, 1, N) - (K, N) -> (M, K) -> (M,)


def report_energy(network, x):
    """Report A's: −½xᵀWx. (..., N) -> (...)."""
    return -((x @ network.W) * x).sum(-1) / 2


def run(config: AttractorsConfig) -> Card:
    card = Card.begin(__name__, config)
    networks = {units: build(units) for units in PATTERNS}
    points = {units: network.fixed_points() for units, network in networks.items()}
    for units, network in networks.items():
        add_rows(card, network, points[units], REPORT[units])
    iterations = count_iterations(card, networks, points[3], config)
    starts = {2: grid(config.square, 2), 3: grid(config.shown, 3)}
    runs = {units: networks[units].recall(starts[units], config.limit, tolerance=config.tolerance, trajectory=True)
            for units in networks}
    draw_portraits(card, runs, points)
    rises = draw_energies(card, networks[3], runs[3])
    add_pitfalls(card, networks, points, iterations, rises, config)
    return card


def add_rows(card, network, points, report):
    W, b, units = network.W, network.b, len(network.b)
    for what, value in (("diagonal", W[0, 0]), ("off-diagonal", abs(W[0, 1])), ("bias", abs(b[0]))):      # all are alike
        name = {"bias": "b, size"}.get(what, f"W, {what}, size")
        card.add_row(f"{name}, {units}-D", value, report=report[what], better="equal", tolerance=SIX_DIGITS)
    card.add_row(f"fixed points, {units}-D", len(points), report=sum(report[kind] for kind in KINDS), better="equal",
                 tolerance=0)
    for kind in KINDS:
        card.add_row(f"fixed points, {kind}, {units}-D", sum(point.kind == kind for point in points),
                     report=report[kind], better="equal", tolerance=0)


def count_iterations(card, networks, points, config) -> dict:
    """How long it takes to a fixed point, by where the starts are and what counts as arrived; all in one dict."""
    def mean(units, starts, tolerance=0.0):
        return networks[units].recall(starts, config.limit, tolerance=tolerance).steps.mean()
    square, cube = config.square, grid(config.cube, 3, config.reach)
    found = {"square": mean(2, grid(square, 2)), "fine": {side: mean(2, grid(side, 2)) for side in config.fine}}
    card.add_row(f"iterations, 2-D, mean over {square} × {square} starts", found["square"], report=REPORT[2]["mean"],
                 better="equal")
    for side, value in found["fine"].items():
        card.add_row(f"iterations, 2-D, mean over {side} × {side} starts", value)
    exact = networks[3].recall(cube, config.limit)
    rough = networks[3].recall(cube, config.limit, tolerance=config.tolerance)
    kinds = np.array([points[i].kind for i in nearest(rough.states, points)])
    found |= {"exact": exact.steps.mean(), "rough": rough.steps.mean(), "ridge": (kinds != "stable").sum(),
              "on": exact.steps[kinds != "stable"].mean(), "off": exact.steps[kinds == "stable"].mean()}
    side = f"{config.cube}³ starts in [−{config.reach:g}, {config.reach:g}]³"
    card.add_row(f"iterations, 3-D, mean over {side}, to an exact fixed point", found["exact"], report=REPORT[3]["mean"],
                 better="equal")
    card.add_row(f"iterations, 3-D, mean over {side}, tolerance {config.tolerance:g}", found["rough"])
    return found


def add_pitfalls(card, networks, points, iterations, rises, config):
    state, other = np.array(STATE_OF_A), Hopfield(NAMED_BY_A)
    point = points[3][nearest(state[None], points[3])[0]]
    moves, off = np.abs(other.update(state) - state).max(), np.abs(point.state - state).max()
    growth, n = np.linalg.eigvalsh(networks[3].W).max(), config.units
    right, wrong = (int(count) for count in (hebb_capacity(n)["all patterns perfect"], n / 4 * np.log(n)))
    kept = [keeps(count, n, np.random.default_rng(config.seed)) for count in (right, wrong)]
    fine = ", ".join(f"{side} × {side} take {mean:.1f}" for side, mean in iterations["fine"].items())
    card.pitfalls += [
        f"Report A names the patterns (1, 1, 1), (−1, −1, −1), (1, −1, 1). Their network has {len(other.fixed_points())} "
        f"fixed points and no bias, and moves the report's state (1, 0.0605, −0.0605) by {moves:.2f} in one update. With "
        f"(1, 1, 1), (−1, −1, 1), (1, −1, −1) that state is a fixed point, to {off:.0e}: so those were used.",
        f"And that state is not stable: it is a {point.kind}, where a change grows in {point.unstable} direction, by a factor "
        f"{growth:.2f} an update. A state comes to rest there only from exactly on the ridge between two valleys.",
        f"Report A's energy, −½xᵀWx, leaves out the bias and the walls. It rises along {rises['report']} of {rises['runs']} "
        f"trajectories, by up to {rises['largest']:.2f}; E = −½xᵀ(W − I)x − bᵀx rises along {rises['right']}.",
        f"“About 8 iterations” in 2-D depends on the starts: {config.square} × {config.square} of them take "
        f"{iterations['square']:.1f} in the mean, {fine}: the finer, the more starts close to a ridge, where all is slow.",
        f"“About 55 iterations” in 3-D is mostly rounding. {iterations['ridge']} of {config.cube}³ starts lie on a ridge; the "
        f"others arrive after {iterations['off']:.0f} in the mean. On a ridge a state runs onto a saddle, and would stay; but "
        f"its rounding errors, 1e-16, grow by {growth:.2f} an update, until after about ln(1e16)/{np.log(growth):.2f} = "
        f"{np.log(1e16) / np.log(growth):.0f} (measured: {iterations['on']:.0f}) it has fallen off. With tolerance "
        f"{config.tolerance:g} all count as arrived, after {iterations['rough']:.1f}.",
        f"Report A's capacity of Hebb's rule, (N/4)·log N, should be N/(4 ln N): for N = {n} that is {wrong} patterns instead "
        f"of {right}, too many by ln²N = {np.log(n)**2:.0f}. Tried with random patterns: of {right} stored, {kept[0]:.0%} are "
        f"fixed points, of {wrong}, {kept[1]:.0%}.",
    ]


def keeps(patterns, units, rng) -> float:
    """The share of random patterns that are fixed points after storing them by Hebb's rule."""
    patterns = rng.choice([-1.0, 1.0], (patterns, units))
    W, b = hebb(patterns)
    return (patterns * (patterns @ W + b) > 0).all(axis=1).mean()


def draw_portraits(card, runs, points):
    import matplotlib.pyplot as plt
    fig = plt.figure(figsize=(11, 5), layout="none")
    for place, units in enumerate(runs, start=1):
        ax = fig.add_subplot(1, 2, place, projection="3d" if units == 3 else None)
        stable = [i for i, point in enumerate(points[units]) if point.kind == "stable"]
        ends = nearest(runs[units].states, points[units])
        for path, end in zip(runs[units].trajectory.swapaxes(0, 1), ends):              # path: (T + 1, units)
            colour = COLOURS[stable.index(end)] if end in stable else "#999999"
            ax.plot(*path.T, color=colour, lw=0.9)
            ax.plot(*path[:1].T, ".", color=colour, ms=4)
        for i, point in enumerate(points[units]):
            ax.plot(*point.state[:, None], KINDS[point.kind], ms=10, mec="black", clip_on=False, zorder=5,
                    color=COLOURS[stable.index(i)] if i in stable else "white")
        ax.set(xlabel="x₁", ylabel="x₂", xticks=TICKS, yticks=TICKS,
               title=f"{units}-D: {len(points[units])} fixed points, {len(stable)} stable, {len(PATTERNS[units])} stored")
        if units == 3:
            ax.set(zlabel="x₃", zticks=TICKS)
            ax.view_init(22, -58)
        else:
            ax.set_aspect("equal")
    for kind, marker in KINDS.items():
        ax.plot([], [], [], marker, ms=9, mec="black", color="white", label=kind)
    ax.legend(loc="upper left", bbox_to_anchor=(-0.08, 1))
    card.add_figure(fig, "portraits", f"Where each start (dot) ends: trajectories from grids of {len(runs[2].states)} and "
                    f"{len(runs[3].states)} starts, in the colour of the stable point they reach. Grey ones start exactly on "
                    "a ridge, as symmetric starts do, and end on a saddle or the repeller. Nothing here is random.")


def draw_energies(card, network, run) -> dict:
    """Returns along how many trajectories each energy rises, and by how much report A's does."""
    import matplotlib.pyplot as plt
    energies = {"E = −½xᵀ(W − I)x − bᵀx": network.energy(run.trajectory),                       # (T + 1, M)
                "report A: −½xᵀWx": report_energy(network, run.trajectory)}
    climbs = [np.diff(energy, axis=0).max(axis=0) for energy in energies.values()]              # (M,) each
    right, wrong = (int((climb > 1e-12).sum()) for climb in climbs)
    runs = len(run.states)
    fig, axes = plt.subplots(1, 2, figsize=(11, 4), sharex=True)
    for ax, (name, energy), count in zip(axes, energies.items(), (right, wrong)):
        for line, climb in sorted(zip(energy.T, climbs[1]), key=lambda pair: pair[1]):
            ax.plot(line, lw=0.9, color=COLOURS[1] if climb > 1e-12 else "#999999")
        ax.set(title=f"{name}: rises in {count} of {runs}", xlabel="iteration", ylabel="energy (no unit)")
    card.add_figure(fig, "energies", f"Two energies along the {runs} trajectories of the 3-D network, those along which "
                    "report A's energy rises in orange. Nothing here is random.")
    return {"runs": runs, "right": right, "report": wrong, "largest": climbs[1].max()}
