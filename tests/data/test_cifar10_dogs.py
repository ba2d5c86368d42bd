"""The dogs: the archive, damaged archives, sizes that lie, the stand-in."""
import io
import os
import zipfile

import numpy as np
import pytest
from damage import damaged, outcome, publish, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinynn.data import cifar10_dogs
from tinynn.data.cifar10_dogs import read, stand_in

FILE = "cifar10-dogs/cifar10_dogs_train.npz"


def npz(save=np.savez_compressed, **arrays) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def images(n=2):
    """Red falls with the row, green grows with the column, blue is the image's number."""
    x = np.zeros((n, 32, 32, 3), np.uint8)
    x[..., 0] = 255 - np.arange(32)[:, None]
    x[..., 1] = np.arange(32)
    x[..., 2] = np.arange(n)[:, None, None]
    return x


@pytest.fixture
def small_file(no_files, monkeypatch):
    return publish(monkeypatch, "cifar10_dogs", FILE, npz(images=images()), no_files)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_archive_is_read(no_files, monkeypatch, save):
    publish(monkeypatch, "cifar10_dogs", FILE, npz(save, images=images()), no_files)
    data = cifar10_dogs()
    assert data.real and data.x_train.dtype == np.float32 and data.x_train.shape == (2, 3, 32, 32)
    assert data.x_train.flags.c_contiguous and data.y_train is None and data.x_test is None
    np.testing.assert_allclose(data.x_train[1, :, 4, 7] * 255, [251, 7, 1], rtol=1e-6)
    assert data.x_train[0, 0, 0, 0] == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(st.data())
def test_a_damaged_file_is_a_value_error_that_names_it(small_file, data):
    whole = small_file.read_bytes()
    damage = data.draw(damaged(whole))
    refused(cifar10_dogs, small_file, damage)
    x = outcome(read, small_file, damage)
    small_file.write_bytes(whole)
    if x is not None:                                       # what the archive says besides may be damaged, the images not
        np.testing.assert_array_equal(x, images().transpose(0, 3, 1, 2) / np.float32(255))


def test_every_cut_is_refused(small_file):
    whole = npz(images=images(1))
    for i in range(0, len(whole), 7):
        assert outcome(read, small_file, whole[:i]) is None


@pytest.mark.parametrize("arrays", [{"pictures": images()}, {"images": images().astype(float)}, {"images": images()[0]},
                                    {"images": np.asfortranarray(images())}, {"images": images()[..., :2]},
                                    {"images": np.array([None])}])
def test_other_arrays_are_refused(small_file, arrays):
    assert outcome(read, small_file, npz(**arrays)) is None


@pytest.mark.parametrize("n", [10**12, 2, 0])
def test_a_header_that_lies_about_the_size_is_refused(small_file, n):
    """It says to be n images, and there is one."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (n, 32, 32, 3)})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("images.npy", header.getvalue() + bytes(3072))
    assert outcome(read, small_file, archive.getvalue()) is None


def test_the_stand_in_is_marked_smooth_and_always_the_same(no_files):
    data = cifar10_dogs()
    assert not data.real and data.x_train.shape == (1000, 3, 32, 32) and data.x_train.dtype == np.float32
    np.testing.assert_array_equal(data.x_train, stand_in())
    assert data.x_train.min() >= 0 and data.x_train.max() <= 1
    x = data.x_train - data.x_train.mean()
    assert (x[..., 1:] * x[..., :-1]).mean() > 0.8 * (x**2).mean()              # neighbours are alike
    assert (x[:, 0] * x[:, 1]).mean() > 0.5 * (x**2).mean()                     # most of it is light and dark


@pytest.mark.skipif("TINYNN_DATA" not in os.environ, reason="needs the real file")
def test_the_real_file():
    data = cifar10_dogs()
    assert data.real and data.x_train.shape == (5000, 3, 32, 32)
    np.testing.assert_allclose(data.x_train.mean(axis=(0, 2, 3), dtype=float) * 255, [127.481, 118.482, 106.219], atol=1e-3)
