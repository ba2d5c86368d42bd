"""IDX files: every type and shape, with gzip or without; every kind of damage; no more memory than the array."""
import gzip
import math
import struct
import tracemalloc

import numpy as np
import pytest
from damage import damaged, outcome
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tinynn.data import read_idx

CODES = {"u1": 8, "i1": 9, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array) -> bytes:
    """An IDX file, by the format's description."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[array.dtype.str[1:]], array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("idx") / "numbers-idx"


@given(st.data(), st.sampled_from(sorted(CODES)), st.booleans())
def test_what_is_written_is_read(path, data, dtype, packed):
    array = data.draw(arrays(dtype, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)))
    path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    read = read_idx(path)
    assert read.dtype == np.dtype(dtype) and read.dtype.isnative and read.flags.writeable
    np.testing.assert_array_equal(read, array)


@settings(max_examples=100)
@given(st.data(), st.booleans())
def test_damage_is_a_value_error_that_names_the_file(path, data, packed):
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    whole = gzip.compress(idx(array)) if packed else idx(array)
    read = outcome(read_idx, path, data.draw(damaged(whole)))
    if read is not None and packed:                         # what gzip's own header says does not matter
        np.testing.assert_array_equal(read, array)
    elif read is not None:                                  # a changed byte of the array, or of shape or type
        assert read.nbytes in (0, 60)


@pytest.mark.parametrize("packed", [False, True])
def test_every_cut_is_refused(path, packed):
    whole = idx(np.arange(60, dtype=np.int16).reshape(3, 20))
    whole = gzip.compress(whole) if packed else whole
    for i in range(len(whole)):
        assert outcome(read_idx, path, whole[:i]) is None


@pytest.mark.parametrize("packed", [False, True])
def test_bytes_too_many_are_refused(path, packed):
    whole = idx(np.zeros(3, np.uint8)) + b"\0"
    path.write_bytes(gzip.compress(whole) if packed else whole)
    with pytest.raises(ValueError, match="3 bytes, and has more"):
        read_idx(path)


@pytest.mark.parametrize("start, named", [(b"\0\0\x08\0", "08 00"), (b"\0\0\x0a\x01", "0a 01"), (b"\0\x01\x08\x01", "00 01"),
                                          (b"\0\0\x08\x41", "08 41"), (b"PK\3\4", "50 4b"), (b"\0\0\x08", "within its header"),
                                          (b"\0\0\x08\x02\0\0\0\x01\0", "within its header"), (b"", "within its header")])
def test_a_wrong_start_is_named(path, start, named):
    path.write_bytes(start + (b"\0" * 300 if len(start) == 4 else b""))
    with pytest.raises(ValueError, match=named):
        read_idx(path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(2**32 - 1,), (2**32 - 1,) * 3, (2**16, 2**16), (10**6,)])
def test_a_huge_size_costs_nothing(path, packed, shape):
    whole = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + b"\0" * 10
    assert peak(path, gzip.compress(whole) if packed else whole) < 3_000_000
    with pytest.raises(ValueError, match=f"{math.prod(shape)} bytes"):
        read_idx(path)


def test_a_bomb_is_not_blown_up(path):
    """30 MB of zeros in 30 kB, that say to be ten numbers."""
    whole = gzip.compress(idx(np.zeros(10, np.uint8)) + bytes(30_000_000))
    assert len(whole) < 60_000
    assert peak(path, whole) < 3_000_000
    with pytest.raises(ValueError, match="more"):
        read_idx(path)


def peak(path, whole) -> int:
    """The most memory, in bytes, that is taken while these bytes are read."""
    path.write_bytes(whole)
    tracemalloc.start()
    with pytest.raises(ValueError, match=path.name):
        read_idx(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_an_absent_file(path):
    with pytest.raises(FileNotFoundError):
        read_idx(path.with_name("absent"))
