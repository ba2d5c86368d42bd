"""The small hand-written digits of the UCI repository, 8 × 8: to try in seconds what takes minutes on MNIST.

Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits" (UCI Machine Learning Repository, 1998; CC BY 4.0): bitmaps
of 32 × 32 by 43 people; a pixel is the ink in a block of 4 × 4, from 0 to 16. Other people wrote the test images than the
training images. (The digits of scikit-learn are these test images.)
"""
import numpy as np

from .dataset import Dataset, find
from .font_digits import draw
from .reading import damage_named, read_table

SIZES = 3823, 1797


def uci_digits() -> Dataset:
    """x_train (3823, 1, 8, 8) float32 in sixteenths from 0, paper, to 1, ink; y_train (3823,) int64, the digits; 1797 to test.

    ValueError: a damaged file, which is named.
    """
    files = find("uci_digits")
    (x_train, y_train), (x_test, y_test) = [read(file) for file in files] if files else stand_in()
    return Dataset(x_train, y_train, x_test, y_test, name="uci digits", real=files is not None)


def read(path) -> tuple[np.ndarray, np.ndarray]:
    """x (N, 1, 8, 8) and y (N,) from a file: a line for each image, 64 pixels and the digit. ValueError, naming it: damage."""
    table = read_table(path, columns=65, low=0, high=16, delimiter=",")
    x, y = table[:, :64], table[:, 64]
    with damage_named(path):
        if np.any(table % 1) or np.any(y > 9):
            raise ValueError("it holds fractions, or labels above 9")
    return (x / 16).reshape(-1, 1, 8, 8).astype(np.float32), y.astype(np.int64)


def stand_in():
    """Printed digits, as many as there are hand-written ones; the same ones every time."""
    rng = np.random.default_rng(1)
    for n in SIZES:
        y = rng.permutation(np.arange(n, dtype=np.int64) % 10)
        yield np.round(16 * draw(y, rng, size=8, height=0.85)) / 16, y
