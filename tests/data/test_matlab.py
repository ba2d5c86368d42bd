"""MAT-files: SciPy writes them, we read them; damage, packed and not."""
import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from damage import damaged, outcome
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.io import savemat

from tinynn.data.matlab import read_matlab

TYPES = "f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("matlab") / "numbers.mat"


def mat(variables, packed) -> bytes:
    file = io.BytesIO()
    savemat(file, variables, do_compression=packed)
    return file.getvalue()


@given(st.data(), st.booleans(), st.tuples(st.sampled_from(TYPES), st.sampled_from(TYPES)))
def test_what_scipy_writes_is_read(path, data, packed, dtypes):
    matrices = [data.draw(arrays(dtype, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=5),
                                 elements={"allow_nan": False, "allow_infinity": False} if dtype[0] == "f" else None))
                for dtype in dtypes]
    path.write_bytes(mat({"a": matrices[0], "text": "between", "long_name_of_b": matrices[1]}, packed))
    for read, matrix in zip(read_matlab(path, "a", "long_name_of_b"), matrices):
        assert read.dtype == matrix.dtype
        np.testing.assert_array_equal(read, matrix)


def test_numbers_in_a_narrower_type_become_those_of_the_matrix(path):
    """As MATLAB stores doubles that are small whole numbers."""
    whole = bytearray(mat({"a": np.array([[1.0], [2.0]])}, packed=False))
    tag = whole.rindex(bytes([9, 0, 0, 0, 16, 0, 0, 0]))                        # type double, 16 bytes
    small = bytes([2, 0, 2, 0, 1, 2, 0, 0])                                     # type uint8, 2 bytes, and these
    whole[tag:] = small
    whole[132:136] = (len(whole) - 136).to_bytes(4, "little")
    path.write_bytes(whole)
    matrix, = read_matlab(path, "a")
    assert matrix.dtype == np.float64
    np.testing.assert_array_equal(matrix, [[1], [2]])


@settings(max_examples=100)
@given(st.data(), st.booleans())
def test_damage_is_a_value_error_that_names_the_file(path, data, packed):
    whole = mat({"a": np.arange(6.0).reshape(3, 2), "b": np.arange(100, dtype=np.uint8)[None]}, packed)
    read = outcome(lambda path: read_matlab(path, "a", "b"), path, data.draw(damaged(whole)))
    if read is not None:
        assert all(matrix.ndim == 2 and np.isfinite(matrix).all() for matrix in read)
    if read is not None and packed:                                             # zlib's checksum guards the contents
        np.testing.assert_array_equal(read[0], [[0, 1], [2, 3], [4, 5]])


@pytest.mark.parametrize("packed", [False, True])
def test_every_cut_is_refused(path, packed):
    whole = mat({"a": np.arange(6.0).reshape(3, 2)}, packed)
    for i in range(len(whole)):
        assert outcome(lambda path: read_matlab(path, "a"), path, whole[:i]) is None


def packed_element(contents: bytes, says: int, cut=0) -> bytes:
    """A file of one packed element, a matrix that says to be so long; and so many bytes cut off the end of zlib's stream."""
    stream = zlib.compress(struct.pack("<II", 14, says) + contents)
    stream = stream[:len(stream) - cut]
    return mat({}, packed=False)[:128] + struct.pack("<II", 15, len(stream)) + stream


@pytest.mark.parametrize("says", [0, 8])
def test_a_packed_element_is_not_blown_up(path, says):
    """30 MB of zeros, that say to be a few bytes."""
    path.write_bytes(packed_element(bytes(30_000_000), says))
    tracemalloc.start()
    with pytest.raises(ValueError, match="not as long as it says"):
        read_matlab(path, "a")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2_000_000


@pytest.mark.parametrize("says, cut", [(2**32 - 1, 0), (49, 0), (47, 0), (48, 1), (48, 4)])
def test_packed_elements_of_another_length_are_refused(path, says, cut):
    path.write_bytes(packed_element(bytes(48), says, cut))
    with pytest.raises(ValueError, match="not as long as it says"):
        read_matlab(path, "a")


@pytest.mark.parametrize("value, named", [(np.ones((2, 2)) * 1j, "a is no matrix"), ("text", "a is no matrix"),
                                          (np.ones((2, 2, 2)), "a is no matrix"), ({"b": 1}, "a is no matrix"),
                                          (np.array([[np.nan]]), "NaN"), (np.array([[np.inf]]), "infinite")])
def test_other_things_than_matrices_of_real_numbers_are_refused(path, value, named):
    path.write_bytes(mat({"a": value}, packed=False))
    with pytest.raises(ValueError, match=named):
        read_matlab(path, "a")


def test_a_missing_matrix_is_named(path):
    path.write_bytes(mat({"a": np.eye(2)}, packed=True))
    with pytest.raises(ValueError, match="no matrix b, c"):
        read_matlab(path, "a", "b", "c")
