"""Reading files that may be damaged: whatever is wrong with one becomes a ValueError that names it.

`find` has compared a file's sha256 before a loader reads it; the readers stand on their own all the same, as a student will
read other files with them. None believes a size that a file declares, and asks for that much memory: a few bytes can
declare terabytes. Next: idx.py.
"""
from contextlib import contextmanager

import numpy as np

CHUNK = 1 << 20                         # bytes


@contextmanager
def damage_named(path):
    """`with damage_named(path):` any error inside becomes a ValueError: the file's name, then what is wrong."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:          # any: fed with a damaged file, a parser may stumble over anything
        what = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} is damaged, or not the file expected: {what}") from error


def read_at_most(file, size: int) -> bytearray:
    """The next `size` bytes of an open file, or as many as there are; never takes memory for more than there are."""
    data = bytearray()
    while len(data) < size and (chunk := file.read(min(CHUNK, size - len(data)))):
        data += chunk
    return data


def read_table(path, columns: int, low: float, high: float, delimiter=None) -> np.ndarray:
    """A table of numbers from a text file: (rows, columns) float64, every number from low to high.

    ValueError, naming the file: anything else is in it.
    """
    with damage_named(path):
        with open(path) as file:
            lines = [line for line in file if not line.isspace()]
        if not lines:
            raise ValueError("it is empty")
        table = np.loadtxt(lines, delimiter=delimiter, ndmin=2, comments=None)
        if table.shape[1] != columns:
            raise ValueError(f"its rows have {table.shape[1]} numbers; expected {columns}")
        if not np.all((low <= table) & (table <= high)):
            raise ValueError(f"it has numbers from {table.min():g} to {table.max():g}; expected {low:g} to {high:g}")
        return table
