"""The personal regression problem: the mixture, the file, damaged files, the stand-in."""
import io
import os

import numpy as np
import pytest
from damage import damaged, outcome, publish, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from tinynn.data import regression, regression_problem


@pytest.fixture
def small_file(no_files, monkeypatch):
    """A file like the course's, of four rows: Ti is i everywhere."""
    file = io.BytesIO()
    columns = {"X1": np.full((4, 1), 0.25), "X2": np.full((4, 1), 0.75)}
    savemat(file, columns | {f"T{i}": np.full((4, 1), float(i)) for i in range(1, 6)})
    return publish(monkeypatch, "regression_problem", "kuleuven/Data_Problem1_regression.mat", file.getvalue(), no_files)


def test_the_file_is_read_and_mixed(small_file):
    problem = regression_problem((2, 1, 0, 0, 1))                    # sorted: 2, 1, 1, 0, 0
    np.testing.assert_array_equal(problem.x_train, [[0.25, 0.75]] * 4)
    np.testing.assert_allclose(problem.y_train, (2 * 1 + 1 * 2 + 1 * 3) / 4)
    assert problem.real and problem.origin == "real data"
    assert problem.x_test is None and problem.y_test is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_a_value_error_that_names_it(small_file, data):
    whole = small_file.read_bytes()
    damage = data.draw(damaged(whole))
    refused(regression_problem, small_file, damage)
    read = outcome(regression.read, small_file, damage)              # without the check of its sha256
    small_file.write_bytes(whole)
    if read is not None:
        x, surfaces = read
        assert x.shape == (len(x), 2) and surfaces.shape == (len(x), 5)


def test_columns_that_do_not_belong_together_are_refused(small_file):
    file = io.BytesIO()
    savemat(file, {name: np.zeros((3 + (name == "T5"), 1)) for name in ("X1", "X2", "T1", "T2", "T3", "T4", "T5")})
    assert outcome(regression.read, small_file, file.getvalue()) is None


def test_the_stand_in_is_marked_and_always_the_same(no_files):
    one, two = regression_problem(), regression_problem()
    assert not one.real and one.origin == "generated stand-in"
    assert one.x_train.shape == (13600, 2) and one.y_train.shape == (13600,)
    assert one.x_train.min() >= 0 and one.x_train.max() <= 1 and np.isfinite(one.y_train).all()
    np.testing.assert_array_equal(one.y_train, two.y_train)


@settings(deadline=None)
@given(st.permutations((9, 5, 3, 2, 0)))
def test_the_order_of_the_digits_does_not_matter(digits):
    # Hypothesis forbids function-scoped fixtures; either source of data will do here.
    np.testing.assert_array_equal(regression_problem(digits).y_train, regression_problem((9, 5, 3, 2, 0)).y_train)


@pytest.mark.parametrize("digits", [(1, 2, 3), (1, 2, 3, 4, 10), (-1, 2, 3, 4, 5), (0,) * 5, "88751", (1, 2, 3, 4, .5)])
def test_other_digits_are_refused(digits):
    with pytest.raises(ValueError, match="five digits from 0 to 9"):
        regression_problem(digits)


@pytest.mark.skipif("TINYNN_DATA" not in os.environ, reason="needs the real files")
def test_the_real_file():
    problem = regression_problem()
    assert problem.real and problem.x_train.shape == (13600, 2) and problem.y_train.shape == (13600,)
    assert 0 < problem.x_train.min() and problem.x_train.max() < 1
    np.testing.assert_allclose(regression_problem((1, 0, 0, 0, 0)).y_train.max(), 5.251572)
