"""Five hundred hand-written threes, 16 × 16, for principal components: what is there to a three?

From the exercises of the KU Leuven course on artificial neural networks; of the size and look of the USPS digits, from
envelopes of the American mail. The file has the pixels column by column, as MATLAB does; here they are row by row, so that
x[i].reshape(16, 16) is upright. (Principal components do not mind the order.)
"""
import numpy as np

from .dataset import Dataset, find
from .font_digits import draw
from .reading import read_table


def threes() -> Dataset:
    """x_train (500, 256) float64 from 0, paper, to 1, ink; nothing to test with, and no labels: all are threes.

    ValueError: a damaged file, which is named.
    """
    files = find("threes")
    x = read(*files) if files else stand_in()
    return Dataset(x, None, None, None, name="threes", real=files is not None)


def read(path) -> np.ndarray:
    """The images in the file, pixels row by row: (N, 256). ValueError, naming the file: it is damaged."""
    columns = read_table(path, columns=256, low=0, high=1)
    return columns.reshape(-1, 16, 16).swapaxes(1, 2).reshape(-1, 256)


def stand_in() -> np.ndarray:
    """Printed threes: (500, 256); the same ones every time."""
    return draw(np.full(500, 3), np.random.default_rng(1), size=16, height=0.75).reshape(500, 256).astype(np.float64)
