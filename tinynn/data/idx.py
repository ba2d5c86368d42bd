"""The IDX format of MNIST: an array of any number of dimensions, in a file with or without gzip. Next: mnist.py.

Big-endian: two zero bytes, a byte for the type, a byte for the number of dimensions, four bytes for the size of each, then
the array in row-major order. A file that is cut off, goes on, declares what cannot be or is no such file is refused by name.
"""
import gzip
import math
import struct

import numpy as np

from .reading import damage_named, read_at_most

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path) -> np.ndarray:
    """The array in an IDX file, in this machine's byte order; whether it is gzip'd, the file itself tells.

    ValueError, naming the file: it is damaged, or no IDX file. FileNotFoundError. Takes no more memory than the array.
    """
    with damage_named(path):
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with (gzip.open if packed else open)(path, "rb") as file:
            magic = header(file, 4)
            zeros, code, dimensions = struct.unpack(">HBB", magic)
            if zeros or code not in TYPES or not 1 <= dimensions <= 64:         # 64 is NumPy's limit
                raise ValueError(f"it starts with the bytes {magic.hex(' ')}; expected 00 00, a type (08, 09, 0b to 0e), and "
                                 "the number of dimensions, from 01 to 40")
            shape = struct.unpack(f">{dimensions}I", header(file, 4 * dimensions))
            dtype = np.dtype(TYPES[code])
            size = math.prod(shape) * dtype.itemsize
            data = read_at_most(file, size + 1)                     # one more, to see whether this was all
        if len(data) != size:
            raise ValueError(f"it declares an array of shape {shape}, {size} bytes, and has "
                             + ("more" if len(data) > size else f"{len(data)}"))
        return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def header(file, size: int) -> bytearray:
    """The next `size` bytes, all of them."""
    data = read_at_most(file, size)
    if len(data) < size:
        raise ValueError("it ends within its header")
    return data
