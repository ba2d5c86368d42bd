"""The checker must catch every wrong gradient, and pass every right one. Read this before you trust the other tests."""
import inspect

import numpy as np
import pytest

import tinynn as tn
from tinynn.autograd import backward, check
from tinynn.autograd.check import GradientError, NothingChecked, check_gradients

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.3]])
W = np.array([[1.0, 0.2], [-0.7, 0.4], [0.3, -1.1]])


def op_with(function, vjp, **declared):
    """An op made of a function and a vjp."""
    made = tn.op(**declared)(function)
    made.vjp(vjp)
    return made


def caught(f, *arrays, order=1) -> str:
    """The sentence with which the checker refuses."""
    with pytest.raises(GradientError) as error:
        check_gradients(f, *arrays, order=order)
    return str(error.value)


# --- right gradients pass ----------------------------------------------------------------------------


@pytest.mark.parametrize("f, method", [(tn.tanh, "complex-step"), (tn.abs, "central"),
                                       (lambda x: tn.maximum(x, 0.1) * tn.exp(x), "central"),
                                       (lambda x: tn.sum(tn.softmax(x) ** 2.0), "complex-step")])
@pytest.mark.parametrize("order", [1, 2])
def test_right_gradients_pass(f, method, order):
    report = check_gradients(f, X, order=order)
    assert (report.checked, report.skipped, report.method) == (order * X.size, [], method)


def test_two_arguments_and_a_constant():
    labels = np.array([2, 0])
    report = check_gradients(lambda x, w, k: tn.tanh(x @ w)[np.arange(2), k - k], X, W, labels, order=2)
    assert report.checked == 2 * (X.size + W.size)


@pytest.mark.parametrize("f", [lambda x: x, lambda x: x.detach() * 0.0, lambda x: tn.sign(x), lambda x: tn.sum(x, 0)])
def test_constant_and_linear_functions_pass(f):
    check_gradients(f, X, order=2)


def test_empty_arrays_pass():
    assert check_gradients(tn.exp, np.zeros((0, 3)), order=2).checked == 0


def test_float32_is_checked_in_float64():
    assert check_gradients(tn.exp, X.astype(np.float32), order=2).method == "complex-step"


# --- wrong gradients are caught ----------------------------------------------------------------------


@pytest.mark.parametrize("function, scaled_vjp, analytic", [
    (np.tanh, lambda k: lambda g, y: k * g * (1 - y * y), True),
    (np.abs, lambda k: lambda g, x: k * g * tn.sign(x), False),
    (lambda x: np.maximum(x, 0) ** 2, lambda k: lambda g, x: k * g * 2.0 * tn.relu(x), False),
])
def test_off_by_one_in_a_million(function, scaled_vjp, analytic):
    def f(x):
        return function(x)

    check_gradients(op_with(f, scaled_vjp(1.0), analytic=analytic), X)
    assert "relative error 1e-06" in caught(op_with(f, scaled_vjp(1 + 1e-6), analytic=analytic), X)


def test_wrong_sign():
    def cosine(x):
        return np.cos(x)

    message = caught(op_with(cosine, lambda g, x: g * tn.sin(x)), X)
    assert "The gradient of cosine with respect to x is wrong at index" in message
    assert "complex-step" in message and "relative error 2" in message and "x has shape (2, 3)" in message


def test_transposed():
    def square(A):
        return A @ np.ones((3, 3)) * A

    def vjp(g, A):
        ones = np.ones((3, 3))
        return (g * (A @ ones) + (g * A) @ ones).T

    A = np.arange(9.0).reshape(3, 3) / 3
    check_gradients(op_with(square, lambda g, A: vjp(g, A).T), A)
    caught(op_with(square, vjp), A)


def test_missing_accumulation():
    """x is used twice, but only one use has a gradient."""
    caught(op_with(lambda x: x * x, lambda g, x: g * x), X)


def test_sweep_that_forgets_to_accumulate(monkeypatch):
    source = inspect.getsource(backward.sweep)
    broken = source.replace("gradient if known is None else known + gradient", "gradient")
    assert broken != source
    names = dict(vars(backward))
    exec(broken, names)
    monkeypatch.setattr(backward, "sweep", names["sweep"])
    caught(lambda x: tn.exp(x) + tn.sin(x), X)


def test_missing_broadcast_sum():
    """b was broadcast over rows; the vjp hands back the gradient of the first row, in the right shape."""
    def shift(x, b):
        return x + b

    message = caught(op_with(shift, lambda g: (g, g[0]), shapes="(n,k),(k)->(n,k)"), X, np.ones(3))
    assert "with respect to b" in message
    check_gradients(op_with(shift, lambda g: (g, g.sum(0)), shapes="(n,k),(k)->(n,k)"), X, np.ones(3))


def test_wrong_only_in_the_second_argument():
    assert "with respect to w" in caught(lambda x, w: x @ w + 0 * w.detach()[0] + w.detach()[0], X, W)


def test_gradient_that_is_missing_or_not_finite():
    caught(op_with(lambda x: np.exp(x), lambda g: None), X)
    last = np.where(np.arange(6).reshape(2, 3) == 5, np.nan, 1.0)
    message = caught(op_with(lambda x: np.exp(x), lambda g, y: g * y * last), X)
    assert "index (1, 2)" in message and "gives nan" in message


def test_small_gradient_beside_none():
    """Tolerances are relative: a function with tiny values is checked as well as any other."""
    tiny = op_with(lambda x: 1e-9 * x, lambda g: g * 1.0001e-9)
    caught(tiny, X)


def test_second_order_wrong_only():
    """The gradient is right, but `saved` is a constant, so that its own gradient is 0."""
    def square(x):
        return tn.saved(x * x, 2 * x)

    wrong = op_with(square, lambda g, saved: g * saved)
    check_gradients(wrong, X)
    message = caught(wrong, X, order=2)
    assert "The gradient of the gradient of square" in message and "The gradient itself is right" in message


def test_vjp_that_differs_between_arrays_and_tensors():
    def vjp(g, x):
        return g * 2.0 * x if isinstance(g, np.ndarray) else g * 3.0 * x
    assert "with create_graph" in caught(op_with(lambda x: x * x, vjp), X, order=2)


def test_wrongly_declared_analytic():
    """x/(1 + |x|) has a complex step, but a wrong one, which agrees with this wrong vjp."""
    def softsign(x):
        return x / (1 + np.abs(x))

    caught(op_with(softsign, lambda g, x: g / (1 + tn.abs(x))), X)
    right = op_with(softsign, lambda g, x: g / (1 + tn.abs(x)) ** 2)
    assert check_gradients(right, X, order=2).method == "central"


# --- the contract ------------------------------------------------------------------------------------


def test_value_of_the_wrong_dtype():
    promoting = op_with(lambda x: x * np.float64(2), lambda g: 2 * g)
    check_gradients(promoting, X)
    assert "returns float64 for float32" in caught(promoting, X.astype(np.float32))


@pytest.mark.parametrize("broken, part", [
    (lambda g: g.astype(np.float16), "dtype float16"),
    (lambda g: g[None], "has shape (1, 2, 3)"),
])
def test_gradient_of_the_wrong_dtype_or_shape(monkeypatch, broken, part):
    monkeypatch.setattr(check, "grad", lambda *args, **kwargs: tuple(broken(g) for g in tn.grad(*args, **kwargs)))
    assert part in caught(tn.exp, X)


def test_float32_gradient_that_is_not_near():
    def vjp(g, y):
        return g * y * (1.01 if g.dtype == np.float32 else 1)
    assert "in float32" in caught(op_with(lambda x: np.exp(x), vjp), X.astype(np.float32))


def test_mutated_input():
    def in_place(x):
        x *= 2
        return x.copy()
    assert "in_place writes into its argument x" in caught(op_with(in_place, lambda g: 2 * g), X.copy())


def test_vjp_that_writes():
    def into_x(g, x):
        x += g
        return g

    def into_g(g, x):
        g *= 2
        return g
    assert "writes into the argument x" in caught(op_with(lambda x: 1 * x, into_x), X.copy())
    assert "writes into the upstream gradient" in caught(op_with(lambda x: 2 * x, into_g), X)


@pytest.mark.parametrize("alias, other", [
    (lambda y, xs, u: (u, np.array(u)), "the upstream gradient"),
    (lambda y, xs, u: (np.array(u),) * 2, "the gradient by a"),
    (lambda y, xs, u: (np.array(u), xs[0].data), "shares memory with a"),
])
def test_aliased_gradient(monkeypatch, alias, other):
    monkeypatch.setattr(check, "grad", alias)
    assert other in caught(tn.add, X, X + 1)


def test_random_values():
    rng = np.random.default_rng(0)
    assert "different values" in caught(lambda x: x * rng.uniform(1.0, 2.0), X)


# --- kinks and edges ---------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 1e-9, -1e-5, check.CENTRAL_STEP / 9, 1e-4, 2e-4, 3.7e-4, -7e-4])
def test_kinks_are_skipped_and_reported(offset):
    report = check_gradients(tn.abs, np.array([1.0, offset, -2.0]))
    assert report.checked == 2 and report.skipped == [("x", (1,))]


def test_near_a_kink_is_not_at_it():
    assert check_gradients(tn.relu, np.array([1e-3, -1e-3])).skipped == []


def test_nothing_checked_is_an_error():
    with pytest.raises(NothingChecked, match="every element lies at a kink"):
        check_gradients(tn.relu, np.zeros(2))


def test_kink_does_not_hide_a_wrong_gradient():
    assert "index (1,)" in caught(op_with(lambda x: np.abs(x), lambda g, x: -g * tn.sign(x), analytic=False),
                                  np.array([0.0, 1.0]))


def test_not_finite():
    with np.errstate(all="ignore"):
        assert "not finite at or beside x[1] = 1e-05" in caught(lambda x: tn.abs(tn.log(x)), np.array([1.0, 1e-5]))


def test_refused_arguments():
    with pytest.raises(TypeError, match="at least one float array"):
        check_gradients(tn.exp, np.arange(3))
    with pytest.raises(ValueError, match="order is 3"):
        check_gradients(tn.exp, X, order=3)
    with pytest.raises(TypeError, match="returned a ndarray"):
        check_gradients(lambda x: x.data, X)


@pytest.mark.parametrize("f, n, names", [(tn.matmul, 2, ["a", "b"]), (lambda *xs: xs[0], 2, ["xs[0]", "xs[1]"]),
                                         (lambda x, *ws: x, 3, ["x", "ws[0]", "ws[1]"])])
def test_argument_names(f, n, names):
    assert check.argument_names(f, n) == names
