"""Principal components and t-SNE: how many dimensions do data have, and what do they look like in two?

Three tables (report B 3.1): Gaussian noise, 500 × 50, whose columns have nothing to do with each other; spectra of mixtures,
264 × 21, generated from three concentrations, as the report's blood samples are not public; and 500 handwritten threes of
16 × 16 pixels. PCA keeps the q directions of the largest variances λ₁ ≥ λ₂ ≥ ..., and what it loses is known beforehand:
    mean over the rows of |x − x̂|² = (N − 1)/N · (λ_(q+1) + ... + λ_D)                           (Eckart & Young 1936)
t-SNE gives up straight lines, and all distances but those to neighbours.

Change first: `perplexity`, to 3. Where do the clumps in the noise come from? The test that guards the errors:
tests/exercises/test_pca.py::test_what_is_lost_was_discarded
"""
from dataclasses import dataclass

import numpy as np

from exercises.card import Card, Config
from exercises.features._images import in_rows, place, show
from tinynn import data
from tinynn.projection import PCA, TSNE, neighbours_kept
from tinynn.viz import COLOURS

TITLES = {"noise": "Gaussian noise (generated)", "spectra": "spectra (generated stand-in)", "threes": "threes"}
REPORT = {"noise": 42, "spectra": 99.9, "error": 1e-5}      # components for 90 %; % that three explain; RMSD, all components


@dataclass(frozen=True)
class PCAConfig(Config):
    """points, columns: of the noise, and draws of it. kept: with how many components threes are shown. steps, perplexity: of
    t-SNE, and random starts of it beside the one from PCA."""
    points: int = 500
    columns: int = 50
    draws: int = 20
    kept: tuple = (1, 2, 4, 8, 16, 32, 64, 128, 256)
    steps: int = 1000
    perplexity: float = 30
    starts: int = 5


CONFIG = PCAConfig(takes="15 s")
QUICK = PCAConfig(takes="7 s", quick=True, draws=3, steps=300, starts=1)


def build(q=None) -> PCA:
    """The model: q components, or those that explain a share q < 1 of the variance; None: all."""
    return PCA(q)


def reconstruct(pca, x, q) -> np.ndarray:
    """x (N, D) from its first q components: (N, D)."""
    return pca.mean + pca.transform(x)[:, :q] @ pca.components[:q]                          # (N, q) @ (q, D) -> (N, D)


def losses(pca, x) -> tuple:
    """For q = 0 ... D: the mean over the rows of |x − x̂|², and (N − 1)/N · (λ_(q+1) + ... + λ_D); (D + 1,) each."""
    squared = [((x - reconstruct(pca, x, q)) ** 2).sum(axis=1).mean() for q in range(len(pca.components) + 1)]
    return np.array(squared), (len(x) - 1) / len(x) * np.append(np.cumsum(pca.explained_variance[::-1])[::-1], 0)


def run(config: PCAConfig) -> Card:
    card, rng = Card.begin(__name__, config), np.random.default_rng(config.seed)
    threes = card.use(data.threes()).x_train
    noises = rng.standard_normal((config.draws, config.points, config.columns))
    tables = {"noise": noises[0], "spectra": data.spectra().x_train, "threes": threes}
    fitted = {name: build().fit(x) for name, x in tables.items()}
    squared, discarded = losses(fitted["threes"], threes)
    pictures = {name: [embed(x, config)] + [embed(x, config, child) for child in rng.spawn(config.starts)]
                for name, x in tables.items()}
    add_rows(card, tables, noises, squared, discarded, config)
    kept = add_tsne_rows(card, tables, pictures)
    add_pitfalls(card, tables, squared, discarded, kept)
    draw_reconstructions(card, fitted["threes"], threes, rms(squared), config)
    draw_components(card, fitted["threes"])
    draw_variances(card, fitted)
    draw_losses(card, squared, discarded)
    draw_planes(card, tables, fitted, pictures, config)
    draw_map(card, threes, pictures["threes"][0][0])
    return card


def embed(x, config, rng=None) -> tuple:
    """The picture (N, 2) by t-SNE, from a random start or (rng None) from PCA, and the TSNE."""
    tsne = TSNE(perplexity=config.perplexity, max_iter=config.steps, init="pca" if rng is None else "random", rng=rng)
    return tsne.fit_transform(x, progress=False), tsne


def rms(squared) -> np.ndarray:
    """The root mean square error of a pixel, from the squared error of an image."""
    return np.sqrt(squared / (len(squared) - 1))


def add_rows(card, tables, noises, squared, discarded, config):
    rmsd, three = rms(squared), build(3).fit(tables["spectra"]).explained_variance_ratio.sum()
    card.add_row("components for 90 % of the variance, noise", [len(build(0.9).fit(x).components) for x in noises],
                 report=REPORT["noise"], better="equal", tolerance=0.03)
    card.add_row("variance that three components explain, spectra (generated stand-in)", 100 * three, unit="%",
                 report=REPORT["spectra"], incomparable="a generated stand-in")
    for share in (0.9, 0.99):
        card.add_row(f"components for {100 * share:.0f} % of the variance, threes",
                     len(build(share).fit(tables["threes"]).components))
    for q in config.kept:
        card.add_row(f"RMSD of a pixel (ink 1, paper 0), threes, q = {q}", rmsd[q],
                     report=REPORT["error"] if q == len(rmsd) - 1 else None)
    card.add_row("squared error against discarded variance, largest difference of all q, threes",
                 difference(squared, discarded), unit="of the whole variance")


def difference(squared, discarded) -> float:
    """How far Eckart and Young's equation is from true."""
    return np.abs(squared - discarded).max() / discarded[0]


def add_tsne_rows(card, tables, pictures) -> dict:
    """Returns the percentages of neighbours that are kept, {name: (by PCA, by t-SNE in the median)}."""
    kept = {}
    for name, runs in pictures.items():
        plane = 100 * neighbours_kept(tables[name], build(2).fit_transform(tables[name]))
        shares = [100 * neighbours_kept(tables[name], y) for y, _ in runs]
        card.add_row(f"neighbours kept, of 10, by the plane of two components, {name}", plane, unit="%")
        card.add_row(f"neighbours kept, of 10, by t-SNE, {name}", shares, unit="%")
        card.add_row(f"divergence that t-SNE reaches, {name}", [tsne.kl_divergence for _, tsne in runs], unit="nats")
        kept[name] = plane, np.median(shares)
    return kept


def add_pitfalls(card, tables, squared, discarded, kept):
    rmsd, noise = rms(squared), tables["noise"]
    (N, d), D, q = noise.shape, len(rmsd) - 1, 50
    variance, fewest = build().fit(noise).explained_variance, len(build(0.9).fit(noise).components)
    card.pitfalls += [
        f"With all {D} components nothing is lost: the RMSD is {rmsd[D]:.0e}, which is rounding, where the report has 1e-5. "
        f"With {D - 1} of them it is {rmsd[D - 1]:.1e}: was one left out?",
        "The report sets the RMSD beside the discarded variance; it is the *squared* error that equals it. The mean of "
        "|x − x̂|² is (N − 1)/N times the sum of the discarded λ, as these are divided by N − 1: for all q, to "
        f"{difference(squared, discarded):.0e} of the whole. With q = {q}, {discarded[q] / discarded[0]:.1%} of the variance "
        f"is discarded, {squared[q] / squared[0]:.1%} of the squared error is left, and {rmsd[q] / rmsd[0]:.0%} of the RMSD.",
        f"Noise has principal components, too. Those of {N} × {d} numbers have variances from {variance[0]:.2f} down to "
        f"{variance[-1]:.2f}, where all are 1 in truth; so {fewest} explain 90 %, and not 0.9 · {d} = {0.9 * d:.0f}. Theory "
        f"expects (1 ± √({d}/{N}))², {(1 + np.sqrt(d / N))**2:.2f} and {(1 - np.sqrt(d / N))**2:.2f} (Marchenko & Pastur "
        "1967): only a component beyond is more than chance.",
        "A picture by t-SNE shows who is whose neighbour. Its axes mean nothing, the sizes of clusters and the distances "
        f"between them little. Of the threes' neighbours it keeps {kept['threes'][1]:.0f} %, the plane of two components "
        f"{kept['threes'][0]:.0f} %; of the noise's {kept['noise'][1]:.0f} and {kept['noise'][0]:.0f} %: {d} dimensions have "
        "no room in two.",
    ]


def draw_reconstructions(card, pca, x, rmsd, config):
    import matplotlib.pyplot as plt
    order = np.argsort(pca.transform(x)[:, 0])                  # along the first component
    some = x[order[np.linspace(0, len(x) - 1, 6, dtype=int)]]   # (N, 256) -> (6, 256)
    columns = {f"q = {q}": (reconstruct(pca, some, q), rmsd[q]) for q in (0, *config.kept)} | {"original": (some, None)}
    fig, axes = plt.subplots(1, len(columns), figsize=(11, 6.1))
    for ax, (name, (images, error)) in zip(axes, columns.items()):
        show(ax, in_rows(images.reshape(-1, 16, 16), 1))
        label = "" if error is None else f"\n{'RMSD ' if ax is axes[0] else ''}{error:.2g}"
        ax.set_title(name + label, loc="center", fontsize=9)
    card.add_figure(fig, "reconstructions", "Six threes from their first q components, q = 0 being the mean three; below q "
                    "the root mean square error of a pixel, over all images (ink 1, paper 0).")


def draw_components(card, pca):
    import matplotlib.pyplot as plt
    fig = plt.figure(figsize=(11, 3))
    grid = fig.add_gridspec(2, 9)
    ax = fig.add_subplot(grid[:, :2])
    show(ax, pca.mean.reshape(16, 16))
    ax.set_title("mean", loc="center", fontsize=9)
    axes = [fig.add_subplot(grid[row, column]) for row in range(2) for column in range(2, 9)]
    for i, ax in enumerate(axes):
        image = show(ax, pca.components[i].reshape(16, 16), -0.3, 0.3, "RdBu_r")
        ax.set_title(f"{i + 1}: {100 * pca.explained_variance_ratio[i]:.1f} %", loc="center", fontsize=9)
    fig.colorbar(image, ax=axes, label="weight of the pixel")
    card.add_figure(fig, "components", f"The mean three, and the first {len(axes)} components (“eigen-threes”) with the share "
                    "of the variance that each explains. Their signs are arbitrary.")


def draw_variances(card, fitted):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(11, 4))
    for (name, pca), colour in zip(fitted.items(), COLOURS):
        ratio = pca.explained_variance_ratio
        q = np.arange(1, len(ratio) + 1)
        axes[0].plot(q, 100 * ratio, ".-", color=colour, label=TITLES[name])
        axes[1].plot(q, 100 * np.cumsum(ratio), ".-", color=colour, label=TITLES[name])
    axes[0].set(yscale="log", ylim=(1e-4, 100), title="Each component", ylabel="variance explained (%)")
    axes[1].axhline(90, color="#666666", ls=":")
    axes[1].set(ylim=(0, 102), title="The first q together", ylabel="variance explained (%)")
    for ax, label in zip(axes, ("component", "q (components)")):
        ax.set(xscale="log", xlabel=label)
    axes[1].legend(loc="lower right")
    card.add_figure(fig, "variances", "The share of the variance that components explain, in one draw of the noise, in the "
                    "spectra and in the threes; dotted: 90 %.")


def draw_losses(card, squared, discarded):
    import matplotlib.pyplot as plt
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    rmsd, q = rms(squared), np.arange(len(squared))
    left.plot(q, 100 * discarded / discarded[0], color=COLOURS[0], lw=5, alpha=0.4, label="discarded variance")
    left.plot(q, 100 * squared / squared[0], color=COLOURS[0], lw=1.2, label="squared error")
    left.plot(q, 100 * rmsd / rmsd[0], color=COLOURS[1], label="RMSD")
    left.set(xlabel="q (components)", ylabel="% of that with q = 0", title="What is lost")
    right.plot(q[:-1], rms(discarded)[:-1], color=COLOURS[0], lw=5, alpha=0.4, label="√(discarded variance / 256)")
    right.plot(q, rmsd, ".", color=COLOURS[1], ms=4, label="RMSD")
    right.plot(q[-1], REPORT["error"], "kx", label="report, q = 256")
    right.set(yscale="log", xlabel="q (components)", ylabel="RMSD of a pixel (ink 1, paper 0)", title="Down to rounding")
    for ax in (left, right):
        ax.legend()
    card.add_figure(fig, "losses", "Threes from q components: what is lost, and (N − 1)/N times the variance that was "
                    "discarded. Nothing here is random.")


def draw_planes(card, tables, fitted, pictures, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(2, 3, figsize=(11, 7))
    for column, (name, x) in zip(axes.T, tables.items()):
        z = fitted[name].transform(x)
        for ax, y, words in zip(column, (z, pictures[name][0][0]), ("component", "t-SNE coordinate")):
            dots = ax.scatter(*y[:, :2].T, c=z[:, 0] / z[:, 0].std(), s=8, cmap="viridis", vmin=-2, vmax=2)
            ax.set(xlabel=f"{words} 1", ylabel=f"{words} 2")
        column[0].set_title(TITLES[name])
    fig.colorbar(dots, ax=axes, label="component 1 (standard deviations)", shrink=0.6)
    card.add_figure(fig, "planes", "Above: the plane of two components, in the units of the data. Below: t-SNE from there, "
                    f"perplexity {config.perplexity:g}, {config.steps} steps; its axes have no unit. Noise: the first draw.")


def draw_map(card, threes, picture):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(9, 5.8))
    place(ax, picture, threes.reshape(-1, 16, 16))
    ax.set(xlabel="t-SNE coordinate 1", ylabel="t-SNE coordinate 2", title="Threes among their neighbours")
    card.add_figure(fig, "map", "Threes where t-SNE puts them, from a start by PCA; those for which there is room. Slant, "
                    "width and stroke change step by step. The axes have no unit.")
