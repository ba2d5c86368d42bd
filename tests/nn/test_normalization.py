"""Normalisation: moments, the textbook's formula in ops, accuracy in float32, NaN, bad input. PyTorch: test_nn_torch.py."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynn as tn
from tinynn import nn
from tinynn.autograd.jacobian import rows_independent
from tinynn.ops import normalization as ops

RNG = np.random.default_rng(0)
size = st.integers(1, 5)
few = settings(max_examples=25, deadline=None)


@few
@given(st.lists(size, min_size=1, max_size=4), st.data())
def test_layer_norm_shapes_and_moments(shape, data):
    k = data.draw(st.integers(1, len(shape)))
    x = np.random.default_rng(0).normal(3, 5, shape)
    y = nn.LayerNorm(tuple(shape[-k:]))(x).data
    assert y.shape == x.shape
    np.testing.assert_allclose(y.mean(tuple(range(-k, 0))), 0, atol=1e-10)
    if np.prod(shape[-k:]) > 1:
        assert (y.var(tuple(range(-k, 0))) < 1 + 1e-12).all()


@few
@given(st.integers(2, 6), size, st.none() | size)
def test_batch_norm_shapes_and_moments(n, features, length):
    x = np.random.default_rng(0).normal(3, 5, (n, features) if length is None else (n, features, length))
    layer = nn.BatchNorm1d(features, eps=1e-12)
    axes = (0,) if length is None else (0, 2)
    y = layer(x).data
    assert y.shape == x.shape
    np.testing.assert_allclose(y.mean(axes), 0, atol=1e-9)
    np.testing.assert_allclose(y.var(axes), 1, atol=1e-9)
    assert layer.running_mean.shape == layer.running_var.shape == (features,)
    np.testing.assert_allclose(layer.running_mean, 0.1 * x.mean(axes))
    np.testing.assert_allclose(layer.running_var, 0.9 + 0.1 * x.var(axes, ddof=1))


def test_batch_norm_rebinds_its_buffers():
    layer = nn.BatchNorm1d(2)
    first = layer.running_mean
    layer(RNG.normal(size=(4, 2)))
    assert not first.any() and layer.running_mean.any()
    assert type(layer.num_batches_tracked) is np.ndarray
    layer.eval()(RNG.normal(size=(1, 2)))
    assert layer.num_batches_tracked == 1
    layer.train()(RNG.normal(size=(4, 2)) + 1e-20j)                         # a gradient check by complex steps
    assert layer.running_mean.dtype == layer.running_var.dtype == np.float64


def test_batch_norm_refuses():
    for x in (np.ones((1, 3)), np.ones((1, 3, 1)), np.ones((0, 3))):
        with pytest.raises(ValueError, match="at least 2"):
            nn.BatchNorm1d(3)(x)
    for x in (np.ones(3), np.ones((4, 2)), np.ones((4, 3, 2, 2))):
        with pytest.raises(ValueError, match=r"expected \(N, 3\)"):
            nn.BatchNorm1d(3)(x)


def test_layer_norm_refuses():
    for x in (np.ones(3), np.ones((2, 4, 3)), np.ones((3, 2))):
        with pytest.raises(ValueError, match=r"last axes must be \(2, 3\)"):
            nn.LayerNorm((2, 3))(x)


# --- the kernels ------------------------------------------------------------------------------------------------------

def run(f, given, seed=1):
    """Value and gradients of f, with a random upstream gradient."""
    xs = [tn.Tensor(a, requires_grad=True) for a in given]
    y = f(*xs)
    y.backward(np.random.default_rng(seed).standard_normal(y.shape).astype(y.dtype))
    return [y.data, *(x.grad for x in xs)]


def batch_norm(x, weight, bias, eps=1e-5):
    return ops.batch_norm(x, weight, bias, *ops.moments(x.numpy()), eps)


FUSED = {"batch": (batch_norm, ops.batch_norm_reference), "layer": (ops.layer_norm, ops.layer_norm_reference)}


def arrays(name, shape, dtype=float, mean=0.0):
    channels = shape[1] if name == "batch" else shape[-1]
    rng = np.random.default_rng(0)
    return [(rng.standard_normal(s) + m).astype(dtype) for s, m in ((shape, mean), (channels, 0), (channels, 0))]


@pytest.mark.parametrize("shape", [(70, 3), (5, 4, 9), (6, 3, 4, 5), (1, 1, 2)])
@pytest.mark.parametrize("name", FUSED)
def test_kernels_equal_the_formula_in_ops(name, shape):
    fused, reference = FUSED[name]
    given = arrays(name, shape)
    for a, b in zip(run(lambda *xs: fused(*xs, 1e-5), given), run(lambda *xs: reference(*xs, 1e-5), given)):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", FUSED)
def test_float32_is_as_accurate_as_its_inputs(name, backend):
    """Numbers around 1000: their squares take up all of a float32's digits. And a million of them, for the sums."""
    shape = (2, 2, 500_000) if name == "batch" else (2, 1_000_000)
    given = arrays(name, shape, np.float32, mean=1000)
    given[0][..., 7] = 1500                                                     # an outlier
    with tn.kernels.use(backend):
        rough = run(FUSED[name][0], given)
    for a, b in zip(rough, run(FUSED[name][0], [g.astype(float) for g in given])):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4 * np.abs(b).max())


def test_the_variance_survives_a_first_number_far_out():
    """The kernel measures from each channel's first number: the worst is one outlier there."""
    x = np.random.default_rng(0).standard_normal((1, 1, 10_000))
    x[0, 0, 0] = 1e9
    mean, var = ops.moments(x)
    np.testing.assert_allclose([mean[0], var[0]], [x.mean(), x.var()], rtol=1e-11)
    x = 1e9 + np.random.default_rng(0).standard_normal((1, 1, 10_000))
    np.testing.assert_allclose(ops.moments(x)[1], x.var(), rtol=1e-11)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_nan_stays_in_its_group_and_is_not_lost(backend):
    x = np.random.default_rng(0).standard_normal((3, 2, 4)).astype(np.float32)
    x[1, 0, 2] = np.nan
    with tn.kernels.use(backend):
        y = nn.BatchNorm1d(2).astype(np.float32)(x).data
        assert np.isnan(y[:, 0]).all() and np.isfinite(y[:, 1]).all()
        y = nn.LayerNorm(4).astype(np.float32)(x).data
        assert np.isnan(y[1, 0]).all() and np.isnan(y).sum() == 4


def test_the_per_example_jacobian_of_a_layer_norm_is_exact():
    """Levenberg–Marquardt's fast pass has a rule for it; through batch norm examples are coupled, and it must notice."""
    x, y = RNG.standard_normal((6, 3)), RNG.standard_normal((6, 1))
    for norm, independent in ((nn.LayerNorm(4), True), (nn.BatchNorm1d(4), False)):
        model = nn.Sequential(nn.Linear(3, 4, rng=0), norm, nn.Tanh(), nn.Linear(4, 1, rng=1))
        params = model.parameters()
        rows = [np.concatenate([g.ravel() for g in tn.grad((model(x) - y)[i, 0], params)]) for i in range(6)]
        np.testing.assert_allclose(tn.jacobian(lambda: model(x) - y, params), rows, rtol=1e-9, atol=1e-12)
        assert rows_independent(model(x) - y, params) == independent


def test_eps_keeps_the_root_from_0():
    x = RNG.standard_normal((4, 3)) * 0.1
    for layer, axis in ((nn.BatchNorm1d(3, eps=0.5), 0), (nn.LayerNorm(3, eps=0.5), 1)):
        expected = (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + 0.5)
        np.testing.assert_allclose(layer(x).data, expected, rtol=1e-12)


def test_local_response_norm_by_hand():
    x = np.array([1.0, 2.0, 3.0, 4.0])[None, :, None]
    y = nn.LocalResponseNorm(3, alpha=3, beta=1, k=2)(x).data[0, :, 0]
    np.testing.assert_allclose(y, [1 / (2 + 1 + 4), 2 / (2 + 14), 3 / (2 + 29), 4 / (2 + 25)])


@pytest.mark.parametrize("call, error, message", [
    (lambda: nn.BatchNorm2d(0), ValueError, "BatchNorm2d: num_features is 0"),
    (lambda: nn.BatchNorm2d(3)(np.ones((4, 3))), ValueError, r"x has shape \(4, 3\); expected \(N, 3, H, W\)$"),
    (lambda: nn.BatchNorm2d(3)(np.ones((4, 8, 9, 3))), ValueError, r"before places: x.transpose\(0, 3, 1, 2\)"),
    (lambda: nn.BatchNorm1d(3)(np.ones((4, 8, 3))), ValueError, r"before places: x.transpose\(0, 2, 1\)"),
    (lambda: nn.BatchNorm2d(3)(np.ones((1, 3, 1, 1))), ValueError, "1 number for each channel has no variance"),
    (lambda: nn.BatchNorm2d(3)(np.ones((2, 3, 4, 4), np.uint8)), TypeError, "dtype uint8; layers compute with floats"),
    (lambda: nn.LayerNorm(()), ValueError, r"normalized_shape is \(\)"),
    (lambda: nn.LayerNorm((3, 0)), ValueError, "each at least 1"),
    (lambda: ops.layer_norm(np.ones((4, 6)), np.ones(3), np.ones(3)), ValueError, "last axes of x must be those of weight"),
    (lambda: nn.LocalResponseNorm(0), ValueError, "size is 0"),
    (lambda: nn.LocalResponseNorm(2.5), ValueError, "LocalResponseNorm: size is 2.5; expected an int"),
    (lambda: nn.BatchNorm1d(3, momentum=None), ValueError, "BatchNorm1d: momentum is None; expected a number from 0 to 1"),
    (lambda: nn.BatchNorm1d(3, momentum=1.1), ValueError, "momentum is 1.1"),
    (lambda: nn.BatchNorm2d(3, momentum=-0.1), ValueError, "BatchNorm2d: momentum is -0.1"),
    (lambda: nn.BatchNorm2d(3, momentum=np.nan), ValueError, "momentum is nan"),
    (lambda: nn.BatchNorm2d(3, eps=0), ValueError, "BatchNorm2d: eps is 0; expected a number above 0"),
    (lambda: nn.BatchNorm1d(3, eps=-1e-5), ValueError, "eps is -1e-05"),
    (lambda: nn.LayerNorm(3, eps=0.0), ValueError, "LayerNorm: eps is 0.0"),
    (lambda: nn.LocalResponseNorm(3)(np.ones(4)), ValueError, r"expected \(N, C, ...\)"),
])
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_reprs():
    assert repr(nn.BatchNorm2d(3)) == "BatchNorm2d(3)"
    assert repr(nn.LocalResponseNorm(5)) == "LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=1)"
