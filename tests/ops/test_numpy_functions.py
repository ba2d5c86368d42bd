"""NumPy's functions on Tensors: the same values as on arrays, and gradients; comparisons; mixing arrays and Tensors."""
import numpy as np
import pytest

import tinynn as tn
from tinynn.autograd.check import check_gradients
from tinynn.ops.operators import FUNCTIONS, QUERIES, UFUNCS

A = np.array([[0.5, 1.5, 2.5], [3.0, 0.25, 1.0]])
B = np.array([[1.5, 0.5, 2.0], [0.75, 3.0, 0.1]])

# How each function of several arguments, or with settings, is called; a is a Tensor, b an array.
CALLS = {
    np.matmul: [lambda f, a, b: f(a, b.T), lambda f, a, b: f(b.T, a), lambda f, a, b: f(a, b[0])],
    np.dot: [lambda f, a, b: f(a, b.T), lambda f, a, b: f(a, b[0]), lambda f, a, b: f(a, 2.0),
             lambda f, a, b: f(b[0], a.T)],
    np.sum: [lambda f, a, b: f(a), lambda f, a, b: f(a, axis=-1), lambda f, a, b: f(a, 0, keepdims=True)],
    np.mean: [lambda f, a, b: f(a), lambda f, a, b: f(a, axis=(0, 1)), lambda f, a, b: f(a, 1, keepdims=True)],
    np.var: [lambda f, a, b: f(a), lambda f, a, b: f(a, axis=0, ddof=1)],
    np.max: [lambda f, a, b: f(a), lambda f, a, b: f(a, axis=1, keepdims=True)],
    np.reshape: [lambda f, a, b: f(a, (3, 2)), lambda f, a, b: f(a, -1)],
    np.transpose: [lambda f, a, b: f(a), lambda f, a, b: f(a, (1, 0))],
    np.swapaxes: [lambda f, a, b: f(a, 0, -1)],
    np.expand_dims: [lambda f, a, b: f(a, axis=1), lambda f, a, b: f(a, -1)],
    np.squeeze: [lambda f, a, b: f(a[:, :1]), lambda f, a, b: f(a[:1], axis=0)],
    np.concatenate: [lambda f, a, b: f([a, b]), lambda f, a, b: f((b, a, b), axis=-1)],
    np.stack: [lambda f, a, b: f([a, b]), lambda f, a, b: f([b, a], axis=-1)],
    np.broadcast_to: [lambda f, a, b: f(a, (4, 2, 3))],
    np.where: [lambda f, a, b: f(b > 1, a, b), lambda f, a, b: f(a > 1, a, 0.0)],
    np.clip: [lambda f, a, b: f(a, 0.4, 2.0), lambda f, a, b: f(a, None, 1.1)],
    np.einsum: [lambda f, a, b: f("nk,nk->n", a, b), lambda f, a, b: f("nk,mk->nm", b, a)],
}
CALLS[np.amax] = CALLS[np.min] = CALLS[np.amin] = CALLS[np.max]
UNARY, BINARY = [lambda f, a, b: f(a)], [lambda f, a, b: f(a, b), lambda f, a, b: f(b, a), lambda f, a, b: f(a, 2.0),
                                         lambda f, a, b: f(3.0, a), lambda f, a, b: f(a, b[0])]


def calls(f):
    if f in CALLS:
        return CALLS[f]
    assert isinstance(f, np.ufunc), f"np.{f.__name__} has no example in CALLS"
    return UNARY if f.nin == 1 else BINARY


@pytest.mark.parametrize("f", [*UFUNCS, *FUNCTIONS], ids=lambda f: f.__name__)
def test_same_as_plain_numpy(f):
    for call in calls(f):
        a = tn.Tensor(A, requires_grad=True)
        y = call(f, a, B)
        assert isinstance(y, tn.Tensor)
        np.testing.assert_allclose(y.data, call(f, A, B), rtol=1e-15)
        check_gradients(lambda a: call(f, a, B), A)


@pytest.mark.parametrize("f", sorted(QUERIES, key=lambda f: f.__name__), ids=lambda f: f.__name__)
def test_questions_are_answered_by_plain_numpy(f):
    a = tn.Tensor(A, requires_grad=True)
    two = getattr(f, "nin", 1) == 2 or f in (np.allclose, np.array_equal, np.isclose)
    answer, expected = (f(a, B), f(A, B)) if two else (f(a), f(A))
    assert not isinstance(answer, tn.Tensor)
    np.testing.assert_array_equal(answer, expected)


def test_dot_of_more_axes_is_not_a_batched_product():
    """np.dot(a, b) pairs every matrix of a with every matrix of b, matmul the first with the first, and so on."""
    a = tn.Tensor(A, requires_grad=True)
    with pytest.raises(TypeError, match="np.dot.*use tn.matmul or tn.einsum"):
        np.dot(a, np.ones((4, 3, 5)))
    stacked = np.stack([A, B])
    np.testing.assert_allclose(np.dot(tn.Tensor(stacked), B.T).data, np.dot(stacked, B.T))


@pytest.mark.parametrize("mixed", [lambda a, x: a + x, lambda a, x: a - x, lambda a, x: a * x, lambda a, x: a / x,
                                   lambda a, x: a ** x, lambda a, x: a @ x.T, lambda a, x: a[0] @ x.T])
def test_array_op_tensor_is_a_tensor(mixed):
    x = tn.Tensor(B, requires_grad=True)
    for y in (mixed(A, x), mixed(x, A)):
        assert type(y) is tn.Tensor and y.requires_grad
    np.testing.assert_allclose(mixed(A, x).data, mixed(A, B))
    np.testing.assert_allclose(mixed(x, A).data, mixed(B, A))


def test_numpy_scalar_op_tensor_is_a_tensor():
    x = tn.Tensor(B, requires_grad=True)
    assert type(np.float64(2) * x) is tn.Tensor and type(np.float64(2) + x) is tn.Tensor


def test_comparisons_are_elementwise_and_plain():
    x, y = tn.Tensor(A, requires_grad=True), tn.Tensor(B)
    for compare in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal):
        np.testing.assert_array_equal(compare(x, y), compare(A, B))
    for result, expected in [(x == y, A == B), (x != B, A != B), (x < 1, A < 1), (1 <= x, 1 <= A), (B > x, B > A),
                             (x >= y, A >= B)]:
        assert type(result) is np.ndarray and result.dtype == bool
        np.testing.assert_array_equal(result, expected)


def test_hash_is_identity():
    x, y = tn.Tensor(A), tn.Tensor(A)
    assert {x: 1, y: 2}[x] == 1 and len({x, y, x}) == 2


def test_methods():
    x = tn.Tensor(A, requires_grad=True)
    for name in ("sum", "mean", "var", "max", "min", "exp", "sqrt", "tanh", "log", "sigmoid", "relu", "abs"):
        np.testing.assert_array_equal(getattr(x, name)().data, getattr(tn, name)(A))
    np.testing.assert_array_equal(x.sum(axis=0, keepdims=True).data, A.sum(0, keepdims=True))
    for y, expected in [(x.reshape(3, 2), A.reshape(3, 2)), (x.reshape((6,)), A.reshape(6)), (x.reshape(-1), A.ravel()),
                        (x.T, A.T), (x.transpose(1, 0), A.T), (x.transpose(), A.T), (x.transpose((0, 1)), A),
                        (x.swapaxes(0, 1), A.T), (x.clip(1.0, 2.0), A.clip(1, 2)), (abs(-x), A), (x[0], A[0])]:
        np.testing.assert_array_equal(y.data, expected)
    assert len(x) == 2 and [row.shape for row in x] == [(3,), (3,)] and float(x[0, 0]) == 0.5 and bool(x[0, 0] > 0)


def test_index_with_a_tensor():
    x, index = tn.Tensor(A, requires_grad=True), tn.Tensor([1, 0, 1])
    y = x[index]
    np.testing.assert_array_equal(y.data, A[[1, 0, 1]])
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [[1.0] * 3, [2.0] * 3])


def test_plain_arrays_stay_plain():
    assert type(tn.exp(A)) is np.ndarray and type(tn.sum(A)) is not tn.Tensor
    np.testing.assert_array_equal(tn.softmax(A), tn.softmax(tn.Tensor(A)).data)


def test_the_smaller_of_unsigned_numbers():
    a, b = np.array([0, 5, 200], np.uint8), np.array([1, 9, 100], np.uint8)
    np.testing.assert_array_equal(tn.minimum(a, b), [0, 5, 100])
    np.testing.assert_array_equal(np.minimum(tn.Tensor(a), 3).data, [0, 3, 3])


def test_axes_of_length_one():
    x = tn.Tensor(np.ones((1, 3, 1)))
    assert np.squeeze(x, (0, -1)).shape == (3,) and tn.squeeze(x, -1).shape == (1, 3) and tn.squeeze(x).shape == (3,)
    np.testing.assert_array_equal(tn.stack([tn.Tensor(1.0), 0.0]).data, [1, 0])
    assert tn.sum(3.0) == tn.mean(3.0) == 3.0 and tn.var(3.0) == 0
    np.testing.assert_array_equal(tn.swapaxes([[1.0, 2.0]], 0, 1), [[1], [2]])


def test_a_row_of_minus_infinity_passes_no_gradient():
    x = tn.Tensor(np.array([[-np.inf, -np.inf], [0, 1]]), requires_grad=True)
    tn.logsumexp(x, axis=1)[1].backward()
    np.testing.assert_allclose(x.grad, [[0, 0], 1 / (1 + np.exp([1, -1]))])
