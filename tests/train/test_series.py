"""Time series: every off-by-one shows on x_t = t; folds share no value; forecasts clip, diverge and refuse as they say."""
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynn as tn
from tinynn import nn
from tinynn.train import blocked_folds, forecast, hold_out, horizon, mse, nmse, windows

LINE = np.arange(20.0)                                          # x_t = t: a value says where it comes from


def next_value(window):
    """What continues x_t = t, if the newest value is the last in the window."""
    return window[:, -1:] + 1


def test_windows_of_a_line_are_where_they_should_be():
    x, y = windows(LINE, 5)
    assert x.shape == (15, 5) and y.shape == (15,)
    for i in range(15):
        assert list(x[i]) == [i, i + 1, i + 2, i + 3, i + 4] and y[i] == i + 5
    assert x[-1, -1] == 18 and y[-1] == 19                      # the last value is a target, not an input


def test_the_forecast_of_a_line_goes_on_with_the_line():
    assert np.array_equal(forecast(next_value, LINE[None, -5:], 3), [[20, 21, 22]])
    x, _ = windows(LINE, 5)
    starts = [0, 7, 12]
    assert np.array_equal(forecast(next_value, x[starts], 3), [[5, 6, 7], [12, 13, 14], [17, 18, 19]])


def test_the_window_moves_by_one_and_stays_in_order():
    seen = []
    forecast(lambda window: seen.append(window.copy()) or next_value(window), LINE[None, :4], 3)
    assert np.array_equal(np.concatenate(seen), [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]])


def test_the_oldest_value_leaves_first():
    assert np.array_equal(forecast(lambda window: window[:, :1], LINE[None, :3], 5), [[0, 1, 2, 0, 1]])


def test_windows_do_not_change_with_the_series():
    series = LINE.copy()
    x, y = windows(series, 5)
    series[:] = -1
    assert x[0, 0] == 0 and y[0] == 5


def test_a_recurrent_model_gets_sequences_of_one_feature():
    def last_plus_one(sequence):
        assert sequence.shape == (2, 5, 1)
        return sequence[:, -1] + 1
    x, _ = windows(LINE, 5)
    assert np.array_equal(forecast(last_plus_one, x[[0, 10]], 2, recurrent=True), [[5, 6], [15, 16]])


def test_a_state_is_carried_from_step_to_step():
    """Each window is one step of a longer sequence; this "model" adds its state, the number of steps so far."""
    def model(x, state):
        assert x.shape == (2, 1, 3)
        return x[:, :, -1:] + state, state + 1
    start = np.array([[0, 0, 1], [0, 0, 2]])
    assert np.array_equal(forecast(model, start, 3, state=10), [[11, 22, 34], [12, 23, 35]])


def test_a_module_forecasts_in_evaluation_mode_without_a_graph():
    model = nn.Sequential(nn.Linear(3, 1, bias=False), nn.Dropout(0.9))
    model[0].weight.data = np.array([[0.0, -1.0, 2.0]])         # x_t = 2 x_{t-1} - x_{t-2}: continues every line
    assert np.allclose(forecast(model, [[0.0, 1, 2], [4, 2, 0]], 4), [[3, 4, 5, 6], [-2, -4, -6, -8]])
    assert all(module.training for module in model.modules())
    model[0].eval()
    forecast(model, LINE[None, :3], 1)
    assert model.training and not model[0].training             # every layer is left as it was


def test_the_feedback_is_clipped_not_just_the_result():
    def double(window):
        return 2 * window[:, -1:]
    assert np.array_equal(forecast(double, [[1.0]], 4), [[2, 4, 8, 16]])
    assert np.array_equal(forecast(double, [[1.0]], 4, high=5), [[2, 4, 5, 5]])
    assert np.array_equal(forecast(lambda w: w[:, -1:] - 3, [[1.0]], 3, low=-4), [[-2, -4, -4]])
    assert np.array_equal(forecast(lambda w: 10 - w[:, -1:], [[8.0]], 3, low=3, high=6), [[3, 6, 4]])    # unclipped: 2, 8, 2


def test_an_explosion_ends_in_infinities_and_counts_as_the_worst():
    blown = forecast(lambda window: window[:, -1:] ** 3 * [[1.0], [-1.0]] - window[:, :1], np.full((2, 2), 1e10), 60)
    assert not np.isfinite(blown[:, -1]).any()
    assert np.array_equal(mse(np.arange(60.0), blown), [np.inf, np.inf])
    assert np.array_equal(nmse(np.arange(60.0), blown), [np.inf, np.inf])
    assert np.all(horizon(np.arange(60.0), blown, 1e3) < 60)


def test_a_float32_model_forecasts_in_float32():
    model = nn.Linear(3, 1).astype(np.float32)
    assert forecast(model, LINE[None, :3].astype(np.float32), 2, np.float64(-1), np.float64(1)).dtype == np.float32


def test_the_errors_by_hand():
    truth = np.array([0.0, 2, 4, 6])                            # variance 5
    assert mse(truth, truth) == 0 and nmse(truth, truth + 1) == pytest.approx(1 / 5)
    assert nmse(truth, np.full(4, truth.mean())) == pytest.approx(1)
    several = np.stack([truth, truth + 1, truth + [0, 0, 2, 0]])
    assert mse(truth, several) == pytest.approx([0, 1, 1]) and nmse(truth, several) == pytest.approx([0, 0.2, 0.2])
    assert nmse(several, several + 1) == pytest.approx(1 / np.var(several, axis=1))
    assert isinstance(mse(truth, truth), float) and isinstance(horizon(truth, truth, 1), int)
    assert mse(truth, tn.Tensor(truth)) == 0


def test_the_horizon_counts_the_steps_before_the_first_large_error():
    truth = np.zeros(5)
    assert horizon(truth, [0.5, 0.5, -0.6, 0, 0], 0.5) == 2     # an error of just the threshold does not exceed it
    assert horizon(truth, [9.0, 0, 0, 0, 0], 0.5) == 0
    assert horizon(truth, [0.1] * 5, 0.5) == 5
    assert horizon(truth, [0, np.nan, 0, 0, 0], 0.5) == 1
    assert np.array_equal(horizon(truth, [[0, 0, 1, 0, 0], [0] * 5], 0.5), [2, 5])


@given(st.integers(1, 12), st.integers(2, 6), st.integers(0, 40))
def test_training_and_validation_windows_share_no_value(lag, folds, more):
    x, y = windows(np.arange(4.0 * lag + 3 * folds + more), lag)
    cover = np.column_stack([x, y])                             # (n, lag + 1): x_t = t, so these are positions in time
    validated = []
    for train, validation in blocked_folds(len(x), folds, gap=lag):
        assert len(train) and not np.intersect1d(cover[train], cover[validation]).size
        assert np.all(np.diff(validation) == 1)                 # contiguous, so that a forecast can run through it
        left_out = np.setdiff1d(np.arange(len(x)), np.concatenate([train, validation]))
        assert len(left_out) <= 2 * lag                         # and no more is left out than that takes
        validated += list(validation)
    assert validated == list(range(len(x)))


def test_a_block_is_held_out_with_its_gaps():
    train, validation = hold_out(10, 4, 6, gap=2)
    assert list(train) == [0, 1, 8, 9] and list(validation) == [4, 5]
    assert list(hold_out(10, 7, 10, gap=1)[0]) == [0, 1, 2, 3, 4, 5]            # at an end, there is one gap


def test_a_gap_smaller_by_one_leaks():
    x, y = windows(np.arange(60.0), 5)
    cover = np.column_stack([x, y])
    leaks = [np.intersect1d(cover[train], cover[validation]).size for train, validation in blocked_folds(len(x), 3, gap=4)]
    assert all(leaks)


@pytest.mark.parametrize("call, message", [
    (lambda: windows(LINE, 20), "series has 20 values and lag is 20; expected more values than lag"),
    (lambda: windows(LINE, 0), "lag is 0; expected an int >= 1"),
    (lambda: windows(LINE, 2.5), "lag is 2.5"),
    (lambda: windows(LINE[:, None], 5), "series has shape (20, 1); expected (T,)"),
    (lambda: windows([0, np.nan, 2], 1), "windows (series): x[1] is nan"),
    (lambda: forecast(next_value, LINE, 3), "start has shape (20,); expected (M, lag), M windows; for one, window[None]"),
    (lambda: forecast(next_value, LINE[None], 0), "steps is 0; expected an int >= 1"),
    (lambda: forecast(next_value, LINE[None] / 0 * 0, 1), "forecast (start): x[0, 0] is nan"),
    (lambda: forecast(next_value, LINE[None], 3, low=1, high=0), "low is 1.0, high is 0.0; expected low < high"),
    (lambda: forecast(lambda w: w, LINE[None], 3), "the model made (1, 20) of 1 windows; expected (1, 1)"),
    (lambda: mse(LINE, LINE[:, None]), "truth has shape (20,), prediction (20, 1)"),
    (lambda: mse(LINE, LINE[1:]), "truth has shape (20,), prediction (19,)"),
    (lambda: mse([], []), "at least one step"),
    (lambda: mse([np.inf], [0]), "mse (truth): x[0] is inf"),
    (lambda: nmse(np.ones(3), np.zeros(3)), "its variance is 0; use mse"),
    (lambda: horizon(LINE, LINE, 0), "threshold is 0; expected a number > 0"),
    (lambda: blocked_folds(10, 1, 0), "folds is 1; expected an int >= 2"),
    (lambda: blocked_folds(10, 2, -1), "gap is -1; expected an int >= 0"),
    (lambda: blocked_folds(10, 2, 5), "of 10 windows, 0 to 5 - 1 and a gap of 5 leave 0 to train and 5 to validate"),
    (lambda: blocked_folds(3, 5, 0), "0 to validate"),
    (lambda: hold_out(10, 8, 11, 0), "stop up to 10"),
    (lambda: hold_out(10, 2.0, 5, 0), "start is 2.0; expected an int >= 0"),
])
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=re.escape(message)), np.errstate(all="ignore"):
        call()


def test_a_window_of_another_length_than_the_model_s_is_refused_by_the_model():
    with pytest.raises(ValueError, match="5"):
        forecast(nn.Linear(5, 1), LINE[None, :4], 1)


@pytest.mark.parametrize("value", [0.1, 0.3, 1.0])
def test_a_constant_truth_has_no_variance_whatever_rounding_says(value):
    with pytest.raises(ValueError, match="truth is constant"):
        nmse(np.full(3, value), np.full(3, 1.1 * value))
