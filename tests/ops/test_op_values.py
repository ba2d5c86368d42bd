"""Values: the safe forms at the ends of the number range, and SciPy's or a plain formula's elsewhere."""
import numpy as np
import pytest
from hypothesis import given
from scipy import special

import tinynn as tn
from tinynn import testing

ENDS = np.array([-1e4, -800.0, -40.0, 0.0, 40.0, 800.0, 1e4])


@pytest.mark.parametrize("f, reference", [
    (tn.sigmoid, special.expit), (tn.softplus, lambda x: np.logaddexp(0, x)), (tn.erf, special.erf),
    (tn.gelu, lambda x: x * special.ndtr(x)), (tn.softmax, lambda x: special.softmax(x, axis=-1)),
    (tn.log_softmax, lambda x: special.log_softmax(x, axis=-1)), (tn.logsumexp, special.logsumexp),
    (tn.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)), (tn.relu, lambda x: np.maximum(x, 0)),
    (tn.tanh, np.tanh),
])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_gradients_and_second_order_at_the_ends(f, reference, dtype):
    """No overflow, no NaN, no warning, at any x."""
    x = tn.Tensor(ENDS.astype(dtype), requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = f(x)
        g, = tn.grad(tn.sum(y), [x], create_graph=True)
        second, = tn.grad(tn.sum(g * g), [x])
    np.testing.assert_allclose(y.data, reference(x.data), rtol=1e-12 if dtype == np.float64 else 1e-5, atol=1e-30)
    assert np.isfinite(g.data).all() and np.isfinite(second).all() and y.dtype == g.dtype == second.dtype == dtype


def test_safe_forms_by_number():
    assert tn.softplus(np.array(800.0)) == 800.0
    assert tn.softplus(np.array(-800.0)) == 0.0
    assert tn.sigmoid(np.array(-800.0)) == 0.0 and tn.sigmoid(np.array(800.0)) == 1.0
    assert tn.sigmoid(np.array(-40.0)) == pytest.approx(np.exp(-40.0), rel=1e-15)       # not rounded to 0
    assert tn.logsumexp(np.array([1000.0, 1000.0])) == pytest.approx(1000 + np.log(2), rel=1e-15)
    assert tn.logsumexp(np.array([-1000.0, -1000.0])) == pytest.approx(-1000 + np.log(2), rel=1e-15)
    np.testing.assert_array_equal(tn.log_softmax(np.array([0.0, 1000.0])), [-1000.0, 0.0])
    assert tn.log1p(np.array(1e-20)) == 1e-20


@pytest.mark.parametrize("f", [tn.sigmoid, tn.softplus, tn.gelu, tn.leaky_relu, tn.softmax, tn.log_softmax, tn.logsumexp])
def test_numbers_that_are_not_floats_are_made_floats(f):
    """−x of an unsigned number, and of the smallest int8, wraps around."""
    for dtype in (np.uint8, np.uint64, np.int8, int, bool):
        x = np.array([0, 1, 100, 255, -128]).astype(dtype)
        y = f(x)
        assert y.dtype in (np.float32, np.float64)
        np.testing.assert_allclose(y, f(x.astype(float)), rtol=1e-6, atol=1e-30)
    for dtype in (np.float16, np.float32, np.float64, complex):
        if f not in (tn.gelu, tn.leaky_relu):
            assert f(np.ones(2, dtype)).dtype == dtype
    assert f([2]) == f([2.0])


def test_logsumexp_of_minus_infinity():
    assert tn.logsumexp(np.array([-np.inf, 0.0])) == 0.0
    with np.errstate(divide="ignore"):
        assert tn.logsumexp(np.array([-np.inf, -np.inf])) == -np.inf


def test_gradients_where_there_is_a_convention():
    def gradient(f, *values):
        xs = [tn.Tensor(np.array(v), requires_grad=True) for v in values]
        return [g.item() if g.ndim == 0 else g.tolist() for g in tn.grad(tn.sum(f(*xs)), xs)]

    assert gradient(tn.relu, 0.0) == [0.0] and gradient(tn.abs, 0.0) == [0.0]
    assert gradient(tn.maximum, 1.0, 1.0) == [0.5, 0.5] and gradient(tn.minimum, 1.0, 1.0) == [0.5, 0.5]
    assert gradient(tn.max, [2.0, 1.0, 2.0]) == [[0.5, 0.0, 0.5]]                       # shared by those that tie
    assert gradient(tn.min, [2.0, 1.0, 1.0]) == [[0.0, 0.5, 0.5]]
    assert gradient(lambda x: x ** 2, 0.0) == [0.0] and gradient(lambda x: x ** 0, 0.0) == [0.0]
    assert gradient(lambda x: x ** 1, 0.0) == [1.0]
    assert gradient(lambda x: x ** 2, -3.0) == [-6.0]
    assert gradient(lambda x, p: x ** p, 0.0, 2.0) == [0.0, 0.0]


@given(testing.arrays(testing.shapes(min_dims=1, min_side=1)))
def test_softmax_sums_to_one_and_forgets_shifts(x):
    y = tn.softmax(x)
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-14)
    np.testing.assert_allclose(tn.softmax(x + 500), y, rtol=1e-10)
    np.testing.assert_allclose(np.log(y), tn.log_softmax(x), rtol=1e-12)


@given(testing.arrays(testing.shapes(min_dims=1, min_side=1)))
def test_reductions_agree_with_numpy(x):
    np.testing.assert_allclose(tn.var(x, -1), np.var(x, -1), atol=1e-15)
    np.testing.assert_allclose(tn.logsumexp(x), np.log(np.exp(x).sum()), atol=1e-14)
    np.testing.assert_array_equal(tn.max(x, 0, True), np.max(x, 0, keepdims=True))


@given(testing.arrays((3, 2)), testing.arrays((4, 2)), testing.arrays((4,)))
def test_linear_is_x_times_w_transposed_plus_b(x, W, b):
    np.testing.assert_allclose(tn.linear(x, W, b), x @ W.T + b, atol=1e-14)
    np.testing.assert_allclose(tn.linear(x, W), x @ W.T, atol=1e-14)


def test_linear_does_not_write_into_what_it_is_given():
    x, W, b = np.ones((2, 1)), np.ones((3, 1)), np.ones(3)
    tn.linear(x, W, b)
    assert (x == 1).all() and (W == 1).all() and (b == 1).all()


@pytest.mark.parametrize("width", [1, (1, 2), ((1, 0), (0, 2))])
def test_pad(width):
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(tn.pad(x, width, 7.0), np.pad(x, width, constant_values=7.0))
