"""The laser: the file, damaged files, the stand-in, which pulses and collapses as the real one does."""
import os

import numpy as np
import pytest
from damage import damaged, outcome, publish, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinynn.data import laser, santa_fe_laser

TRAIN, TEST = "santafe/lasertrain.dat", "santafe/laserpred.dat"


@pytest.fixture
def small_files(no_files, monkeypatch):
    """Files like the real ones, CR LF and all, of four and two values: 0, 1, 2, 3 and 4, 5."""
    for file, values in ((TRAIN, range(4)), (TEST, range(4, 6))):
        text = "".join(f"   {value:.7e}\r\n" for value in values)
        publish(monkeypatch, "santa_fe_laser", file, text.encode(), no_files)
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


@pytest.mark.parametrize("file", [TRAIN, TEST])
def test_without_one_of_the_files_it_is_the_stand_in(small_files, file):
    (small_files / file).unlink()
    assert not santa_fe_laser().real


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([TRAIN, TEST]), st.data())
def test_a_damaged_file_is_a_value_error_that_names_it(small_files, file, data):
    path = small_files / file
    whole = path.read_bytes()
    damage = data.draw(damaged(whole))
    refused(santa_fe_laser, path, damage)
    series = outcome(laser.read, path, damage)                      # without the check of its sha256
    path.write_bytes(whole)
    if series is not None:
        assert series.ndim == 1 and series.min() >= 0 and series.max() <= 255


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
