"""Optimal transport: the colours of one photograph, moved to those of another as cheaply as possible.

A photograph is a heap of colours, points in the cube of red, green and blue. Among all plans that turn the sea by day into the
colours of the sunset (report B, 4.4), the cheapest moves the colours least: what was light stays light, what was alike stays
alike. It is found from a sample of pixels, exactly or by Sinkhorn's iterations; every other pixel moves as its nearest sample
does (Ferradans et al. 2014). Beside it: pixels replaced by the other picture's at random, which have the right colours, too.
Distances between Gaussians, which are known, say how far to trust a sample: _gaussians.py.

Change first: `nearest`, to 10. Why does the picture become smoother, and what does that cost? The test that guards what
`nearest` goes into: tests/exercises/test_optimal_transport.py::test_other_pixels_move_as_their_nearest_samples_do
"""
from dataclasses import dataclass

import numpy as np

from exercises.card import Card, Config
from exercises.generative import _gaussians
from tinynn import data
from tinynn.transport import barycentric_map, emd, solve, squared_distances, wasserstein_1d
from tinynn.viz import COLOURS

NAMES = "day", "sunset"
CHANNELS = "red", "green", "blue"


@dataclass(frozen=True)
class TransportConfig(Config):
    """pixels: of the sample of each picture. shares: ε of Sinkhorn, in parts of the largest cost, to show; sweep: to measure.
    nearest: whose mean move a pixel makes. step: every so many pixels of the pictures, down and across. repeats: samples.
    points, shifts, sizes, draws, eps: of the Gaussians."""
    pixels: int = 1000
    shares: tuple = (0.1, 0.01, 0.001)
    sweep: tuple = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
    nearest: int = 1
    step: int = 2
    repeats: int = 3
    points: int = 1000
    shifts: tuple = (0.0, 0.5, 1.0, 1.5, 2.0)
    sizes: tuple = (50, 100, 200, 400, 800)
    draws: int = 10
    eps: float = 0.5


CONFIG = TransportConfig(takes="1 min")
QUICK = TransportConfig(takes="8 s", quick=True, pixels=200, shares=(0.1, 0.01), sweep=(0.3, 0.1, 0.03, 0.01), step=4,
                        repeats=1, sizes=(25, 50, 100), draws=3)


def build(share=None):
    """The model: a function from costs C (n, n) to a plan, equal weights; exact, or Sinkhorn's with ε = share · max C."""
    def entropic(C):
        a = np.full(len(C), 1 / len(C))
        return solve(a, a, C, share * C.max(), max_iter=100_000).plan
    return entropic if share else lambda C: emd(None, None, C)


def colours(image) -> np.ndarray:
    """(3, H, W) -> (H · W, 3)."""
    return image.reshape(3, -1).T.astype(np.float64)


def some(points, n, rng) -> np.ndarray:
    """n of the points (N, 3), none twice: (n, 3)."""
    return points[rng.choice(len(points), n, replace=False)]


def carry_over(points, x, moved, nearest=1) -> np.ndarray:
    """All points (N, 3) after the mean move of their nearest samples, which go from x (n, 3) to `moved`: (N, 3)."""
    from scipy.spatial import KDTree
    _, rows = KDTree(x).query(points, k=[*range(1, nearest + 1)])                           # (N, nearest)
    return np.clip(points + (moved - x)[rows].mean(axis=1), 0, 1)


def transfer(source, target, config, rng) -> dict:
    """{method: all pixels (N, 3) of the picture `source` in the colours of `target`, both (N, 3)}."""
    x, y = some(source, config.pixels, rng), some(target, config.pixels, rng)
    C = squared_distances(x, y)
    done = {"before": source, "swapped": some(target, len(source), rng)}
    for name, share in [("exact", None), *((f"ε = {share:g}", share) for share in config.shares)]:
        done[name] = carry_over(source, x, barycentric_map(build(share)(C), y), config.nearest)
    return done


def distance(x, y) -> float:
    """W₂ of equally many colours."""
    C = squared_distances(x, y)
    return np.sqrt((emd(None, None, C) * C).sum())


def run(config: TransportConfig) -> Card:
    card, rng = Card.begin(__name__, config), np.random.default_rng(config.seed)
    images = card.use(data.ocean_photographs()).x_train[:, :, ::config.step, ::config.step]
    pixels = [colours(image) for image in images]
    pairs = {f"{NAMES[i]} to {NAMES[1 - i]}": (pixels[i], pixels[1 - i]) for i in (0, 1)}
    done = {name: [transfer(*pair, config, rng) for _ in range(config.repeats)] for name, pair in pairs.items()}
    for name, (source, target) in pairs.items():
        add_rows(card, name, source, target, done[name], config, rng)
    swept = sweep(*pairs["day to sunset"], config, rng)
    add_sweep_rows(card, swept)
    on_line, in_plane = _gaussians.line(config, rng), _gaussians.plane(config, rng)
    add_gaussian_rows(card, on_line, in_plane, config)
    add_pitfalls(card, pairs["day to sunset"], done["day to sunset"][0], swept, config)
    draw_pictures(card, done, images.shape[2:], config)
    draw_densities(card, pairs, done, config, rng)
    draw_clouds(card, pairs, done, config, rng)
    draw_sweep(card, swept, config)
    _gaussians.draw(card, on_line, in_plane, config)
    return card


def add_rows(card, name, source, target, done, config, rng):
    """How far fresh samples of the colours are from the target's, and how much of the picture is left."""
    def fresh(points):
        return distance(some(points, config.pixels // 2, rng), some(target, config.pixels // 2, rng))
    card.add_row(f"W₂ of two samples of the target's colours (what right colours have), {name}",
                 [fresh(target) for _ in range(config.draws)], unit="of 0 to 1")
    for method in done[0]:
        card.add_row(f"W₂ to the target's colours, {name}, {method}", [fresh(one[method]) for one in done], unit="of 0 to 1")
    for method in list(done[0])[1:]:
        card.add_row(f"correlation with the lightness before, {name}, {method}",
                     [light_kept(source, one[method]) for one in done])


def light_kept(before, after) -> float:
    """The correlation of the lightness (mean of red, green and blue) of a picture's pixels (N, 3), before and after."""
    return np.corrcoef(before.mean(axis=1), after.mean(axis=1))[0, 1]


def sweep(source, target, config, rng) -> dict:
    """{share of ε: extra cost of the plan in % of the exact one, partners of a pixel, iterations}; one sample."""
    x, y = some(source, config.pixels, rng), some(target, config.pixels, rng)
    C, a = squared_distances(x, y), np.full(config.pixels, 1 / config.pixels)
    least, found = (emd(None, None, C) * C).sum(), {}
    for share in config.sweep:
        solution = solve(a, a, C, share * C.max(), max_iter=100_000)
        P = solution.plan
        entropy = -(P * np.log(np.maximum(P, 1e-300))).sum()                # of the plan; ln n of it is that of one side
        found[share] = (100 * ((P * C).sum() / least - 1), np.exp(entropy) / len(x), solution.iterations)
    return found


def add_sweep_rows(card, swept):
    for share, (extra, partners, iterations) in swept.items():
        card.add_row(f"cost of Sinkhorn's plan above the exact one's, ε = {share:g} of the largest cost", extra, unit="%")
        card.add_row(f"places to which a pixel goes, ε = {share:g}", partners)
        card.add_row(f"iterations to 1e-6, ε = {share:g}", iterations)


def add_gaussian_rows(card, on_line, in_plane, config):
    """Measured distances over true ones: 1 is right."""
    m, n = config.shifts[-1], config.sizes[-1]
    for p, truth in zip((1, 2), _gaussians.on_a_line(m)):
        card.add_row(f"W{'₁₂'[p - 1]} over the truth, N(0, 1) and N({m:g}, 0.5²), {config.points} numbers each",
                     on_line[m][:, p - 1] / truth)
    for k, (name, truth) in enumerate(zip(("W₂²", "Sinkhorn cost", "Sinkhorn divergence"), _gaussians.truths(config.eps))):
        card.add_row(f"{name} over the truth, Gaussians in the plane, {n} points each", in_plane[n][:, k] / truth)


def add_pitfalls(card, pair, done, swept, config):
    (source, target), rng, share = pair, np.random.default_rng(config.seed), max(config.shares)
    x, y = some(source, config.pixels, rng), some(target, config.pixels, rng)
    one, other = (barycentric_map(build(share)(squared_distances(x, z)), z) for z in (y, y[::-1]))
    apart = distance(*rng.standard_normal((2, config.pixels // 2, 2)))
    card.pitfalls += [
        "Colour transport sees no positions: a picture is a heap of colours to it. Put the sampled pixels of the other "
        f"picture in another order, and ours get the same colours (to {np.abs(one - other).max():.0e}). So sky may take the "
        "colours of sand, and two pixels of one colour never part, be one of the sea and one of the sky.",
        "The right colours are not the right picture. Pixels swapped at random have exactly the other picture's colours, and "
        f"a correlation of {abs(light_kept(source, done['swapped'])):.2f} with the lightness before; after transport it is "
        f"{light_kept(source, done['exact']):.2f}. Of all ways to have those colours, transport takes the one whose squared "
        "moves are the least in all.",
        f"ε blurs: where it is {share:g} of the largest cost, a pixel goes to {swept[share][1]:.0f} places at once, and its "
        f"colour is their mean. So all colours draw together: their standard deviation is {one.std(0).mean():.3f}, where the "
        f"target's is {y.std(0).mean():.3f} (mean of the channels). Small ε is paid for in iterations: "
        f"{swept[share][2]} become {swept[min(swept)][2]} at {min(swept):g}.",
        "A distance of samples is not that of the distributions: W₂² of samples is never smaller on average, and two samples "
        f"of one distribution are not 0 apart. Two of one Gaussian in the plane, {config.pixels // 2} points each, have W₂ = "
        f"{apart:.2f}. So compare the colours after transport with those of two samples of the target.",
    ]


def draw_pictures(card, done, shape, config):
    import matplotlib.pyplot as plt
    columns = list(next(iter(done.values()))[0])
    fig, axes = plt.subplots(2, len(columns), figsize=(2.1 * len(columns), 3.3))
    for row, (name, runs) in zip(axes, done.items()):
        for ax, method in zip(row, columns):
            ax.imshow(runs[0][method].reshape(*shape, 3))                                   # (N, 3) -> (H, W, 3)
            ax.set_title(name if method == "before" else method, loc="center", fontsize=9)
            ax.set_axis_off()
    card.add_figure(fig, "pictures", "Each photograph, and in the colours of the other: its pixels at random; moved exactly; "
                    f"moved by Sinkhorn, ε in parts of the largest cost. From a sample of {config.pixels} pixels of each.")


def draw_densities(card, pairs, done, config, rng):
    import matplotlib.pyplot as plt
    from scipy.stats import gaussian_kde
    fig, axes = plt.subplots(2, 3, figsize=(11, 5.4), sharex=True)
    at, coarse = np.linspace(0, 1, 200), f"ε = {max(config.shares):g}"
    for row, (name, (source, target)) in zip(axes, pairs.items()):
        after = done[name][0]
        for c, ax in enumerate(row):
            for points, label, colour, line in ((source, "before", "#999999", "-"), (after["exact"], "exact", COLOURS[0], "-"),
                                                (after[coarse], coarse, COLOURS[1], "-"), (target, "target", "black", ":")):
                values = some(points, min(2000, len(points)), rng)[:, c]
                far = wasserstein_1d(values, some(target, min(2000, len(target)), rng)[:, c])
                ax.plot(at, gaussian_kde(values, 0.1)(at), color=colour, ls=line, label=f"{label}, W₁ {far:.3f}")
            ax.set_title(f"{CHANNELS[c]}, {name}", fontsize=10)
            ax.set_ylim(bottom=0)
            ax.legend(fontsize=7.5)
        row[0].set_ylabel("density")
    for ax in axes[1]:
        ax.set_xlabel("value")
    card.add_figure(fig, "densities", "Kernel densities of the channels, and the Wasserstein distance of each to the target's "
                    "(that of the target itself is between two samples of it); 2000 pixels, bandwidth 0.1 deviations.")


def draw_clouds(card, pairs, done, config, rng):
    import matplotlib.pyplot as plt
    shown = ["before", "exact", *(f"ε = {share:g}" for share in (max(config.shares), min(config.shares)))]
    fig, axes = plt.subplots(2, 5, figsize=(11, 4.9), sharex=True, sharey=True)
    for row, (name, (_, target)) in zip(axes, pairs.items()):
        clouds = {method: done[name][0][method] for method in shown} | {"target": target}
        for ax, (method, points) in zip(row, clouds.items()):
            points = some(points, min(2000, len(points)), rng)
            ax.scatter(points[:, 0], points[:, 2], c=points, s=5)
            ax.set_title(name if method == "before" else method, loc="center", fontsize=10)
        row[0].set_ylabel("blue")
    for ax in axes[1]:
        ax.set_xlabel("red")
    axes[0, 0].set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    card.add_figure(fig, "clouds", "The colours of 2000 pixels in the plane of red and blue, each in its own colour: before, "
                    "after transport, and where they were to go.")


def draw_sweep(card, swept, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.4))
    names = "cost above the exact (%)", "places to which a pixel goes", "iterations to 1e-6"
    for k, (ax, name) in enumerate(zip(axes, names)):
        ax.plot(list(swept), [values[k] for values in swept.values()], "o-", color=COLOURS[k])
        ax.set(xscale="log", yscale="log", xlabel="ε (of the largest cost)", title=name)
    card.add_figure(fig, "eps", f"What ε does: Sinkhorn's plan beside the exact one, {config.pixels} pixels, day to sunset.")
