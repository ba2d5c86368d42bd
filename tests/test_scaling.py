"""MapMinMax: MATLAB's numbers, round trips for any data, and clear errors."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tinynn.scaling import MapMinMax

values = st.floats(-8e307, 8e307)
data = st.one_of(arrays(np.float64, array_shapes(max_dims=2, max_side=6), elements=values),
                 arrays(np.float64, array_shapes(max_dims=2, max_side=6), elements=st.integers(-3, 3)))


@given(data)
def test_scaled_values_lie_in_minus_one_to_one_and_reach_both_ends(x):
    scale = MapMinMax.fit(x)
    y = scale(x)
    assert y.shape == x.shape and np.all(np.abs(y) <= 1)
    varies = scale.low < scale.high
    np.testing.assert_array_equal(y.min(axis=0), np.where(varies, -1, 0))
    np.testing.assert_array_equal(y.max(axis=0), np.where(varies, 1, 0))


@given(data)
def test_inverse_undoes_the_scaling(x):
    scale = MapMinMax.fit(x)
    rounding = 4e-16 * (np.abs(scale.low) + np.abs(scale.high)) + 1e-300
    assert np.all(np.abs(scale.inverse(scale(x)) - x) <= 4 * rounding)


@given(arrays(np.float64, (4, 3), elements=st.floats(-1, 1)))
def test_scaling_undoes_the_inverse(y):
    scale = MapMinMax.fit(np.array([[-1.0, 0.0, 5.0], [2.0, 0.5, 9.0]]))
    np.testing.assert_allclose(scale(scale.inverse(y)), y, atol=1e-14)


def test_agrees_with_matlabs_example():
    x = np.array([[1, 1, 3], [2, 4, 5], [4, 5, 7]]).T               # mapminmax scales rows, we scale columns
    expected = np.array([[-1, -1, 1], [-1, 1 / 3, 1], [-1, -1 / 3, 1]]).T
    np.testing.assert_allclose(MapMinMax.fit(x)(x), expected)


@given(values)
def test_a_constant_column_maps_to_zero_and_comes_back_exactly(c):
    x = np.full((3, 1), c)
    scale = MapMinMax.fit(x)
    np.testing.assert_array_equal(scale(x), 0)
    np.testing.assert_array_equal(scale.inverse(scale(x)), x)


def test_the_scale_of_the_training_rows_extrapolates_to_others():
    scale = MapMinMax.fit(np.array([0.0, 2.0]))
    np.testing.assert_allclose(scale([4.0, -2.0]), [3.0, -3.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_their_dtype_and_integers_become_float64(dtype):
    x = np.arange(6, dtype=dtype).reshape(3, 2)
    scale = MapMinMax.fit(x)
    assert scale(x).dtype == scale.inverse(scale(x)).dtype == dtype
    assert MapMinMax.fit(np.arange(3))(np.arange(3)).dtype == np.float64


def test_nan_of_a_diverged_network_stays_nan():
    assert np.isnan(MapMinMax.fit([0.0, 1.0]).inverse([np.nan])).all()


@pytest.mark.parametrize("use, message", [
    (lambda: MapMinMax.fit([1.0, np.nan]), r"x\[1\] is nan"),
    (lambda: MapMinMax.fit([[1.0, np.inf]]), r"x\[0, 1\] is inf"),
    (lambda: MapMinMax.fit([]), r"shape \(0,\).*at least one row"),
    (lambda: MapMinMax.fit(3.0), r"shape \(\)"),
    (lambda: MapMinMax.fit(["a"]), "real numbers"),
    (lambda: MapMinMax.fit([-1.7e308, 1.7e308]), "larger than the largest float"),
    (lambda: MapMinMax.fit([0.0, 1.0])([np.nan]), r"x\[0\] is nan"),
    (lambda: MapMinMax.fit(np.eye(2))(np.eye(3)), r"\(3, 3\).*fitted to shape \(N, 2\)"),
    (lambda: MapMinMax.fit(np.eye(2)).inverse(np.ones(2)), r"\(2,\).*fitted to shape \(N, 2\)"),
    (lambda: MapMinMax.fit(np.ones(2))(np.eye(2)), r"\(2, 2\).*fitted to shape \(N\)"),
    (lambda: MapMinMax()(np.eye(2)), "missing"),
])
def test_bad_input_is_refused_by_name(use, message):
    with pytest.raises((ValueError, TypeError), match=message):
        use()
