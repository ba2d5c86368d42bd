"""MATLAB's MAT-files, version 5: the real matrices in them. A reader of our own, as SciPy's crashes on some damaged files.

A file is a header of 128 bytes and then elements: type, size, contents, padded to a multiple of 8 bytes. A matrix is an
element that holds more elements: flags, with the class of its numbers, its shape, its name, and the numbers, column by
column, in as narrow a type as holds them. It may be packed with zlib, in an element of another type.
"MAT-File Format", The MathWorks, chapter 1.
"""
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from .reading import damage_named

TYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
MATRIX, PACKED = 14, 15                 # types


def read_matlab(path, *names: str) -> list[np.ndarray]:
    """The matrices of these names, (rows, columns), in their own number types.

    ValueError, naming the file: it is damaged, not of version 5 and little-endian, or has no such matrix of finite numbers.
    """
    with damage_named(path):
        data = Path(path).read_bytes()
        if data[124:128] != b"\x00\x01IM":
            raise ValueError(f"its header ends in the bytes {data[124:128].hex(' ')}; expected 00 01 49 4d, version 5")
        found = {}
        for kind, contents in elements(data[128:]):
            if kind == PACKED:
                kind, contents = unpack(contents)
            if kind == MATRIX:
                found.update(matrix(contents, names))
        missing = [name for name in names if name not in found]
        if missing:
            raise ValueError(f"it has no matrix {', '.join(missing)}")
        return [found[name] for name in names]


def elements(data):
    """The elements in `data`, one by one: type and contents."""
    at = 0
    while at < len(data):
        kind, size, start = *struct.unpack_from("<II", data, at), at + 8
        if kind >> 16:                                      # a small element: type and size in 2 bytes each, contents in 4
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
        if start + size > len(data):
            raise ValueError(f"an element of {size} bytes goes on past its end")
        yield kind, data[start:start + size]
        at = start + size
        at += 0 if kind == PACKED else -at % 8              # padding


def unpack(data) -> tuple[int, bytes]:
    """The one element in a packed one: type and contents. It says how long it is, and is not believed: no more is unpacked."""
    stream = zlib.decompressobj()
    kind, size = struct.unpack("<II", stream.decompress(data, 8))
    contents = stream.decompress(stream.unconsumed_tail, size + 1)
    if len(contents) != size or not stream.eof:
        raise ValueError("a packed element is not as long as it says")
    return kind, contents


def matrix(data, names) -> dict:
    """{name: the matrix} if its name is wanted, else {}."""
    (_, flags), (_, shape), (_, name), *parts = elements(data)
    name = name.decode("ascii")
    if name not in names:
        return {}
    flags, = struct.unpack_from("<I", flags)
    shape = struct.unpack(f"<{len(shape) // 4}i", shape)
    if flags & 0xFF not in CLASSES or len(parts) != 1 or len(shape) != 2 or min(shape) < 0:         # complex: two parts
        raise ValueError(f"{name} is no matrix of real numbers")
    kind, numbers = parts[0]
    dtype = np.dtype(TYPES[kind])
    if math.prod(shape) * dtype.itemsize != len(numbers):
        raise ValueError(f"{name} is said to be {shape}, and has {len(numbers)} bytes of {dtype}")
    values = np.frombuffer(numbers, dtype).reshape(shape, order="F")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} has infinite numbers or NaN")
    return {name: values.astype(CLASSES[flags & 0xFF])}
