"""Digits for a Hopfield network: 198 small bitmaps of the ten digits, of which the course stores one of each.

From the exercises of the KU Leuven course on artificial neural networks. The images are 16 pixels high and 15 wide, black
or white, each stretched to fill its frame: x[i].reshape(16, 15) shows one. Rows 0, 20, 40, ..., 180 are a 0, 1, 2, ..., 9,
the ten that the course stores:
    patterns = tn.data.hopfield_digits().x_train[::20]          # (10, 240)
"""
import numpy as np

from .dataset import Dataset, find
from .glyphs import ink_at, outline
from .matlab import read_matlab
from .reading import damage_named

SHAPE = 16, 15
COUNTS = 20, 20, 20, 20, 19, 20, 20, 20, 20, 19         # of the 0s, 1s, ..., in this order
FONTS = "DejaVuSans-Bold", "DejaVuSerif-Bold", "DejaVuSansMono-Bold", "DejaVuSans", "DejaVuSerif"


def hopfield_digits() -> Dataset:
    """The bitmaps as -1 (paper) and 1 (ink): x_train (198, 240) float64, y_train (198,) int64, the digits 0 to 9.

    x_test (20, 240), y_test (20,): two more of each digit, 0 to 9 and again. ValueError: a damaged file, which is named.
    """
    files = find("hopfield_digits")
    ink, ink_test = read(*files) if files else stand_in()
    digits = np.arange(10, dtype=np.int64)
    return Dataset(np.where(ink, 1.0, -1.0), np.repeat(digits, COUNTS), np.where(ink_test, 1.0, -1.0), np.tile(digits, 2),
                   name="hopfield digits", real=files is not None)


def read(path):
    """Where there is ink, from the MATLAB file: (198, 240) and (20, 240). ValueError, naming the file: it is damaged."""
    tables = read_matlab(path, "X", "Xtest1", "Xtest2")
    with damage_named(path):
        if [table.shape for table in tables] != [(198, 240), (10, 240), (10, 240)]:
            raise ValueError(f"its tables have the shapes {[table.shape for table in tables]}")
        return tables[0] > 0, np.vstack(tables[1:]) > 0


def stand_in():
    """Printed digits for the hand-written ones: of several fonts, stretched and slanted; the same ones every time."""
    rng = np.random.default_rng(1)
    ink = np.concatenate([draw(np.repeat(np.arange(10), COUNTS), rng), draw(np.tile(np.arange(10), 2), rng)])
    for d in range(10):
        ink[20 * d] = bitmap(d, FONTS[0], np.eye(2), np.zeros(2))               # those to be stored: clean ones
    return ink[:sum(COUNTS)], ink[sum(COUNTS):]


def draw(digits, rng):
    """An image for each of the digits (n,), with a font, a slant and a shift of its own: (n, 240) bools."""
    return np.array([bitmap(digit, rng.choice(FONTS), np.eye(2) + rng.uniform(-0.15, 0.15, (2, 2)),
                            rng.uniform(-0.1, 0.1, 2)) for digit in digits])


def bitmap(digit, font, transform, shift):
    """A printed digit that fills its frame, transformed by a matrix (2, 2) and shifted: (240,), True where there is ink."""
    points, codes, _ = outline(digit, font)                                     # (n, 2) in the frame [-1, 1]²
    rows, columns = SHAPE
    y, x = np.meshgrid(1 - (2 * np.arange(rows) + 1) / rows, (2 * np.arange(columns) + 1) / columns - 1, indexing="ij")
    centres = np.stack([x.ravel(), y.ravel()], axis=1)                          # (240, 2): of the pixels, from the top left
    return ink_at(centres, points @ transform.T + shift, codes)
