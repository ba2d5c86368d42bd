"""The dogs of CIFAR-10: 5000 colour photographs of 32 × 32, to learn to make more of them.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (technical report, University of Toronto, 2009):
the training images of class 5, in their order.
"""
import math
import zipfile

import numpy as np

from .dataset import Dataset, find
from .reading import damage_named, read_at_most


def cifar10_dogs() -> Dataset:
    """x_train (5000, 3, 32, 32) float32 in [0, 1], red, green, blue; nothing to test with, and no labels: all are dogs.

    The stand-in has 1000 images. ValueError: a damaged file, which is named.
    """
    files = find("cifar10_dogs")
    x = read(*files) if files else stand_in()
    return Dataset(x, None, None, None, name="cifar10 dogs", real=files is not None)


def read(path) -> np.ndarray:
    """x (N, 3, 32, 32) from an archive of NumPy's with an array `images`, uint8 (N, 32, 32, 3).

    np.load would do, but takes all the memory that a damaged file asks for. ValueError, naming the file: it is damaged.
    """
    with damage_named(path), zipfile.ZipFile(path) as archive:
        with archive.open("images.npy") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise ValueError(f"its array is of NumPy's format {version}; expected (1, 0)")
            shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
            if dtype != np.uint8 or by_columns or shape[1:] != (32, 32, 3):
                raise ValueError(f"it holds {dtype} {shape}; expected uint8 (N, 32, 32, 3)")
            data = read_at_most(file, math.prod(shape) + 1)     # to its end, where the archive's checksum is looked at
        images = np.frombuffer(data, np.uint8).reshape(shape)
        return np.divide(images.transpose(0, 3, 1, 2), np.float32(255), order="C")      # (N, 32, 32, 3) -> (N, 3, 32, 32)


def stand_in() -> np.ndarray:
    """Clouds of colour: (1000, 3, 32, 32); the same ones every time.

    Waves in all directions whose amplitude falls with the square of their frequency, which is a little smoother than
    photographs are; as in these, most of it is light and dark, and little of it colour.
    """
    noise = np.random.default_rng(1).standard_normal((1000, 3, 32, 32))
    down, right = np.fft.fftfreq(32)[:, None], np.fft.rfftfreq(32)[None]
    frequency = np.hypot(down, right)                                                   # (32, 17), in waves a pixel
    frequency[0, 0] = 1 / 32
    waves = np.fft.irfft2(np.fft.rfft2(noise) / frequency**2, s=(32, 32))
    waves /= waves.std()
    mix = np.array([[1, 0.3, 0.1], [1, 0, -0.2], [1, -0.3, 0.1]])                       # light, red–blue, green–purple
    return np.clip(0.46 + 0.2 * np.einsum("rc,nchw->nrhw", mix, waves), 0, 1).astype(np.float32)
