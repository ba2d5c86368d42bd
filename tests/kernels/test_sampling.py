"""Drawing units: with the right probabilities, in place. test_twins.py compares the loop with its reference."""
import numpy as np
import pytest

from tinynn.kernels.sampling import fire, logistic


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(float)))


@pytest.mark.parametrize("dtype, margin", [(np.float32, 3e-7), (np.float64, 1e-15)])
@pytest.mark.parametrize("factor", [1, 2.0])
def test_units_are_on_below_their_probability_and_off_above(dtype, margin, factor):
    x, bias = np.linspace(-10, 10, 2001 * 3).reshape(2001, 3).astype(dtype), np.array([0.5, 0, -2], dtype)
    p = sigmoid(factor * x.astype(float) + bias)
    assert (fire(x.copy(), factor, bias, (p - margin).astype(dtype)) == 1).all()
    assert (fire(x.copy(), factor, bias, (p + margin).astype(dtype)) == 0).all()
    np.testing.assert_allclose(logistic(x.copy(), factor, bias), p, atol=margin)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("u", [1e-6, 0.999999])
def test_sure_units_and_what_is_not_a_number(dtype, u):
    x = np.array([30, 1e30, np.inf, -30, -1e30, -np.inf, np.nan], dtype)
    drawn = fire(x, 1, np.zeros(7, dtype), np.full(7, u, dtype))
    np.testing.assert_array_equal(drawn, [1, 1, 1, 0, 0, 0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (0, 4)])
def test_units_are_drawn_in_place_whatever_the_shape(dtype, shape):
    rng = np.random.default_rng(0)
    x, bias, u = (rng.random(size, dtype=dtype) for size in (shape, 4, shape))
    expected = u < sigmoid(x + bias)
    assert fire(x, 1, bias, u) is x and x.dtype == dtype
    np.testing.assert_array_equal(x, expected)
