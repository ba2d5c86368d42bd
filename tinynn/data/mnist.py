"""MNIST, hand-written digits, and Fashion-MNIST, clothes in the same format: 28 × 28 grey images in ten classes.

LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (1998), from forms that American high-school students
and census workers filled in; Xiao, Rasul and Vollgraf, "Fashion-MNIST" (arXiv:1708.07747, 2017), from a shop's catalogue.
60,000 images to train, 10,000 to test. The stand-in of either, for want of better, is font digits, 6000 and 1000.
"""
from dataclasses import replace

import numpy as np

from .dataset import Dataset, find
from .font_digits import font_digits
from .idx import read_idx
from .reading import damage_named


def mnist() -> Dataset:
    """x_train (60000, 1, 28, 28) float32 from 0, paper, to 1, ink; y_train (60000,) int64, the digits; 10,000 to test.

    219 MB. ValueError: a damaged file, which is named.
    """
    return load("mnist")


def fashion_mnist() -> Dataset:
    """Shapes and types as for `mnist`; labels: 0 T-shirt or top, 1 trousers, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt,
    7 sneaker, 8 bag, 9 ankle boot.

    ValueError: a damaged file, which is named.
    """
    return load("fashion_mnist")


def load(name: str) -> Dataset:
    """Either data set; `name` as in sources.py."""
    files, title = find(name), name.replace("_", " ")
    if files is None:
        return replace(font_digits(6000, 1000), name=title)
    x_train, y_train = read(*files[:2])
    x_test, y_test = read(*files[2:])
    return Dataset(x_train, y_train, x_test, y_test, title, real=True)


def read(images, labels) -> tuple[np.ndarray, np.ndarray]:
    """x (N, 1, H, W) float32 in [0, 1] and y (N,) int64, from a pair of IDX files. ValueError, naming the file: damage."""
    x, y = read_idx(images), read_idx(labels)
    with damage_named(images):
        if x.dtype != np.uint8 or x.ndim != 3:
            raise ValueError(f"it holds {x.dtype} {x.shape}; expected uint8 (N, height, width)")
    with damage_named(labels):
        if y.dtype != np.uint8 or y.shape != x.shape[:1] or np.any(y > 9):
            raise ValueError(f"it holds {y.dtype} {y.shape}; expected uint8 ({len(x)},), a digit for each image")
    return np.divide(x[:, None], np.float32(255)), y.astype(np.int64)               # (N, H, W) -> (N, 1, H, W)
