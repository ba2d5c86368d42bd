"""The laser: the file, damaged files, the stand-in, which pulses and collapses as the real one does."""
import hashlib
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinynn.data import dataset, laser, santa_fe_laser


@pytest.fixture
def no_files(tmp_path, monkeypatch):
    """An empty $TINYNN_DATA and an empty cache."""
    monkeypatch.setenv("TINYNN_DATA", str(tmp_path))
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache")
    return tmp_path


@pytest.fixture
def small_files(no_files, monkeypatch):
    """Files like the real ones, CR LF and all, of four and two values: 0, 1, 2, 3 and 4, 5."""
    for name, values in ((laser.TRAIN, range(4)), (laser.TEST, range(4, 6))):
        path = no_files / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(f"   {value:.7e}\r\n".encode() for value in values))
        monkeypatch.setitem(dataset.FILES["santa_fe_laser"], name, hashlib.sha256(path.read_bytes()).hexdigest())
    return no_files


def check(series):
    """What holds for the files and the stand-in alike."""
    assert series.x_train.shape == (1000,) and series.x_test.shape == (100,)
    assert series.y_train is None and series.y_test is None
    for x in (series.x_train, series.x_test):
        assert x.dtype == np.float64 and np.array_equal(x, np.round(x)) and 0 <= x.min() and x.max() <= 255
    assert series.x_train.max() == 255
    assert 35 < series.x_train.std() < 55
    x = series.x_train
    peaks = np.flatnonzero((x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:])) + 1
    heights = x[peaks]
    assert 7 < len(x) / len(peaks) < 9                              # values a pulse
    assert 2 <= np.sum(heights[2:] < 0.6 * heights[:-2]) <= 15      # collapses
    assert np.mean(np.diff(heights) > 0) > 0.5                      # otherwise they mostly grow


def test_the_files_are_read_and_the_test_values_follow(small_files):
    series = santa_fe_laser()
    np.testing.assert_array_equal(series.x_train, [0, 1, 2, 3])
    np.testing.assert_array_equal(series.x_test, [4, 5])
    assert series.real and series.name == "santa fe laser"


@pytest.mark.parametrize("file", [laser.TRAIN, laser.TEST])
def test_without_one_of_the_files_it_is_the_stand_in(small_files, file):
    (small_files / file).unlink()
    assert not santa_fe_laser().real


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from([laser.TRAIN, laser.TEST]), st.data())
def test_a_truncated_or_flipped_file_is_a_value_error_that_names_it(small_files, file, draw):
    path = small_files / file
    whole = path.read_bytes()
    at = draw.draw(st.integers(0, len(whole) - 1))
    flip = draw.draw(st.integers(0, 255))                           # 0: cut the file there instead
    path.write_bytes(whole[:at] + (bytes([whole[at] ^ flip]) + whole[at + 1:] if flip else b""))
    try:
        with pytest.raises(ValueError, match=path.name):
            santa_fe_laser()
    finally:
        path.write_bytes(whole)


def test_the_stand_in_is_marked_pulses_collapses_and_is_always_the_same(no_files):
    series, again = santa_fe_laser(), santa_fe_laser()
    assert not series.real and series.origin == "generated stand-in"
    check(series)
    np.testing.assert_array_equal(series.x_train, again.x_train)
    np.testing.assert_array_equal(series.x_test, again.x_test)


@pytest.mark.skipif("TINYNN_DATA" not in os.environ, reason="needs the real files")
def test_the_real_files():
    series = santa_fe_laser()
    assert series.real
    check(series)
    assert list(series.x_train[:6]) == [86, 141, 95, 41, 22, 21] and list(series.x_test[:5]) == [72, 178, 122, 36, 14]
