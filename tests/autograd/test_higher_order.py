"""grad, hvp and hessian, of any order, against formulas and differences."""
import numpy as np
import pytest

import tinynn as tn

rng = np.random.default_rng(0)
A, W, B = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=2)


def closure_and_params():
    params = [tn.Tensor(W, requires_grad=True), tn.Tensor(B, requires_grad=True)]
    return lambda: tn.mean(tn.softplus(tn.tanh(A @ params[0] + params[1])) ** 2), params


def numeric_hessian(closure, params, h=1e-5):
    """Central differences of the gradient, one parameter after the other."""
    def gradient():
        return np.concatenate([g.ravel() for g in tn.grad(closure(), params)])

    rows = []
    for p in params:
        for index in np.ndindex(p.shape):
            sides = []
            for step in (h, -h):
                moved = p.data.copy()
                moved[index] += step
                before, p.data = p.data.copy(), moved
                sides.append(gradient())
                p.data = before
            rows.append((sides[0] - sides[1]) / (2 * h))
    return np.array(rows)


def test_hessian():
    closure, params = closure_and_params()
    H = tn.hessian(closure, params)
    assert H.shape == (8, 8)
    np.testing.assert_allclose(H, numeric_hessian(closure, params), atol=1e-9)
    np.testing.assert_allclose(H, H.T, atol=1e-15)


def test_hvp_is_the_hessian_times_v():
    closure, params = closure_and_params()
    v = rng.normal(size=8)
    np.testing.assert_allclose(tn.hvp(closure, params, v), tn.hessian(closure, params) @ v, atol=1e-14)
    with pytest.raises(ValueError, match="a vector of 8 numbers"):
        tn.hvp(closure, params, v[:3])


def test_hessian_of_a_quadratic_is_its_matrix():
    Q = rng.normal(size=(5, 5))
    x = tn.Tensor(rng.normal(size=5), requires_grad=True)
    np.testing.assert_allclose(tn.hessian(lambda: 0.5 * (x @ (Q @ x)), [x]), (Q + Q.T) / 2, atol=1e-14)


def test_an_unused_parameter_has_zeros():
    x, unused = tn.Tensor([1.0, 2.0], requires_grad=True), tn.Tensor([[3.0]], requires_grad=True)
    gx, gu = tn.grad(tn.sum(x ** 3), [x, unused])
    np.testing.assert_array_equal(gu, [[0.0]])
    np.testing.assert_array_equal(tn.hessian(lambda: tn.sum(x ** 3), [x, unused]), np.diag([6.0, 12.0, 0.0]))
    np.testing.assert_array_equal(tn.hvp(lambda: tn.sum(x), [x, unused], np.ones(3)), np.zeros(3))


@pytest.mark.parametrize("order, expected", [(0, np.sin), (1, np.cos), (2, lambda x: -np.sin(x)),
                                             (3, lambda x: -np.cos(x)), (4, np.sin)])
def test_derivatives_of_sin(order, expected):
    x = tn.Tensor(np.linspace(-3, 3, 7), requires_grad=True)
    y = tn.sin(x)
    for _ in range(order):
        y, = tn.grad(tn.sum(y), [x], create_graph=True)
    np.testing.assert_allclose(y.data, expected(x.data), atol=1e-15)


def test_third_order_of_a_product():
    x = tn.Tensor([0.5, 1.5], requires_grad=True)
    y = x ** 3 * tn.exp(x)
    for _ in range(3):
        y, = tn.grad(tn.sum(y), [x], create_graph=True)
    t = x.data
    np.testing.assert_allclose(y.data, (t ** 3 + 9 * t ** 2 + 18 * t + 6) * np.exp(t), rtol=1e-14)


def test_third_order_through_matmul_and_softmax_against_differences():
    x = tn.Tensor(rng.normal(size=(2, 3)), requires_grad=True)

    def second(data):
        x.data = data
        g, = tn.grad(tn.sum(tn.softmax(x @ W) ** 2), [x], create_graph=True)
        gg, = tn.grad(tn.sum(g * g), [x], create_graph=True)
        return tn.sum(gg * gg)

    start = x.data.copy()
    exact, = tn.grad(second(start), [x])
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = 1e-5
        numeric = (second(start + step).item() - second(start - step).item()) / 2e-5
        assert exact[index] == pytest.approx(numeric, rel=1e-6, abs=1e-8)


def test_grad_with_respect_to_a_result():
    x = tn.Tensor([1.0, 2.0], requires_grad=True)
    h = x * x
    gh, gx = tn.grad(tn.sum(tn.exp(h)), [h, x])
    np.testing.assert_allclose(gh, np.exp(h.data))
    np.testing.assert_allclose(gx, np.exp(h.data) * 2 * x.data)


def test_grad_leaves_dot_grad_alone():
    x = tn.Tensor([1.0], requires_grad=True)
    tn.grad(x * x, [x])
    assert x.grad is None


def test_grad_of_y_itself():
    x = tn.Tensor([2.0], requires_grad=True)
    np.testing.assert_array_equal(tn.grad(x, [x])[0], [1.0])
    y = x * x
    np.testing.assert_array_equal(tn.grad(y, [y])[0], [1.0])


def test_create_graph_with_a_seed_that_requires_gradients():
    """The double-backward trick: d/dv (vᵀJ) gives J times a vector without forward mode."""
    x, v = tn.Tensor(A[0], requires_grad=True), tn.Tensor(np.zeros(2), requires_grad=True)
    g, = tn.grad(tn.tanh(x @ W), [x], v, create_graph=True)
    direction = rng.normal(size=3)
    jvp, = tn.grad(g, [v], direction)
    np.testing.assert_allclose(jvp, (1 - np.tanh(A[0] @ W) ** 2) * (direction @ W), rtol=1e-14)


def test_backward_on_a_gradient_penalty():
    w = tn.Tensor([0.3, -0.8], requires_grad=True)
    g, = tn.grad(tn.sum(tn.exp(w)), [w], create_graph=True)
    tn.sum(g * g).backward()
    np.testing.assert_allclose(w.grad, 2 * np.exp(2 * w.data), rtol=1e-15)


def test_hvp_takes_one_sweep_however_many_parameters_there_are(monkeypatch):
    from tinynn.autograd import backward

    def calls_of_vjp(layers):
        calls, vjp = [], backward.vjp
        monkeypatch.setattr(backward, "vjp", lambda *args: calls.append(1) or vjp(*args))
        model = tn.nn.Sequential(*[layer for _ in range(layers) for layer in (tn.nn.Linear(3, 3, rng=0), tn.nn.Tanh())])
        params = model.parameters()
        product = tn.hvp(lambda: tn.sum(model(A) ** 2), params, np.ones(12 * layers))
        monkeypatch.undo()
        return len(calls), product, lambda: tn.hessian(lambda: tn.sum(model(A) ** 2), params)
    (few, product, hessian), (many, *_) = calls_of_vjp(2), calls_of_vjp(20)
    np.testing.assert_allclose(product, hessian().sum(axis=1), rtol=1e-12, atol=1e-14)
    assert many < 12 * few


def test_under_no_grad_derivatives_are_right_or_refused():
    x = tn.Tensor([1.0, 2.0, 4.0], requires_grad=True)
    norm, closure = tn.nn.LayerNorm(3), lambda: tn.sum(x ** 3)
    y = tn.sum(norm(x) * np.array([1.0, 2.0, 3.0]))
    expected, = tn.grad(y, [x], retain_graph=True)
    products = tn.hvp(closure, [x], np.ones(3)), tn.hessian(closure, [x]), tn.jacobian(lambda: x ** 3, [x])
    with tn.no_grad():
        np.testing.assert_allclose(tn.grad(y, [x], create_graph=True)[0].data, expected, rtol=1e-12)
        for got, outside in zip((tn.hvp(closure, [x], np.ones(3)), tn.hessian(closure, [x]), tn.jacobian(lambda: x ** 3, [x])),
                                products):
            np.testing.assert_array_equal(got, outside)
            assert np.abs(got).max() > 0
        with pytest.raises(RuntimeError, match="nothing is recorded under no_grad"):
            tn.grad(closure(), [x])


def test_power_has_the_same_mixed_derivative_both_ways():
    x, p = tn.Tensor(2.0, requires_grad=True), tn.Tensor(0.0, requires_grad=True)
    H = tn.hessian(lambda: x ** p, [x, p])                                  # d²(x^p)/dx dp = x^(p − 1) (1 + p ln x)
    np.testing.assert_allclose(H, [[0, 0.5], [0.5, np.log(2) ** 2]], rtol=1e-14)
    zero = tn.Tensor(0.0, requires_grad=True)
    np.testing.assert_array_equal(tn.grad(zero ** p, [zero, p]), [0, 0])
