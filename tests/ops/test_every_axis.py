"""Every axis, tuple of axes and permutation of a three-dimensional array: what random draws could miss."""
from itertools import chain, combinations, permutations

import numpy as np
import pytest

import tinynn as tn
from tinynn.autograd.check import check_gradients

X = np.random.default_rng(0).permutation(24).reshape(2, 3, 4) / 8 - 1.4
AXES = [None, *range(-3, 3), *chain(*(combinations(range(3), n) for n in range(4))), (-1, 0), (-2, -3), (2, -3)]


@pytest.mark.parametrize("op, reference", [(tn.sum, np.sum), (tn.mean, np.mean), (tn.var, np.var), (tn.max, np.max),
                                           (tn.min, np.min), (tn.logsumexp, lambda x, axis, keepdims: np.log(
                                               np.exp(x).sum(axis, keepdims=keepdims)))])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(op, reference, keepdims):
    for axis in AXES:
        np.testing.assert_allclose(op(X, axis, keepdims), reference(X, axis=axis, keepdims=keepdims), atol=1e-14)
        check_gradients(lambda x: op(x, axis, keepdims), X)


@pytest.mark.parametrize("op", [tn.softmax, tn.log_softmax])
def test_softmax(op):
    for axis in range(-3, 3):
        check_gradients(lambda x: op(x, axis), X)


@pytest.mark.parametrize("axes", [None, *permutations(range(3)), *permutations((-1, -2, -3)), (-1, 0, 1)])
def test_transpose(axes):
    np.testing.assert_array_equal(tn.transpose(X, axes), np.transpose(X, axes))
    check_gradients(lambda x: tn.transpose(x, axes), X, order=2)


@pytest.mark.parametrize("axis", range(-3, 3))
def test_concatenate_and_stack(axis):
    check_gradients(lambda a, b: tn.concatenate([a, b, a], axis), X, X + 1)
    check_gradients(lambda a, b: tn.stack([a, b], axis), X, X + 1)
    np.testing.assert_array_equal(tn.stack([X, X], axis), np.stack([X, X], axis))


@pytest.mark.parametrize("index", [
    1, -1, (0, 1, 2), slice(None, None, -1), (slice(None), slice(1, None, 2)), (..., 0), None, (0, None, ..., -1), (),
    [], [1, 0, 1], ([0, 1, 1], [2, 2, 2]), (slice(None), [0, 0, 2]), (slice(None), np.array([[0, 0], [2, 1]]), 1),
    ([0], ..., [3]), (np.int64(1), slice(0, 0)), np.array(1), X > 0, (X > 0).any((1, 2)),
    (slice(None), np.array([True, False, True])),
], ids=str)
def test_index(index):
    np.testing.assert_array_equal(tn.Tensor(X)[index].data, X[index])
    check_gradients(lambda x: x[index], X, order=2)
