"""The threes: pixels turned from columns to rows, damaged files, the stand-in."""
import os

import numpy as np
import pytest
from damage import damaged, outcome, publish, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinynn.data import threes
from tinynn.data.threes import read, stand_in


def text(images) -> bytes:
    """The file's format: a line for each image, its columns one after the other."""
    return "".join("".join(f"   {v:.7e}" for v in image.T.ravel()) + "\n" for image in images).encode()


@pytest.fixture
def small_file(no_files, monkeypatch):
    """Two images, brighter from left to right, the second half as bright."""
    image = np.tile(np.arange(16) / 16, (16, 1))
    return publish(monkeypatch, "threes", "kuleuven/threes.mat", text([image, image / 2]), no_files)


def test_the_images_are_upright(small_file):
    data = threes()
    assert data.real and data.name == "threes" and data.x_train.dtype == np.float64
    assert data.y_train is None and data.x_test is None and data.y_test is None
    np.testing.assert_allclose(data.x_train[0].reshape(16, 16)[5], np.arange(16) / 16)
    np.testing.assert_allclose(data.x_train[1].reshape(16, 16)[:, 8], 0.25)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_a_value_error_that_names_it(small_file, data):
    whole = small_file.read_bytes()
    damage = data.draw(damaged(whole))
    refused(threes, small_file, damage)
    x = outcome(read, small_file, damage)
    small_file.write_bytes(whole)
    if x is not None:
        assert x.shape == (len(x), 256) and x.min() >= 0 and x.max() <= 1


def test_the_stand_in_is_marked_and_always_the_same(no_files):
    data = threes()
    assert not data.real and data.x_train.shape == (500, 256) and data.x_train.dtype == np.float64
    np.testing.assert_array_equal(data.x_train, stand_in())
    check(data.x_train)


def check(x):
    """What makes a three: strokes at the top, middle and bottom, nothing at the left between them, ink at the right."""
    mean = x.reshape(-1, 16, 16).mean(axis=0)
    assert x.min() == 0 and x.max() == 1
    rows = mean.sum(axis=1)
    assert rows[2] > 1.5 and rows[7:9].max() > 1.5 and rows[13] > 1.5
    left, right = mean[4:7, 2:6].mean(), mean[4:7, 9:13].mean()
    assert right > 3 * left                                 # upper bow: open on the left
    left, right = mean[9:12, 2:6].mean(), mean[9:12, 9:13].mean()
    assert right > 2 * left


@pytest.mark.skipif("TINYNN_DATA" not in os.environ, reason="needs the real file")
def test_the_real_file():
    data = threes()
    assert data.real and data.x_train.shape == (500, 256)
    check(data.x_train)
