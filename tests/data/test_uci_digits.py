"""The UCI digits: the file's rows, damaged files, the stand-in."""
import os

import numpy as np
import pytest
from damage import damaged, outcome, publish, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinynn.data import uci_digits
from tinynn.data.uci_digits import read

TRAIN, TEST = "uci-digits/optdigits.tra", "uci-digits/optdigits.tes"


def text(*labels) -> bytes:
    """An image for each label: pixel i is i % 17."""
    return "".join(",".join(str(i % 17) for i in range(64)) + f",{label}\n" for label in labels).encode()


@pytest.fixture
def small_files(no_files, monkeypatch):
    return [publish(monkeypatch, "uci_digits", file, text(*labels), no_files)
            for file, labels in ((TRAIN, (3, 0, 9)), (TEST, (4, 5)))]


def check(data):
    """What holds for the files and the stand-in alike."""
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert x.dtype == np.float32 and x.shape == (len(y), 1, 8, 8) and y.dtype == np.int64
        np.testing.assert_array_equal(x * 16, np.round(x * 16))
        assert x.min() == 0 and x.max() == 1 and set(y) <= set(range(10))


def test_the_files_are_read(small_files):
    data = uci_digits()
    assert data.real and data.name == "uci digits"
    check(data)
    assert list(data.y_train) == [3, 0, 9] and list(data.y_test) == [4, 5]
    np.testing.assert_array_equal(data.x_train[1, 0, 2] * 16, [16, 0, 1, 2, 3, 4, 5, 6])        # pixels 16 to 23


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.integers(0, 1))
def test_a_damaged_file_is_a_value_error_that_names_it(small_files, data, i):
    whole = small_files[i].read_bytes()
    damage = data.draw(damaged(whole))
    refused(uci_digits, small_files[i], damage)
    pair = outcome(read, small_files[i], damage)
    small_files[i].write_bytes(whole)
    if pair is not None:
        x, y = pair
        assert x.shape == (len(y), 1, 8, 8) and 0 <= x.min() and x.max() <= 1 and 0 <= y.min() and y.max() <= 9


@pytest.mark.parametrize("row", [text(10), text(1.5), text(1).replace(b"16", b"17"), text(1)[2:]])
def test_other_rows_are_refused(small_files, row):
    assert outcome(read, small_files[0], row) is None


def test_the_stand_in_is_marked_and_always_the_same(no_files):
    data, again = uci_digits(), uci_digits()
    assert not data.real and len(data.x_train) == 3823 and len(data.x_test) == 1797
    check(data)
    np.testing.assert_array_equal(data.x_train, again.x_train)
    np.testing.assert_array_equal(data.x_test, again.x_test)
    means = np.array([data.x_train[data.y_train == d].mean(axis=0) for d in range(10)])         # (10, 1, 8, 8)
    distance = ((data.x_test[:, None] - means) ** 2).sum(axis=(2, 3, 4))
    assert (distance.argmin(axis=1) == data.y_test).mean() > 0.75                               # they can be told apart


@pytest.mark.skipif("TINYNN_DATA" not in os.environ, reason="needs the real files")
def test_the_real_files():
    """Class counts from the data set's own description."""
    data = uci_digits()
    assert data.real
    check(data)
    assert list(np.bincount(data.y_train)) == [376, 389, 380, 389, 387, 376, 377, 387, 380, 382]
    assert list(np.bincount(data.y_test)) == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
