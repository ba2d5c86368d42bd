"""Losses: derivatives, safe forms, dtype, bad inputs. Values: test_nn_torch.py."""
import numpy as np
import pytest
from differences import differences
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynn as tn
from tinynn import nn

RNG = np.random.default_rng(0)
LABELS = np.array([0, 3, 1, 1, 2])
# name -> (loss, target) for an input of shape (5, 4)
CASES = {
    "mse": (nn.MSELoss(), RNG.normal(size=(5, 4))), "l1": (nn.L1Loss(), RNG.normal(size=(5, 4))),
    "bce": (nn.BCEWithLogitsLoss(), RNG.random((5, 4))), "cross entropy": (nn.CrossEntropyLoss(), LABELS),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient_and_hessian(name):
    loss, target = CASES[name]
    x = tn.Tensor(np.random.default_rng(1).normal(size=(5, 4)), requires_grad=True)
    gradient, = tn.grad(loss(x, target), [x])
    np.testing.assert_allclose(gradient.ravel(), differences(lambda: loss(x, target).data, [x])[0], atol=1e-8)
    numeric = differences(lambda: tn.grad(loss(x, target), [x])[0], [x])
    np.testing.assert_allclose(tn.hessian(lambda: loss(x, target), [x]), numeric, atol=1e-8)


@pytest.mark.parametrize("name", ["mse", "l1", "bce"])
def test_gradient_of_the_target(name):
    loss, target = CASES[name]
    x, t = RNG.normal(size=(5, 4)), tn.Tensor(target, requires_grad=True)
    gradient, = tn.grad(loss(x, t), [t])
    np.testing.assert_allclose(gradient.ravel(), differences(lambda: loss(x, t).data, [t])[0], atol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_float32_stays_float32(name):
    loss, target = CASES[name]
    x = tn.Tensor(RNG.normal(size=(5, 4)).astype(np.float32), requires_grad=True)
    value = loss(x, target)                                     # the float64 target does not promote it
    assert value.dtype == np.float32 and value.shape == ()
    gradient, = tn.grad(value, [x], create_graph=True)
    assert gradient.dtype == np.float32
    assert isinstance(loss(x.numpy(), target), tn.Tensor)


def test_cross_entropy_is_its_formula():
    x = RNG.normal(size=(5, 4))
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    np.testing.assert_allclose(nn.cross_entropy(x, LABELS), -np.log(p[np.arange(5), LABELS]).mean(), rtol=1e-14)
    loss = nn.CrossEntropyLoss()
    assert loss(x, LABELS).item() == loss(x, tn.Tensor(LABELS)).item() == loss(x, LABELS.astype(np.uint8)).item()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_safe_for_large_logits(dtype):
    x = tn.Tensor(np.array([[800.0, -800.0]], dtype), requires_grad=True)
    for loss, target, value, gradient in [
            (nn.CrossEntropyLoss(), np.array([0]), 0, [[0, 0]]),
            (nn.CrossEntropyLoss(), np.array([1]), 1600, [[1, -1]]),
            (nn.BCEWithLogitsLoss(), np.array([[1, 0]]), 0, [[0, 0]]),
            (nn.BCEWithLogitsLoss(), np.array([[False, True]]), 800, [[0.5, -0.5]])]:
        y = loss(x, target)
        assert y.item() == value
        assert np.array_equal(tn.grad(y, [x])[0], gradient)


def test_bce_keeps_its_digits_where_the_loss_is_small():
    x = tn.Tensor([[30.0]], requires_grad=True)
    y = nn.BCEWithLogitsLoss()(x, [[1.0]])
    np.testing.assert_allclose(y.item(), np.exp(-30), rtol=1e-12)
    np.testing.assert_allclose(tn.grad(y, [x])[0], -np.exp(-30), rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["mse", "l1", "bce"]), st.lists(st.integers(1, 3), min_size=1, max_size=3),
       st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_shapes_must_be_equal(name, shape, other):
    loss, x, t = CASES[name][0], np.ones(shape), np.ones(other)
    if shape == other:
        assert loss(x, t).shape == ()
    else:
        with pytest.raises(ValueError, match="they must be equal"):
            loss(x, t)


@pytest.mark.parametrize("name", ["mse", "l1", "bce"])
def test_refuses_an_empty_batch(name):
    with pytest.raises(ValueError, match="batch is empty"):
        CASES[name][0](np.ones((0, 4)), np.ones((0, 4)))


@pytest.mark.parametrize("logits, labels, error, message", [
    ((5, 4), np.array([0, 1, 4, 5, 0]), ValueError, r"labels\[2\] is 4; the logits have 4 classes.*0 to 3"),
    ((5, 4), np.array([0, 1, 2, 3, -1]), ValueError, r"labels\[4\] is -1"),
    ((5, 4), np.eye(5, 4), ValueError, r"one-hot.*argmax"),
    ((5, 4), np.eye(5, 4, dtype=int), ValueError, r"one-hot.*argmax"),
    ((5, 4), np.zeros((5, 1), int), ValueError, r"expected labels of shape \(5,\)"),
    ((5, 4), np.zeros(4, int), ValueError, r"expected labels of shape \(5,\)"),
    ((5, 4), np.zeros(5), TypeError, "dtype float64; expected ints"),
    ((5, 4), np.zeros(5, bool), TypeError, "dtype bool; expected ints"),
    ((0, 4), np.zeros(0, int), ValueError, "batch is empty"),
    ((4,), np.array(1), ValueError, r"expected \(N, classes\)"),
    ((5, 4, 2), np.zeros(5, int), ValueError, r"expected \(N, classes\)"),
])
def test_cross_entropy_refuses(logits, labels, error, message):
    for loss in (nn.CrossEntropyLoss(), nn.cross_entropy):
        with pytest.raises(error, match="cross_entropy: .*" + message):
            loss(np.ones(logits), labels)


def test_penalties():
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1)).astype(np.float32)
    w = np.concatenate([p.data.ravel() for p in model.parameters()])
    for penalty, value, slope in [(nn.l1_penalty, np.abs(w).sum(), np.sign(w)), (nn.l2_penalty, (w * w).sum(), 2 * w)]:
        y = penalty(model.parameters())
        assert y.dtype == np.float32 and y.shape == ()
        np.testing.assert_allclose(y.item(), value, rtol=1e-6)
        gradients = tn.grad(y, model.parameters())
        np.testing.assert_allclose(np.concatenate([g.ravel() for g in gradients]), slope, rtol=1e-6)
        with pytest.raises(ValueError, match="params is empty"):
            penalty([])


def test_targets_of_ints_may_be_tensors():
    prediction = tn.Tensor(np.array([1.0, 2.0]), requires_grad=True)
    assert nn.MSELoss()(prediction, tn.Tensor(np.array([1, 4]))).item() == 2.0


@pytest.mark.parametrize("target", [[-1.0, 1.0], [0.0, 1.5], [np.nan, 0.0]])
def test_binary_cross_entropy_of_what_is_no_probability_has_no_bound(target):
    with pytest.raises(ValueError, match=r"target has values from .*expected values in \[0, 1\].*\(y \+ 1\) / 2"):
        nn.BCEWithLogitsLoss()(np.zeros(2), target)


def test_targets_may_be_rounded():
    assert np.isfinite(nn.BCEWithLogitsLoss()(np.zeros(2, np.float32), np.float32([1.0000001, -1e-7])).item())
