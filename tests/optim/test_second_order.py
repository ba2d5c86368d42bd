"""Line search, conjugate gradient, BFGS and L-BFGS, on the test functions of the optimization books, against SciPy."""
import numpy as np
import pytest
import scipy.optimize

import tinynn as tn
from tinynn import optim
from tinynn.optim.line_search import strong_wolfe


def rosenbrock(x):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def beale(x):
    return ((1.5 - x[0] + x[0] * x[1]) ** 2 + (2.25 - x[0] + x[0] * x[1] ** 2) ** 2
            + (2.625 - x[0] + x[0] * x[1] ** 3) ** 2)


def powell(x):
    return (x[0] + 10 * x[1]) ** 2 + 5 * (x[2] - x[3]) ** 2 + (x[1] - 2 * x[2]) ** 4 + 10 * (x[0] - x[3]) ** 4


def wood(x):
    return (100 * (x[0] ** 2 - x[1]) ** 2 + (x[0] - 1) ** 2 + (x[2] - 1) ** 2 + 90 * (x[2] ** 2 - x[3]) ** 2
            + 10.1 * ((x[1] - 1) ** 2 + (x[3] - 1) ** 2) + 19.8 * (x[1] - 1) * (x[3] - 1))


PROBLEMS = {
    "rosenbrock": (rosenbrock, [-1.2, 1.0], [1, 1]),
    "beale": (beale, [1.0, 1.0], [3, 0.5]),
    "powell": (powell, [3.0, -1.0, 0.0, 1.0], [0, 0, 0, 0]),
    "wood": (wood, [-3.0, -1.0, -3.0, -1.0], [1, 1, 1, 1]),
}


def minimise(make, f, start, **settings):
    """(w, evaluations, reason)."""
    w, count = tn.Tensor(np.array(start), requires_grad=True), [0]

    def closure():
        count[0] += 1
        return f(w)
    optimizer = make([w], **settings)
    for _ in range(5000):
        optimizer.step(closure)
        if optimizer.stop:
            break
    return w.data, count[0] - 1, optimizer.stop              # one evaluation checks that closure() repeats itself


def scipys(f, start, method, **options):
    def value_and_gradient(x):
        w = tn.Tensor(x, requires_grad=True)
        y = f(w)
        return y.item(), tn.grad(y, [w])[0]
    return scipy.optimize.minimize(value_and_gradient, start, jac=True, method=method, options=options)


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("make, method, options", [
    (optim.BFGS, "BFGS", {"gtol": 1e-6, "norm": 2}),
    (optim.LBFGS, "L-BFGS-B", {"gtol": 1e-6, "ftol": 0, "maxcor": 10}),
])
def test_same_minimum_as_scipy_in_as_few_evaluations(name, make, method, options):
    f, start, minimum = PROBLEMS[name]
    w, evaluations, reason = minimise(make, f, start, min_grad=1e-6)
    assert reason == "gradient below 1e-06"
    np.testing.assert_allclose(w, minimum, atol=0.01 if name == "powell" else 1e-5)     # Powell's Hessian is singular
    assert evaluations <= 1.2 * scipys(f, start, method, **options).nfev


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("beta", ["fletcher-reeves", "polak-ribiere"])
def test_conjugate_gradient_finds_the_minimum(name, beta):
    f, start, minimum = PROBLEMS[name]
    w, evaluations, reason = minimise(optim.ConjugateGradient, f, start, min_grad=1e-6, beta=beta)
    assert reason == "gradient below 1e-06"
    np.testing.assert_allclose(w, minimum, atol=0.01 if name == "powell" else 1e-5)
    assert evaluations <= 1.5 * scipys(f, start, "CG", gtol=1e-6, norm=2).nfev


@pytest.mark.parametrize("beta", ["fletcher-reeves", "polak-ribiere"])
def test_conjugate_gradient_solves_a_quadratic_in_n_steps(beta):
    rng = np.random.default_rng(0)
    B = rng.standard_normal((6, 6))
    A, b = B @ B.T + np.eye(6), rng.standard_normal(6)
    w = tn.Tensor(np.zeros(6), requires_grad=True)
    # With exact line searches the theory says n steps; c2 = 1e-6 makes them nearly exact.
    optimizer = optim.ConjugateGradient([w], beta=beta, c1=1e-8, c2=1e-6)
    for _ in range(6):
        optimizer.step(lambda: w @ (A @ w) / 2 - b @ w)
    np.testing.assert_allclose(w.data, np.linalg.solve(A, b), atol=1e-4)


@pytest.mark.parametrize("make", [optim.BFGS, optim.LBFGS, optim.ConjugateGradient, optim.GDX])
def test_the_loss_never_rises_and_is_the_one_before_the_step(make):
    w = tn.Tensor(np.array([-1.2, 1.0]), requires_grad=True)
    optimizer = make([w])

    def closure():
        return rosenbrock(w)
    losses = []
    for _ in range(30):
        now = closure().item()
        assert optimizer.step(closure) == now
        losses.append(now)
    factor = 1.04 if make is optim.GDX else 1.0                # GDX may rise a little, on purpose
    assert all(b <= factor * a for a, b in zip(losses, losses[1:]))


@pytest.mark.parametrize("phi, guess", [
    (lambda a: ((a - 3) ** 2, 2 * (a - 3)), 1e-3),
    (lambda a: ((a - 3) ** 2, 2 * (a - 3)), 100.0),
    (lambda a: (-a / (a * a + 2), (a * a - 2) / (a * a + 2) ** 2), 10.0),                      # Moré & Thuente 1994, (5.1)
    (lambda a: (a - np.log(a + 1e-3), 1 - 1 / (a + 1e-3)), 1e-2),
    (lambda a: (np.nan, np.nan) if a > 2 else (-a * (3 - a), 2 * a - 3), 50.0),                # undefined beyond 2
])
def test_strong_wolfe_conditions_hold(phi, guess):
    f0, slope0 = phi(0.0)
    for c1, c2 in ((1e-4, 0.9), (1e-4, 0.1)):
        alpha = strong_wolfe(phi, f0, slope0, guess, c1, c2)
        f, slope = phi(alpha)
        assert f <= f0 + c1 * alpha * slope0 and abs(slope) <= c2 * abs(slope0)


def test_a_loss_without_a_minimum_stops_with_a_reason():
    w = tn.Tensor([1.0], requires_grad=True)
    for make in (optim.BFGS, optim.LBFGS, optim.ConjugateGradient):
        w.data = [1.0]
        optimizer = make([w])
        for _ in range(100):
            optimizer.step(lambda: -w.sum())
            if optimizer.stop:
                break
        assert optimizer.stop and np.isfinite(w.data).all()


def test_a_wrong_gradient_stops_the_search_where_it_began():
    @tn.op
    def lying(x):
        return x * x

    @lying.vjp
    def _(g, x):
        return -2 * g * x
    w = tn.Tensor([1.0], requires_grad=True)
    optimizer = optim.BFGS([w])
    optimizer.step(lambda: lying(w).sum())
    assert "line search" in optimizer.stop and w.data[0] == 1.0


def test_a_loss_that_is_not_finite_is_reported():
    w = tn.Tensor([1.0], requires_grad=True)
    for make in (optim.BFGS, optim.GDX):
        optimizer = make([w])
        with np.errstate(all="ignore"):
            optimizer.step(lambda: w.sum() * np.nan)
        assert "not finite" in optimizer.stop


def test_a_closure_that_changes_is_refused():
    w, rng = tn.Tensor(np.ones(3), requires_grad=True), np.random.default_rng(0)
    with pytest.raises(ValueError, match="dropout"):
        optim.BFGS([w]).step(lambda: (w * rng.random(3)).sum())
    with pytest.raises(ValueError, match="dropout"):
        optim.LevenbergMarquardt([w]).step(lambda: w * rng.random(3))


def test_a_new_closure_or_new_values_are_not_taken_for_the_old():
    w = tn.Tensor([1.0], requires_grad=True)
    optimizer = optim.BFGS([w])
    optimizer.step(lambda: (w * w).sum())
    assert optimizer.step(lambda: (w * w).sum() + 5) >= 5

    def closure():
        return (w * w).sum()
    optimizer.step(closure)
    w.data = [3.0]
    assert optimizer.step(closure) == 9


@pytest.mark.parametrize("make", [optim.BFGS, optim.LBFGS, optim.ConjugateGradient, optim.GDX])
def test_what_the_caller_does_to_grad_between_steps_does_not_matter(make):
    def run(touch):
        w, losses = tn.Tensor(np.array([-1.2, 1.0]), requires_grad=True), []
        optimizer = make([w])

        def closure():
            return rosenbrock(w)
        for _ in range(6):
            losses.append(optimizer.step(closure))
            touch(w.grad)
        return losses, optimizer.stop
    assert run(lambda g: g.fill(0)) == run(lambda g: None)
