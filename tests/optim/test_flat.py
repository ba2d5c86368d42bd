"""Parameters as views of one vector: who shares it, who notices when it has moved."""
import numpy as np
import pytest

import tinynn as tn
from tinynn import optim


def parameters():
    return [tn.Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True), tn.Tensor([1.0, 2.0], requires_grad=True)]


def total(params):
    return lambda: sum((p * p).sum() for p in params)


def test_parameters_become_views_and_keep_their_values():
    params = parameters()
    optimizer = optim.GD(params)
    assert np.array_equal(optimizer.flat.w, [0, 1, 2, 3, 4, 5, 1, 2])
    optimizer.flat.w[0] = 7
    assert params[0].data[0, 0] == 7


def test_a_second_optimizer_of_the_same_parameters_shares_the_vector():
    params = parameters()
    first, second = optim.GD(params, lr=0.1), optim.Adam(params)
    assert first.flat.w is second.flat.w
    before = params[0].data.copy()
    first.step(total(params))
    np.testing.assert_allclose(params[0].data, 0.8 * before)


def test_an_optimizer_whose_parameters_were_taken_over_says_so():
    params = parameters()
    first = optim.GD(params)
    optim.GD(params[:1])
    with pytest.raises(RuntimeError, match="another optimizer"):
        first.step(total(params))


def test_data_are_copied_in_so_that_the_vector_sees_them():
    params = parameters()
    optimizer = optim.GD(params)
    params[1].data = [5.0, 6.0]
    assert np.array_equal(optimizer.flat.w[-2:], [5, 6])


def test_tied_parameters_count_once_and_frozen_ones_not():
    a, b = parameters()
    frozen = tn.Tensor([3.0], requires_grad=True)
    frozen.requires_grad = False
    assert optim.GD([a, a, b, frozen]).flat.w.size == 8


def test_gradients_are_left_in_grad_and_replaced():
    params = parameters()
    optimizer = optim.GD(params, lr=0.1)
    for _ in range(2):
        before = params[1].data.copy()
        optimizer.step(total(params))
        np.testing.assert_allclose(params[1].grad, 2 * before)


def test_a_step_between_forward_and_backward_is_noticed():
    params = parameters()
    optimizer = optim.GD(params)
    loss = total(params)()
    optimizer.step(total(params))
    with pytest.raises(RuntimeError, match="changed since"):
        loss.backward()


def test_clip_norm_shortens_the_gradient():
    w = tn.Tensor([3.0, 4.0], requires_grad=True)
    optim.GD([w], lr=1.0, clip_norm=1.0).step(lambda: (w * w).sum() / 2)       # gradient (3, 4), length 5
    np.testing.assert_allclose(w.data, [3 - 0.6, 4 - 0.8])


def test_schedules():
    s = optim.schedules
    assert [s.step(1.0, 2, 0.5)(e) for e in range(5)] == [1, 1, 0.5, 0.5, 0.25]
    assert [round(s.cosine(1.0, 4)(e), 6) for e in range(6)] == [1, 0.853553, 0.5, 0.146447, 0, 0]
    assert s.warmup(s.exponential(1.0, 0.5), 2)(0) == 0.5
    w = tn.Tensor([1.0], requires_grad=True)
    optimizer = optim.GD([w], lr=s.step(0.5, 1, 0.5))
    optimizer.step(lambda: w.sum())
    optimizer.epoch = 1
    optimizer.step(lambda: w.sum())
    assert w.data[0] == 1 - 0.5 - 0.25


@pytest.mark.parametrize("make, message", [
    (lambda: optim.GD([]), "nothing to train"),
    (lambda: optim.GD(tn.Tensor([1.0], requires_grad=True)), "list"),
    (lambda: optim.GD([np.ones(3)]), "not a leaf"),
    (lambda: optim.GD(parameters(), lr=0), "lr is 0"),
    (lambda: optim.GD(parameters(), lr=float("nan")), "lr is nan"),
    (lambda: optim.Momentum(parameters(), mc=1.0), "mc is 1.0"),
    (lambda: optim.Adam(parameters(), betas=(0.9, 1.0)), r"betas\[1\]"),
    (lambda: optim.AdamW(parameters(), weight_decay=-1), "weight_decay"),
    (lambda: optim.BFGS(parameters(), c1=0.9, c2=0.1), "c1"),
    (lambda: optim.LBFGS(parameters(), history=0), "history"),
    (lambda: optim.ConjugateGradient(parameters(), beta="hestenes"), "fletcher-reeves"),
    (lambda: optim.ConjugateGradient(parameters(), c2=0.6), "c2"),
    (lambda: optim.LevenbergMarquardt(parameters(), mu=-1), "mu is -1"),
])
def test_bad_settings(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_mixed_dtypes():
    a = tn.Tensor(np.ones(2, np.float32), requires_grad=True)
    with pytest.raises(TypeError, match="float32, float64|float64, float32"):
        optim.GD([a, parameters()[1]])


def test_a_closure_that_is_not_a_loss():
    params = parameters()
    for make in (optim.GD, optim.BFGS):
        with pytest.raises(TypeError, match="scalar"):
            make(params).step(lambda: params[0] * 2)
    with pytest.raises(TypeError, match="residuals"):
        optim.LevenbergMarquardt(params).step(total(params))


@pytest.mark.parametrize("make", [optim.Adam, optim.LBFGS, optim.BFGS])
def test_the_state_of_another_size_is_refused(make):
    """Numba loops don't look at sizes: they would write beyond the end."""
    large, small = make([tn.Tensor(np.ones(1000), requires_grad=True)]), make([tn.Tensor(np.ones(3), requires_grad=True)])
    large.step(total(large.flat.params))
    with pytest.raises(ValueError, match="the optimizer has 3 parameters"):
        small.load_state_dict(large.state_dict())


def test_numpy_numbers_are_part_of_the_state():
    assert optim.GDX(parameters(), lr=np.float32(0.5)).state_dict()["lr"] == 0.5


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_adam_without_momentum_and_with_nan(backend):
    with tn.kernels.use(backend):
        w = tn.Tensor(np.ones(2), requires_grad=True)
        optimizer = optim.Adam([w], lr=0.1, betas=(0.0, 0.999))
        optimizer.step(lambda: (w * w).sum())
        assert w.data == pytest.approx([0.9, 0.9])
        w.grad = np.array([1.0, np.nan])
        optimizer.step()
        assert np.isfinite(w.data[0]) and np.isnan(w.data[1])


@pytest.mark.parametrize("make", [optim.Adam, optim.RMSprop, optim.Adagrad, optim.Adadelta])
def test_an_eps_that_is_0_in_the_dtype_of_the_parameters_is_refused(make):
    w = tn.Tensor(np.ones(2, np.float32), requires_grad=True)
    with pytest.raises(ValueError, match="eps is 1e-46, which is 0 in float32"):
        make([w], eps=1e-46)
    make([tn.Tensor(np.ones(2), requires_grad=True)], eps=1e-46)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("eps", [1e-8, 1e-16, 1e-30])
def test_adam_never_moves_further_than_its_rate_allows(eps, backend):
    """Also where the gradient's square is too small to be kept, and its mean is not."""
    with tn.kernels.use(backend):
        w = tn.Tensor(np.zeros(3), requires_grad=True)
        optimizer = optim.Adam([w], lr=1e-3, eps=eps)
        for _ in range(5):
            w.grad = np.array([1e-14, -3e-16, 1e-20])
            optimizer.step()
    assert np.abs(w.data).max() <= 5.1e-3


def test_clip_norm_of_squares_beyond_float32():
    w = tn.Tensor(np.ones(2, np.float32), requires_grad=True)
    optim.GD([w], lr=1.0, clip_norm=1.0).step(lambda: (w * np.float32(1e25)).sum())
    assert w.data == pytest.approx(1 - 0.5 ** 0.5, abs=1e-6)


def test_a_loss_without_a_graph_and_a_model_for_its_parameters():
    w = tn.Tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match="the loss does not depend on any Tensor"):
        optim.GD([w]).step(lambda: tn.Tensor((w.data ** 2).sum()))
    with pytest.raises(TypeError, match=r"params is a Linear; expected a list of Tensors, such as model.parameters\(\)"):
        optim.GD(tn.nn.Linear(1, 1))


def test_gdx_with_negative_losses():
    w = tn.Tensor([0.0], requires_grad=True)
    optimizer = optim.GDX([w], lr=0.1)
    for _ in range(200):
        loss = optimizer.step(lambda: ((w - 2) ** 2).sum() - 100)
    assert loss == pytest.approx(-100, abs=1e-3)


def test_a_state_that_a_checkpoint_would_lose_is_refused():
    class Remembers(optim.GD):
        def __init__(self, params):
            super().__init__(params)
            self.past, self._cache = [], {}
    with pytest.raises(TypeError, match="Remembers.past is a list, which a checkpoint would lose"):
        Remembers(parameters()).state_dict()
