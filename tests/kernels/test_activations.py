"""GELU's kernels in float32 are ratios of polynomials: how far off are they, and what becomes of infinity and NaN?"""
import numpy as np
import pytest
from scipy.special import ndtr

import tinynn as tn
from tinynn.autograd.jacobian import jacobian_blocks

X = np.concatenate([np.linspace(-8, 8, 200_001), [30, -30, 1e30, -1e30, 0, 1e-30]]).astype(np.float32)


def slope(x):
    return ndtr(x) + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def test_the_error_of_float32():
    exact = X.astype(float)
    x = tn.Tensor(X, requires_grad=True)
    y = tn.gelu(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == np.float32
    assert (np.abs(y.data - exact * ndtr(exact)) <= 2.5e-7 * np.maximum(np.abs(exact), 1e-30)).all()
    assert np.abs(x.grad - slope(exact)).max() <= 4e-7
    assert (y.data[-6:] == np.float32([30, 0, 1e30, 0, 0, 5e-31])).all() and x.grad[-6:-2].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_and_infinity(dtype):
    x = tn.Tensor(np.array([np.nan, np.inf, 1], dtype), requires_grad=True)
    y = tn.gelu(x)
    assert np.isnan(y.data[0]) and y.data[1] == np.inf
    y.backward(np.ones(3, dtype))
    assert np.isnan(x.grad[0]) and np.isfinite(x.grad[2])


def test_other_kinds_of_numbers():
    assert tn.gelu(np.array([[0, 1], [2, 3]])).dtype == np.float64                  # ints become floats
    assert tn.gelu(np.zeros((2, 0, 3), np.float32)).shape == (2, 0, 3)
    assert tn.gelu(np.ones(2, complex)).dtype == complex
    rows = np.arange(12.0).reshape(3, 4).T[::2]
    np.testing.assert_array_equal(tn.gelu(rows), tn.gelu(rows.copy()))


def test_jacobian_through_a_parameter():
    """In the fast pass of a per-example Jacobian, g has an axis for the examples that x has not."""
    w = tn.Tensor(np.array([0.5, -1.0, 2.0]), requires_grad=True)
    x = np.random.default_rng(0).standard_normal((5, 3))
    np.testing.assert_allclose(tn.jacobian(lambda: (x * tn.gelu(w)).sum(1), [w]), x * slope(w.data), rtol=1e-12)
    for activation, slopes in ((tn.relu, [1, 0, 1]), (tn.leaky_relu, [1, 0.01, 1])):
        residual = (x * activation(w)).sum(1)
        J = np.concatenate([block.copy() for _, block in jacobian_blocks(residual, [w], trusted=True)])
        np.testing.assert_allclose(J, x * slopes, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, ">f8", ">f4"])
def test_floats_that_no_loop_is_compiled_for(dtype):
    for activation in (tn.relu, tn.leaky_relu, *([] if dtype is np.longdouble else [tn.gelu])):     # SciPy has no such erf
        x = tn.Tensor(np.array([-1.0, 0.5, 2.0], dtype), requires_grad=True)
        y = activation(x)
        y.sum().backward()
        expected = activation(tn.Tensor(np.array([-1.0, 0.5, 2.0]))).data
        np.testing.assert_allclose(np.asarray(y.data, float), expected, rtol=2e-3)
        assert x.grad.shape == (3,) and np.isfinite(np.asarray(x.grad, float)).all()
