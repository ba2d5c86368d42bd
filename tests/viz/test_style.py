"""The look of figures: captions lie inside the saved picture, and importing it is cheap."""
import io
import subprocess
import sys

import matplotlib
import matplotlib.image

from tinynn.viz import caption, look, plain_numbers


def height(fig) -> int:
    """Of the saved picture, in pixels."""
    png = io.BytesIO()
    fig.savefig(png, bbox_inches="tight")
    png.seek(0)
    return matplotlib.image.imread(png).shape[0]


def test_a_caption_makes_the_picture_higher_by_its_lines():
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    with look():
        heights = []
        for text in (None, "One line.", "Many words. " * 40):
            fig, axes = plt.subplots(figsize=(4, 3))
            axes.set_xlabel("x")
            if text:
                caption(fig, text)
            heights.append(height(fig))
            plt.close(fig)
    assert heights[0] + 10 < heights[1] < heights[2] - 40


def test_numbers_on_logarithmic_axes_are_plain_and_not_crowded():
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    for limits, expected in (((130, 650), {"200", "300", "400"}), ((0.15, 0.8), {"0.2", "0.3"}), ((0.9, 5), {"1", "2", "3"}),
                             ((15, 800), {"100"}), ((1e-3, 1e4), {"0.01", "1", "100"})):
        fig, ax = plt.subplots()
        ax.set(xscale="log", xlim=limits)
        plain_numbers(ax.xaxis)
        fig.canvas.draw()
        labels = {label.get_text() for label in ax.get_xticklabels() + ax.get_xticklabels(minor=True)
                  if limits[0] < label.get_position()[0] < limits[1]} - {""}
        plt.close(fig)
        assert expected <= labels and len(labels) <= 9


def test_the_look_ends_with_its_block():
    before = dict(matplotlib.rcParams)
    with look():
        assert matplotlib.rcParams["figure.dpi"] == 110
    assert dict(matplotlib.rcParams) == before


def test_importing_it_does_not_import_matplotlib():
    code = "import sys, tinynn.viz, tinynn.data; sys.exit(not {'matplotlib', 'pooch'}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
