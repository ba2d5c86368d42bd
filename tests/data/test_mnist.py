"""MNIST and Fashion-MNIST: which file is which, damaged files, pairs that do not belong together, the stand-in."""
import gzip
import os
import struct

import numpy as np
import pytest
from damage import damaged, outcome, publish, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinynn.data import fashion_mnist, mnist
from tinynn.data.mnist import read
from tinynn.data.sources import FILES

LOADERS = {"mnist": mnist, "fashion_mnist": fashion_mnist}


def idx(array, code=8) -> bytes:
    return gzip.compress(struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes())


def images(n):
    """n images: all of image i is the number i, but for one pixel, 255."""
    x = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None], (n, 28, 28)).copy()
    x[:, 3, 5] = 255
    return x


@pytest.fixture(params=LOADERS)
def name(request):
    return request.param


@pytest.fixture
def small_files(name, no_files, monkeypatch):
    """Three images to train, two to test; as in the real sets, the order of the files is images, labels, images, labels."""
    arrays = images(3), np.array([7, 0, 9], np.uint8), images(2), np.array([1, 2], np.uint8)
    return [publish(monkeypatch, name, file, idx(array), no_files) for file, array in zip(list(FILES[name]), arrays)]


def test_the_files_are_read(name, small_files):
    data = LOADERS[name]()
    assert data.real and data.name == name.replace("_", " ")
    for x, y, labels in ((data.x_train, data.y_train, [7, 0, 9]), (data.x_test, data.y_test, [1, 2])):
        assert x.dtype == np.float32 and x.shape == (len(labels), 1, 28, 28) and x.flags.c_contiguous
        assert y.dtype == np.int64 and list(y) == labels
        assert np.all(x[:, 0, 3, 5] == 1) and x[0, 0, 0, 0] == 0
        np.testing.assert_allclose(x[:, 0, 5, 3], np.arange(len(y)) / 255, rtol=1e-7)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(st.data(), st.integers(0, 3))
def test_a_damaged_file_is_a_value_error_that_names_it(name, small_files, data, i):
    refused(LOADERS[name], small_files[i], data.draw(damaged(small_files[i].read_bytes())))


@pytest.mark.parametrize("x, y, guilty", [
    (images(3)[0], np.zeros(28, np.uint8), "x.gz"), (images(3).view(np.int8), np.zeros(3, np.uint8), "x.gz"),
    (images(3), np.zeros(2, np.uint8), "y.gz"), (images(3), np.zeros((3, 1), np.uint8), "y.gz"),
    (images(3), np.array([1, 10, 2], np.uint8), "y.gz"), (images(3), np.zeros(3, np.int8), "y.gz")])
def test_other_arrays_are_refused(tmp_path, x, y, guilty):
    for file, array in (("x.gz", x), ("y.gz", y)):
        (tmp_path / file).write_bytes(idx(array, code=9 if array.dtype == np.int8 else 8))
    with pytest.raises(ValueError, match=guilty):
        read(tmp_path / "x.gz", tmp_path / "y.gz")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_the_reader_on_its_own_survives_damage(tmp_path, data):
    (tmp_path / "y.gz").write_bytes(idx(np.array([1, 2], np.uint8)))
    pair = outcome(lambda path: read(path, tmp_path / "y.gz"), tmp_path / "x.gz", data.draw(damaged(idx(images(2)))))
    if pair is not None:                                    # gzip's own header may be damaged, its contents not
        np.testing.assert_array_equal(pair[0][:, 0] * 255, images(2))


def test_without_one_of_the_files_it_is_the_stand_in(name, small_files):
    small_files[2].unlink()
    data = LOADERS[name]()
    assert not data.real and data.origin == "generated stand-in" and data.name == name.replace("_", " ")
    assert data.x_train.shape == (6000, 1, 28, 28) and data.x_test.shape == (1000, 1, 28, 28)


@pytest.mark.skipif("TINYNN_DATA" not in os.environ, reason="needs the real files")
@pytest.mark.parametrize("loader, train, test, mean", [
    (mnist, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
     [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], (33.3184, 33.7912)),
    (fashion_mnist, [6000] * 10, [1000] * 10, (72.9404, 73.1466))])
def test_the_real_files(loader, train, test, mean):
    """Counts and mean pixels as published (for Fashion-MNIST, 0.2860 and 0.2868 of 255, as its users normalise it)."""
    data = loader()
    assert data.real
    for x, y, counts, level in ((data.x_train, data.y_train, train, mean[0]), (data.x_test, data.y_test, test, mean[1])):
        assert x.shape == (sum(counts), 1, 28, 28) and x.min() == 0 and x.max() == 1
        assert list(np.bincount(y)) == counts
        np.testing.assert_allclose(x.mean(dtype=float) * 255, level, atol=1e-3)
