"""What holds between steps of the optimizers that remember an evaluation: it is used only where it still is true."""
import numpy as np
import pytest

import tinynn as tn
from tinynn import nn, optim
from tinynn.optim.bayesian_regularization import determined
from tinynn.optim.line_search import strong_wolfe

X = np.linspace(-1, 1, 20)[:, None]
Y = np.sin(3 * X)
SEARCHING = [optim.BFGS, optim.LBFGS, optim.ConjugateGradient]
SQUARES = [optim.LevenbergMarquardt, optim.BayesianRegularization]


def network(units=4):
    return nn.Sequential(nn.Linear(1, units, rng=0), nn.Tanh(), nn.Linear(units, 1, rng=1))


def closure_of(model, make):
    return (lambda: model(X) - Y) if make in SQUARES else lambda: nn.MSELoss()(model(X), Y)


def loss_of(model):
    return float(np.square(model(X).data - Y).mean())


@pytest.mark.parametrize("make", SEARCHING + SQUARES)
def test_another_optimizer_of_other_parameters_of_the_same_loss(make):
    model = network()
    closure = closure_of(model, make)
    first, second = (make(layer.parameters()) for layer in (model[0], model[2]))
    for _ in range(3):
        for optimizer in (first, second):
            before = loss_of(model)
            assert optimizer.step(closure) == pytest.approx(before, rel=1e-12)
            assert make in SQUARES[1:] or loss_of(model) <= before


@pytest.mark.parametrize("make", SEARCHING + SQUARES)
def test_values_that_were_changed_by_hand_are_seen(make):
    model = network()
    closure, optimizer = closure_of(model, make), make(model.parameters())
    optimizer.step(closure)
    model[2].bias.data[0] = 100                                             # in place, without a date
    before = loss_of(model)
    assert before > 5000 and optimizer.step(closure) == pytest.approx(before, rel=1e-12) and loss_of(model) < before
    bias = model[2].bias
    bias.requires_grad = False
    bias.data = [50.0]
    bias.requires_grad = True                                               # a new leaf, which never changed
    before = loss_of(model)
    assert optimizer.step(closure) == pytest.approx(before, rel=1e-12) and loss_of(model) < before


@pytest.mark.parametrize("make", SEARCHING + SQUARES)
@pytest.mark.parametrize("when", [2, 3, 4])
def test_ctrl_c_in_a_step_leaves_the_weights_where_they_were(make, when):
    model, calls = network(), []
    plain, optimizer = closure_of(model, make), make(model.parameters())
    optimizer.step(plain)

    def closure():
        calls.append(1)
        if len(calls) > when:
            raise KeyboardInterrupt
        return plain()
    for _ in range(20):
        w = optimizer.flat.w.copy()
        try:
            optimizer.step(closure)
        except KeyboardInterrupt:
            break
    assert len(calls) > when
    np.testing.assert_array_equal(optimizer.flat.w, w)


@pytest.mark.parametrize("make, options", [(SQUARES[0], {"min_grad": 1e-300}), (SQUARES[1], {"mu_max": 10})])
def test_steps_after_no_step_lowers_the_loss(make, options):
    model = network(3)
    closure, optimizer = closure_of(model, make), make(model.parameters(), **options)
    stops = []
    for _ in range(300):
        optimizer.step(closure)
        stops.append(optimizer.stop)
    assert any("mu above" in (stop or "") for stop in stops[:-1])


@pytest.mark.parametrize("make", SEARCHING)
def test_a_loss_that_contains_a_derivative(make):
    """u′ = −u with u(0) = 1, by a network: the loss holds du/dx, and training lowers it."""
    model = network()
    x = tn.Tensor(X, requires_grad=True)

    def closure():
        u = model(x)
        du, = tn.grad(tn.sum(u), [x], create_graph=True)
        return tn.mean((du + u) ** 2) + tn.sum((model(np.zeros((1, 1))) - 1) ** 2)
    optimizer, first = make(model.parameters()), closure().item()
    for _ in range(30):
        optimizer.step(closure)
    assert closure().item() < 0.05 * first


def test_validation_of_a_model_with_a_derivative_inside_is_refused_not_wrong():
    class Slope(nn.Module):
        def __init__(self):
            self.inner = network()

        def forward(self, x):
            x = tn.Tensor(x, requires_grad=True)
            return tn.grad(tn.sum(self.inner(x)), [x], create_graph=True)[0]
    model = Slope()
    tn.fit(model, X, Y, loss=nn.MSELoss(), optimizer=optim.Adam(model.parameters()), epochs=1, progress=False)
    with pytest.raises(RuntimeError, match="nothing is recorded under no_grad"):
        tn.evaluate(model, X, Y, nn.MSELoss())


def test_gamma_is_never_negative_and_exact_where_it_is_small():
    rng = np.random.default_rng(0)
    J = rng.standard_normal((8, 61))
    for scale, ratio in ((1e-8, 1.0), (1e-3, 1.0), (1.0, 1.0)):
        JtJ = scale ** 2 * J.T @ J
        exact = sum(v / (v + ratio) for v in scale ** 2 * np.linalg.svd(J, compute_uv=False) ** 2)
        assert determined(JtJ, ratio) == pytest.approx(exact, rel=1e-9, abs=0) and exact > 0


@pytest.mark.parametrize("make", [optim.Adam, *SEARCHING, optim.LevenbergMarquardt])
def test_a_parameter_that_was_frozen_at_first_is_not_forgotten_silently(make):
    model = network()
    for p in model[0].parameters():
        p.requires_grad = False
    optimizer, closure = make(model.parameters()), closure_of(model, make)
    optimizer.step(closure)
    model[0].weight.requires_grad = True
    with pytest.raises(RuntimeError, match="frozen when this optimizer was made"):
        optimizer.step(closure)


@pytest.mark.parametrize("make", [optim.Adam, *SEARCHING])
def test_closures_of_another_kind_are_told_what_to_return(make):
    model = network()
    optimizer, loss = make(model.parameters()), nn.MSELoss()

    def with_backward():
        value = loss(model(X), Y)
        value.backward()
        return value
    with pytest.raises(RuntimeError, match=r"closure\(\) has called backward.*must only return the loss"):
        optimizer.step(with_backward)
    with pytest.raises(TypeError, match=r"closure\(\) returned a tuple; expected a scalar Tensor"):
        optimizer.step(lambda: (loss(model(X), Y), model(X)))
    with pytest.raises(TypeError, match=r"closure\(\) returned a Tensor of shape \(20, 1\); expected a scalar"):
        optimizer.step(lambda: model(X) - Y)


def test_least_squares_are_told_too():
    model = network()
    optimizer = optim.LevenbergMarquardt(model.parameters())
    with pytest.raises(TypeError, match=r"closure\(\) returned a tuple; expected a Tensor of residuals"):
        optimizer.step(lambda: (model(X) - Y, model(X)))
    with pytest.raises(ValueError, match="residuals do not depend on any Tensor"):
        optimizer.step(lambda: model(X).detach() - Y + tn.Tensor(0.0))


def test_a_step_without_any_gradient_is_refused():
    model = network()
    optimizer = optim.AdamW(model.parameters())
    with pytest.raises(ValueError, match=r"no parameter has one: call backward\(\) first"):
        optimizer.step()
    model[2](np.ones((1, 4))).sum().backward()                              # those of one layer are enough
    optimizer.step()


def test_the_line_search_asks_no_more_often_than_it_may():
    for values in ((np.nan, np.nan), (1.0, 1.0), (-1.0, -1.0), (2.0, -1.0)):
        calls = []
        strong_wolfe(lambda alpha: calls.append(alpha) or values, 0.0, -1.0, 1.0, evaluations=30)
        assert len(calls) <= 30
