"""The digits for Hopfield networks: the file, damaged files, labels that belong to the images, the stand-in."""
import io
import os

import numpy as np
import pytest
from damage import damaged, outcome, publish, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from tinynn.data import hopfield_digits
from tinynn.data.hopfield_digits import COUNTS, read


@pytest.fixture
def file_of_ours(no_files, monkeypatch):
    """A file like the course's: row i of X has i black pixels, those of Xtest1 and Xtest2 are white and black."""
    file = io.BytesIO()
    savemat(file, {"X": (np.arange(240) < np.arange(198)[:, None]).astype(np.uint8),
                   "Xtest1": np.zeros((10, 240), np.uint8), "Xtest2": np.ones((10, 240), np.uint8)})
    return publish(monkeypatch, "hopfield_digits", "kuleuven/digits.mat", file.getvalue(), no_files)


def check(digits):
    """What holds for the file and the stand-in alike."""
    assert digits.x_train.shape == (198, 240) and digits.x_test.shape == (20, 240)
    for x, y in ((digits.x_train, digits.y_train), (digits.x_test, digits.y_test)):
        assert x.dtype == np.float64 and set(np.unique(x)) == {-1, 1}
        assert y.dtype == np.int64 and len(y) == len(x)
    assert tuple(np.bincount(digits.y_train)) == COUNTS
    np.testing.assert_array_equal(digits.y_train[::20], np.arange(10))          # the ten that are stored
    np.testing.assert_array_equal(digits.y_test, [*range(10), *range(10)])
    assert np.linalg.matrix_rank(digits.x_train[::20]) == 10


def nearest(x, images, labels):
    """The label of the image that shares most pixels with each row of x."""
    return labels[(x @ images.T).argmax(axis=1)]


def test_ink_is_one_and_paper_minus_one(file_of_ours):
    digits = hopfield_digits()
    np.testing.assert_array_equal((digits.x_train == 1).sum(axis=1), np.arange(198))
    np.testing.assert_array_equal(digits.x_test[:, 0], [-1] * 10 + [1] * 10)
    assert digits.real


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_a_value_error_that_names_it(file_of_ours, data):
    whole = file_of_ours.read_bytes()
    damage = data.draw(damaged(whole))
    refused(hopfield_digits, file_of_ours, damage)
    tables = outcome(read, file_of_ours, damage)                     # without the check of its sha256
    file_of_ours.write_bytes(whole)
    if tables is not None:
        assert [table.shape for table in tables] == [(198, 240), (20, 240)]


def test_tables_of_other_shapes_are_refused(file_of_ours):
    file = io.BytesIO()
    savemat(file, {"X": np.zeros((198, 240)), "Xtest1": np.zeros((10, 240)), "Xtest2": np.zeros((10, 239))})
    assert outcome(read, file_of_ours, file.getvalue()) is None


def test_the_stand_in_is_marked_complete_and_always_the_same(no_files):
    digits, again = hopfield_digits(), hopfield_digits()
    assert not digits.real and digits.origin == "generated stand-in"
    check(digits)
    np.testing.assert_array_equal(digits.x_train, again.x_train)
    assert len(np.unique(digits.x_train, axis=0)) == 198
    assert (nearest(digits.x_test, digits.x_train, digits.y_train) == digits.y_test).mean() > 0.9


@pytest.mark.skipif("TINYNN_DATA" not in os.environ, reason="needs the real files")
def test_the_real_file():
    digits = hopfield_digits()
    assert digits.real
    check(digits)
    for d in range(10):                                              # the labels are by eye: the images agree
        others = np.delete(np.arange(198), 20 * d)
        assert nearest(digits.x_train[[20 * d]], digits.x_train[others], digits.y_train[others]) == d
    assert (nearest(digits.x_test, digits.x_train, digits.y_train) == digits.y_test).mean() > 0.8
