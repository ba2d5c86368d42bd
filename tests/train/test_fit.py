"""fit: one loop for every optimizer; early stopping, reasons, bad arguments."""
import time

import numpy as np
import pytest

import tinynn as tn
from tinynn import nn, optim
from tinynn.train.fit import batches
from tinynn.train.history import History

OPTIMIZERS = [optim.GD, optim.Momentum, optim.GDX, optim.Adagrad, optim.RMSprop, optim.Adadelta, optim.Adam, optim.AdamW,
              optim.ConjugateGradient, optim.BFGS, optim.LBFGS, optim.LevenbergMarquardt, optim.BayesianRegularization]


def problem(n=60):
    x = np.linspace(-1, 1, n)[:, None]
    return x, np.sin(3 * x)


def network(seed=0, units=8):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Linear(1, units, rng=rng), nn.Tanh(), nn.Linear(units, 1, rng=rng))


def run(model, optimizer, epochs=20, **more):
    x, y = problem()
    return tn.fit(model, x, y, loss=nn.MSELoss(), optimizer=optimizer, epochs=epochs, progress=False, **more)


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_every_optimizer_trains_in_the_same_loop(make):
    model = network()
    x, y = problem()
    history = run(model, make(model.parameters()), validation=(x, y))
    assert len(history.train_loss) == len(history.val_loss) == len(history.seconds) == 20
    assert history.train_loss[-1] < history.train_loss[0]
    assert history.stop_reason == "all epochs done"
    # val_loss is measured after the step, train_loss before the next one: on the same data they are one number
    np.testing.assert_allclose(history.train_loss[1:], history.val_loss[:-1], rtol=1e-12)
    assert all(len(values) == 20 for values in history.info.values())
    assert all(b >= a for a, b in zip(history.seconds, history.seconds[1:]))


def test_callbacks_time_is_not_training_s():
    model = network()
    history = run(model, optim.Adam(model.parameters()), epochs=3, callbacks=[lambda history: time.sleep(0.3)])
    assert history.seconds == sorted(history.seconds) and history.seconds[2] - history.seconds[0] < 0.3


def test_info_reports_what_the_optimizer_does():
    model = network()
    assert set(run(model, optim.BayesianRegularization(model.parameters())).info) == {
        "mu", "gradient_norm", "gamma", "alpha", "beta"}
    model = network()
    history = run(model, optim.Adam(model.parameters(), lr=optim.schedules.step(0.1, 10)))
    assert history.info["lr"][9:11] == [0.1, pytest.approx(0.01)]


def test_fit_equals_a_loop_by_hand():
    x, y = problem()
    one, other = network(), network()
    tn.fit(one, x, y, loss=nn.MSELoss(), optimizer=optim.Adam(one.parameters()), epochs=5, batch_size=16, rng=7,
           progress=False)
    optimizer, rng = optim.Adam(other.parameters()), np.random.default_rng(7)
    for _ in range(5):
        order = rng.permutation(60)
        for start in range(0, 60, 16):
            rows = order[start:start + 16]
            optimizer.step(lambda: nn.MSELoss()(other(x[rows]), y[rows]))
    assert all(np.array_equal(p.data, q.data) for p, q in zip(one.parameters(), other.parameters()))


def test_early_stopping_brings_the_best_weights_back():
    x, y = problem()
    rng = np.random.default_rng(0)
    x_val, y_val = x[::7], y[::7] + rng.standard_normal(y[::7].shape)            # noise: validation will rise
    model = network()
    history = tn.fit(model, x, y, loss=nn.MSELoss(), optimizer=optim.BFGS(model.parameters()), epochs=200,
                     validation=(x_val, y_val), patience=5, progress=False)
    assert history.stop_reason == "no better validation loss"
    assert len(history) == history.best_epoch + 6
    assert tn.evaluate(model, x_val, y_val, nn.MSELoss()) == min(history.val_loss) == history.val_loss[history.best_epoch]


def test_evaluation_leaves_the_mode_and_dropout_alone():
    model = nn.Sequential(nn.Linear(1, 8, rng=0), nn.Dropout(0.5, rng=0), nn.Linear(8, 1, rng=0))
    x, y = problem()
    assert len({tn.evaluate(model, x, y, nn.MSELoss()) for _ in range(3)}) == 1
    assert model.training
    np.testing.assert_allclose(tn.evaluate(model, x, y, nn.MSELoss(), 7), tn.evaluate(model, x, y, nn.MSELoss()))
    history = tn.fit(model, x, y, loss=nn.MSELoss(), optimizer=optim.Adam(model.parameters()), epochs=3,
                     validation=(x, y), progress=False)
    assert model.training and len(history.val_loss) == 3


def test_a_loss_that_is_not_finite_ends_training():
    model = network()
    with np.errstate(all="ignore"):
        history = run(model, optim.GD(model.parameters(), lr=1e12), epochs=500)
    assert history.stop_reason == "the loss is not finite" and len(history) < 500


def test_a_converged_optimizer_ends_training():
    model = nn.Linear(1, 1)
    history = tn.fit(model, [[0.0], [1.0]], [[1.0], [3.0]], loss=nn.MSELoss(), progress=False, epochs=100,
                     optimizer=optim.LevenbergMarquardt(model.parameters()))
    assert history.stop_reason == "gradient below 1e-07" and len(history) < 20


def test_callbacks_see_the_history_and_can_stop():
    model, seen = network(), []
    history = run(model, optim.GD(model.parameters()), callbacks=[lambda h: seen.append(len(h)), lambda h: len(h) == 4])
    assert seen == [1, 2, 3, 4] and history.stop_reason == "a callback asked to stop"


@pytest.mark.parametrize("make", [optim.Adam, optim.LevenbergMarquardt, optim.BFGS])
def test_ctrl_c_returns_what_there_is(make):
    model = network()

    def interrupt(history):
        if len(history) == 3:
            raise KeyboardInterrupt
    history = run(model, make(model.parameters()), callbacks=[interrupt])
    assert history.stop_reason == "interrupted" and len(history) == 3


def test_ctrl_c_in_a_line_search_leaves_the_last_epoch():
    model, calls = network(), [0]

    def loss(output, target):
        calls[0] += 1
        if calls[0] == 60:
            raise KeyboardInterrupt
        return nn.MSELoss()(output, target)
    x, y = problem()
    history = tn.fit(model, x, y, loss=loss, optimizer=optim.BFGS(model.parameters()), epochs=100, progress=False)
    reached = tn.evaluate(model, x, y, nn.MSELoss())
    assert history.stop_reason == "interrupted" and reached < history.train_loss[-1]


def test_float32_models_stay_float32():
    model = network().astype(np.float32)
    x, y = problem()
    tn.fit(model, x.astype(np.float32), y.astype(np.float32), loss=nn.MSELoss(), epochs=2, progress=False,
           optimizer=optim.LevenbergMarquardt(model.parameters()))
    assert all(p.dtype == np.float32 for p in model.parameters())


@pytest.mark.parametrize("change, error, message", [
    ({"x": np.ones((5, 1))}, ValueError, r"x has shape \(5, 1\)"),
    ({"x": np.ones((0, 1)), "y": np.ones((0, 1))}, ValueError, "at least one"),
    ({"epochs": -1}, ValueError, "epochs is -1"),
    ({"epochs": 2.5}, ValueError, "epochs is 2.5"),
    ({"batch_size": 0}, ValueError, "batch_size is 0"),
    ({"patience": 3}, ValueError, "validation"),
    ({"validation": (np.ones((3, 1)), np.ones((2, 1)))}, ValueError, "validation"),
    ({"rng": "seven", "batch_size": 5}, TypeError, "rng"),
])
def test_bad_arguments(change, error, message):
    model = network()
    x, y = problem()
    arguments = {"x": x, "y": y, "loss": nn.MSELoss(), "optimizer": optim.GD(model.parameters()), "epochs": 1,
                 "progress": False, **change}
    with pytest.raises(error, match=message):
        tn.fit(model, arguments.pop("x"), arguments.pop("y"), **arguments)


def test_least_squares_needs_mse_and_whole_batches():
    model = network()
    x, y = problem()
    with pytest.raises(TypeError, match="MSELoss"):
        tn.fit(model, x, y, loss=nn.L1Loss(), optimizer=optim.LevenbergMarquardt(model.parameters()), epochs=1)
    for make in (optim.LevenbergMarquardt, optim.BFGS, optim.GDX):
        with pytest.raises(ValueError, match="full batch"):
            tn.fit(model, x, y, loss=nn.MSELoss(), optimizer=make(model.parameters()), epochs=1, batch_size=10)


def test_the_optimizer_of_another_model_is_refused():
    with pytest.raises(ValueError, match="none of the model's parameters"):
        run(network(), optim.GD(network().parameters()))


@pytest.mark.parametrize("make", [optim.LevenbergMarquardt, optim.Adam])
def test_targets_of_another_shape_are_refused_by_every_optimizer(make):
    model = network()
    x, y = problem()
    with pytest.raises(ValueError, match=r"MSELoss: input has shape \(60, 1\), target has \(60,\)"):
        tn.fit(model, x, y[:, 0], loss=nn.MSELoss(), optimizer=make(model.parameters()), epochs=2, progress=False)


def test_least_squares_casts_the_targets_and_keeps_the_fast_jacobian():
    model = network().astype(np.float32)
    x, y = problem()
    optimizer = optim.LevenbergMarquardt(model.parameters())
    tn.fit(model, x.astype(np.float32), y, loss=nn.MSELoss(), optimizer=optimizer, epochs=3, progress=False)
    assert optimizer._trusted is not None


@pytest.mark.parametrize("make", [optim.GDX, optim.LBFGS, optim.LevenbergMarquardt])
def test_trial_steps_and_running_statistics_don_t_go_together(make):
    model = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    with pytest.raises(ValueError, match="running statistics"):
        run(model, make(model.parameters()))
    run(model, optim.Adam(model.parameters()), epochs=2)


@pytest.mark.parametrize("make", [optim.LevenbergMarquardt, optim.LBFGS, optim.Adam])
def test_layers_that_are_set_to_evaluation_stay_there(make):
    x = np.random.default_rng(0).standard_normal((20, 3))
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))
    model[1].eval()
    tn.fit(model, x, x[:, :1], loss=nn.MSELoss(), optimizer=make(model.parameters()), epochs=2, progress=False)
    assert model[1].num_batches_tracked == 0 and not model[1].training and model[0].training
    model.eval()
    tn.fit(model, x, x[:, :1], loss=nn.MSELoss(), optimizer=optim.Adam(model.parameters()), epochs=2, progress=False)
    assert model[1].num_batches_tracked == 2 and model[1].training


def test_an_interrupted_callback_leaves_the_epoch_that_is_done():
    x = np.linspace(-1, 1, 20)[:, None]
    model = nn.Linear(1, 1)

    def interrupt(history):
        if len(history) == 3:
            raise KeyboardInterrupt
    history = tn.fit(model, x, 3 * x, loss=nn.MSELoss(), optimizer=optim.GD(model.parameters(), lr=0.1), epochs=9,
                     validation=(x, 3 * x), callbacks=[interrupt], progress=False)
    assert tn.evaluate(model, x, 3 * x, nn.MSELoss()) == history.val_loss[-1]


def test_evaluate_gives_every_layer_its_mode_back():
    model = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    model[1].eval()
    tn.evaluate(model, *problem(), nn.MSELoss())
    assert model.training and not model[1].training


def test_a_first_epoch_of_nan_is_not_the_best():
    history = History()
    assert history.add(1.0, float("nan"), 0, {}) and history.add(1.0, 0.5, 0, {}) and not history.add(1.0, 0.6, 0, {})
    assert history.best_epoch == 1


def test_what_callbacks_append_has_one_entry_an_epoch():
    seen = []

    def note(history):
        history.info.setdefault("epoch", []).append(len(history))
        if len(history) == 3:
            history.info.setdefault("late", [None] * 2).append("here")
        history.info["text"] = "kept as it is"
        seen.append({name: len(values) for name, values in history.info.items() if isinstance(values, list)})
    model = network()
    history = run(model, optim.Adam(model.parameters()), 5, callbacks=[note])
    assert history.info["epoch"] == [1, 2, 3, 4, 5] and len(history.info["lr"]) == 5
    assert history.info["late"] == [None, None, "here", None] and history.info["text"] == "kept as it is"
    assert seen[0] == {"lr": 1, "epoch": 1} and seen[-1]["epoch"] == 5


@pytest.mark.parametrize("callbacks", [len, [len, 3], 5])
def test_callbacks_that_are_no_list_of_functions_are_refused_before_training(callbacks):
    model = network()
    before = model.state_dict()["0.weight"].copy()
    with pytest.raises(TypeError, match="callbacks is .*expected a list of functions"):
        run(model, optim.Adam(model.parameters()), 5, callbacks=callbacks)
    np.testing.assert_array_equal(model.state_dict()["0.weight"], before)


def test_callbacks_may_come_from_an_iterator():
    calls, model = [], network()
    run(model, optim.Adam(model.parameters()), 3, callbacks=map(lambda f: f, [calls.append]))
    assert len(calls) == 3


def test_lengths_that_differ_are_told():
    x, y = problem()
    model = network()
    with pytest.raises(ValueError, match=r"evaluate: x has shape \(2, 1\), y has \(60, 1\)"):
        tn.evaluate(model, x[:2], y, nn.MSELoss())
    with pytest.raises(ValueError, match="batches: x has 2 examples, y has 60"):
        next(batches(x[:2], y, 2, 0))
    for more in ({"y": None}, {"validation": (x, None)}, {"validation": (None, None)}):
        arguments = {"loss": nn.MSELoss(), "optimizer": optim.Adam(model.parameters()), "epochs": 1, "progress": False}
        with pytest.raises(ValueError, match="expected .*same number of examples, at least one"):
            tn.fit(model, x, more.pop("y", y), **arguments, **more)
