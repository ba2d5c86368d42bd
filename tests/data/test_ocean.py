"""The photographs: JPEG files, damaged ones, sizes that lie, the stand-in."""
import io
import os

import numpy as np
import pytest
from damage import damaged, outcome, publish, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tinynn.data import ocean, ocean_photographs
from tinynn.data.ocean import read, same_height, stand_in

FILES = "ocean/ocean_day.jpg", "ocean/ocean_sunset.jpg"


def jpeg(height, width=24, mode="RGB", format="JPEG") -> bytes:
    """Red falls from the top down, green grows to the right, blue is a half."""
    down, right = np.mgrid[:height, :width]
    x = np.stack([255 - 10 * down, 10 * right, np.full_like(down, 128)], axis=2).astype(np.uint8)
    file = io.BytesIO()
    exact = {"quality": 100, "subsampling": 0} if format == "JPEG" else {}
    Image.fromarray(x).convert(mode).save(file, format=format, **exact)
    return file.getvalue()


@pytest.fixture
def small_files(no_files, monkeypatch):
    return [publish(monkeypatch, "ocean_photographs", file, jpeg(height), no_files) for file, height in zip(FILES, (16, 21))]


def test_the_photographs_are_read_upright_and_cut_to_one_height(small_files):
    data = ocean_photographs()
    assert data.real and data.x_train.shape == (2, 3, 16, 24) and data.x_train.dtype == np.float32
    assert data.x_train.flags.c_contiguous and data.y_train is None and data.x_test is None
    for image, top in zip(data.x_train, (0, 2)):
        np.testing.assert_allclose(image[:, 3, 7] * 255, [255 - 10 * (3 + top), 70, 128], atol=4)


def test_the_middle_is_kept():
    rows = np.arange(7.0)[None, :, None]
    np.testing.assert_array_equal(same_height([rows, rows[:, :3]])[:, 0, :, 0], [[2, 3, 4], [0, 1, 2]])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data(), st.integers(0, 1))
def test_a_damaged_file_is_a_value_error_that_names_it(small_files, data, i):
    """What the reader takes, as some bits of a picture can be flipped and leave a picture, is not the published file."""
    whole = small_files[i].read_bytes()
    damage = data.draw(damaged(whole))
    refused(ocean_photographs, small_files[i], damage)
    x = outcome(read, small_files[i], damage)
    small_files[i].write_bytes(whole)
    assert x is None or x.ndim == 3 and len(x) == 3 and 0 <= x.min() <= x.max() <= 1


def test_other_pictures_are_refused(small_files, monkeypatch):
    for other in (jpeg(16, mode="L"), jpeg(16, mode="CMYK"), jpeg(16, format="PNG"), b"", jpeg(16)[:-200]):
        assert outcome(read, small_files[0], other) is None
    monkeypatch.setattr(ocean, "LARGEST", 16 * 24 - 1)
    assert outcome(read, small_files[0], jpeg(16)) is None


def test_the_stand_in_is_marked_and_always_the_same(no_files):
    data = ocean_photographs()
    assert not data.real and data.x_train.shape == (2, 3, 120, 180) and data.x_train.dtype == np.float32
    np.testing.assert_array_equal(data.x_train, stand_in())
    assert data.x_train.min() >= 0 and data.x_train.max() <= 1
    day, sunset = data.x_train.mean(axis=(2, 3))
    assert day[2] > day[0] + 0.1 and sunset[0] > sunset[2] + 0.1                # blue, and red


@pytest.mark.skipif("TINYNN_DATA" not in os.environ, reason="needs the real files")
def test_the_real_files():
    data = ocean_photographs()
    assert data.real and data.x_train.shape == (2, 3, 669, 1000)
    day, sunset = data.x_train.mean(axis=(2, 3))
    assert day[2] > day[0] and sunset[0] > sunset[2]
