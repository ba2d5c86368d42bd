"""Jacobians: the fast pass equals row by row, and gives way to it where rows are coupled."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynn as tn
from tinynn import nn
from tinynn.autograd import jacobian as module
from tinynn.autograd.jacobian import jacobian_blocks, row_by_row, rows_independent


def leaf(*shape, seed=0):
    return tn.Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def slow(residual, params):
    return np.concatenate([block.copy() for _, block in row_by_row(residual, params)])


def numeric(closure, params, h=1e-6):
    """Central differences, column by column."""
    columns = []
    for p in params:
        for i in np.ndindex(p.shape):
            old, sides = p.data[i], []
            for step in (h, -h):
                values = p.data.copy()
                values[i] = old + step
                p.data = values
                sides.append(closure().numpy().ravel())
            values[i] = old
            p.data = values
            columns.append((sides[0] - sides[1]) / (2 * h))
    return np.stack(columns, axis=1)


X = np.random.default_rng(1).standard_normal((7, 3))
# name: (parameter shapes, residuals); every one treats its 7 rows independently
INDEPENDENT = {
    "two layers": ([(4, 3), (4,), (1, 4), (1,)],
                   lambda W, b, V, c: tn.linear(tn.tanh(tn.linear(X, W, b)), V, c)),
    "by hand, with .T": ([(4, 3), (4,), (4,)], lambda W, b, v: tn.sigmoid(X @ W.T + b) @ v),
    "several outputs": ([(4, 3), (2, 4)], lambda W, V: tn.relu(X @ W.T) @ V.T),
    "a parameter used twice": ([(3, 3)], lambda W: tn.tanh(tn.tanh(X @ W) @ W)),
    "a curve fit": ([(3,)], lambda b: b[0] * (1 - tn.exp(-b[1] * X[:, 0])) + b[2] ** 2),
    "arithmetic between parameters": ([(4, 3), ()], lambda W, s: (X @ (tn.exp(s) * W * W).T).sum(axis=1)),
    "softmax and a row vector": ([(4, 3), (1, 4)], lambda W, c: tn.softmax(X @ W.T * c)),
    "layer norm": ([(4, 3), (4,), (4,)],
                   lambda W, g, b: (lambda h: (h - h.mean(1, keepdims=True)) / tn.sqrt(h.var(1, keepdims=True) + 1e-5)
                                    * g + b)(X @ W.T)),
    "reshaped parameter": ([(12,)], lambda w: tn.tanh(X @ tn.reshape(w, (3, 4)))),
    "three axes": ([(4, 3), (4,)], lambda W, b: tn.linear(np.stack([X, X ** 2], 1), W, b).sum((1, 2))),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_fast_equals_row_by_row_and_differences(name):
    shapes, f = INDEPENDENT[name]
    params = [leaf(*shape, seed=i) for i, shape in enumerate(shapes)]

    def closure():
        return f(*params)
    residual = closure()
    assert rows_independent(residual, params)
    J = tn.jacobian(closure, params)
    np.testing.assert_allclose(J, slow(residual, params), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(J, numeric(closure, params), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name, f", [
    ("batch statistics", lambda W: tn.tanh((X @ W.T) - (X @ W.T).mean(0))),
    ("the sum over all rows", lambda W: tn.tanh(X @ W.T) + tn.tanh(X @ W.T).sum()),
    ("rows in reverse order", lambda W: tn.tanh(X @ W.T)[::-1] * (X @ W.T)),
    ("examples as columns", lambda W: (W @ X.T).T),
    ("einsum, which has no rule", lambda W: tn.einsum("nk,hk->nh", X, W)),
    ("as many units as examples", lambda W: tn.tanh(W) @ np.ones((3, 2))),
    ("concatenated parameters", lambda W: X @ tn.concatenate([W, W]).T),
])
def test_coupled_rows_and_unknown_ops_go_row_by_row(name, f):
    W = leaf(7, 3)
    np.testing.assert_allclose(tn.jacobian(lambda: f(W), [W]), numeric(lambda: f(W), [W]), rtol=1e-6, atol=1e-7)
    residual = f(W)
    np.testing.assert_allclose(np.concatenate([b.copy() for _, b in jacobian_blocks(residual, [W])]),
                               slow(residual, [W]), rtol=1e-12)


def test_a_coupling_that_ones_would_not_see():
    """r = h − mean(h) + h: Σᵢ drᵢ/dh is right even if rows are taken for independent; a random direction tells."""
    W = leaf(1, 3)
    assert not rows_independent((lambda h: 2 * h - h.mean(0))(X @ W.T), [W])


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 5), st.integers(1, 3))
def test_any_sizes(n, n_in, hidden, n_out):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, n_in))
    model = nn.Sequential(nn.Linear(n_in, hidden, rng=rng), nn.Tanh(), nn.Linear(hidden, n_out, rng=rng))
    params = model.parameters()
    J = tn.jacobian(lambda: model(x), params)
    assert J.shape == (n * n_out, sum(p.size for p in params))
    np.testing.assert_allclose(J, slow(model(x), params), rtol=1e-12, atol=1e-14)


def test_blocks_add_up(monkeypatch):
    W = leaf(4, 3)
    whole = tn.jacobian(lambda: tn.tanh(X @ W.T), [W])
    monkeypatch.setattr(module, "BLOCK", 100)                  # two examples a block: 2 · 4 · 12 numbers
    blocks = [(rows, block.copy()) for rows, block in jacobian_blocks(tn.tanh(X @ W.T), [W])]
    assert len(blocks) == 4
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), whole)


def test_unused_parameters_and_constants_have_zeros():
    W, unused = leaf(4, 3), leaf(2)
    J = tn.jacobian(lambda: X @ W.T, [unused, W])
    assert J.shape == (28, 14) and not J[:, :2].any() and J[:, 2:].any()
    assert not tn.jacobian(lambda: tn.Tensor(X), [W]).any()


def test_float32_stays_float32():
    W = tn.Tensor(np.ones((4, 3), np.float32), requires_grad=True)
    assert tn.jacobian(lambda: tn.tanh(X.astype(np.float32) @ W.T), [W]).dtype == np.float32


def test_scalars_have_no_rows():
    W = leaf(4, 3)
    with pytest.raises(TypeError, match="residuals"):
        tn.jacobian(lambda: (X @ W.T).sum(), [W])


@pytest.mark.parametrize("closure, shapes", [
    (lambda w, b: tn.matmul(X, w) + b, [(3,), (7,)]),                   # a parameter for each example
    (lambda w: tn.matmul(X, w[0, :, np.array([0, 1])].T), [(2, 3, 2)]),
    (lambda w: tn.matmul(X[0], w), [(3, 3)]),                           # one example, no example axis
    (lambda w: tn.matmul(X[:, None, :], w), [(7, 3, 2)])])
def test_shapes_that_the_fast_rules_were_not_made_for(closure, shapes):
    params = [leaf(*shape, seed=i) for i, shape in enumerate(shapes)]
    found = tn.jacobian(lambda: closure(*params), params)
    np.testing.assert_allclose(found, numeric(lambda: closure(*params), params), atol=1e-7)


def test_a_tensor_is_not_a_list_of_parameters():
    w = leaf(2)
    for call in (lambda: tn.jacobian(lambda: w * w, w), lambda: tn.hessian(lambda: (w * w).sum(), w),
                 lambda: tn.hvp(lambda: (w * w).sum(), w, np.ones(2)), lambda: tn.grad((w * w).sum(), w)):
        with pytest.raises(TypeError, match="is a Tensor; expected a list of Tensors"):
            call()


def test_only_leaves_have_columns():
    w = leaf(2)
    for p in (w * 2, tn.Tensor(np.ones(2)), np.ones(2)):
        with pytest.raises(TypeError, match=r"jacobian: params\[1\] is not a leaf"):
            tn.jacobian(lambda: w * 2, [w, p])
