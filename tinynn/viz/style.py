"""The look of every figure, in one place.

    with look():
        fig, axes = plt.subplots(1, 2)
        ...
    caption(fig, "Median and range of 20 seeds. Data: generated stand-in.")
    fig.savefig("picture.png", bbox_inches="tight")

`python -m exercises run` puts every exercise inside `look()` by itself.
"""
import textwrap

# Eight colours that readers with any colour vision can tell apart: Okabe and Ito, "Color universal design" (2008),
# with the yellow last, as it is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")

SMALL = 8.5          # points


def look():
    """A context in which matplotlib draws in our look: figures of 8 x 4.5 inches at 110 dpi, constrained layout."""
    import matplotlib
    return matplotlib.rc_context({
        "figure.figsize": (8, 4.5),
        "figure.dpi": 110,
        "figure.constrained_layout.use": True,
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#888888",
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
        "grid.color": "#e4e4e4",
        "grid.linewidth": 0.8,
        "lines.linewidth": 1.6,
        "lines.markersize": 5,
        "legend.frameon": False,
        "legend.fontsize": SMALL,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "image.cmap": "viridis",
    })


def plain_numbers(*axes):
    """Label logarithmic axes, as ax.yaxis, with 0.2 and 200 instead of 2 × 10⁻¹ and 2 × 10², as densely as there is room.

    Call it when the scale is set. Outside 0.0001 ... 1,000,000 the labels are 1e-05, 1e+06.
    """
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        def __call__(self, x, pos=None):
            return f"{x:g}" if super().__call__(x, pos) else ""
    for axis in axes:
        axis.set_major_formatter(Plain())
        axis.set_minor_formatter(Plain(minor_thresholds=(2, 0.5)))


def caption(fig, text: str):
    """Write `text` in small grey letters under the figure. It lies below the canvas: save with bbox_inches="tight"."""
    width, height = fig.get_size_inches()
    letters = int(width * 72 / (SMALL * 0.5))                   # a letter is about half as wide as it is high
    fig.text(0.01, -0.1 / height, textwrap.fill(text, letters), va="top", fontsize=SMALL, color="#666666")
