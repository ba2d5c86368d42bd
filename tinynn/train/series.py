"""Time series: windows to learn from, closed-loop forecasts, their errors, and folds that do not leak.

    x, y = windows(series, lag=30)                          # learn y, the next value, from the 30 values before it
    tn.fit(model, x, y[:, None], ...)
    forecast(model, series[None, -30:], steps=100)          # then let the model eat its own predictions

Everything is oldest first: x[i] = series[i:i + lag] and y[i] = series[i + lag]. An index wrong by one is the classical
mistake here, and the scores look plausible; on the series x_t = t it shows at once: tests/train/test_series.py.
"""
from contextlib import nullcontext

import numpy as np

from ..arguments import check_count
from ..autograd.settings import no_grad
from ..autograd.tensor import as_array
from ..nn import Module
from ..nn.module import evaluating
from ..scaling import as_finite_floats


def windows(series, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Every window of `lag` values and the value after it: x (n, lag), y (n,), n = len(series) − lag.

    series: (T,), finite, T > lag. lag: at least 1.
    """
    series = as_finite_floats("windows (series)", series)
    if series.ndim != 1:
        raise ValueError(f"windows: series has shape {series.shape}; expected (T,); take one column, or .ravel()")
    check_count("windows: lag", lag)
    if len(series) <= lag:
        raise ValueError(f"windows: series has {len(series)} values and lag is {lag}; expected more values than lag, as "
                         "a window needs a value after it; use a smaller lag")
    n = len(series) - lag
    return np.lib.stride_tricks.sliding_window_view(series, lag)[:n].copy(), series[lag:].copy()      # (n, lag), (n,)


def forecast(model, start, steps: int, low=None, high=None, recurrent=False, state=None) -> np.ndarray:
    """Closed loop: predict a value, append it to the window, drop the oldest, and again; returns (M, steps).

    model: a Module or a function, in evaluation mode here; takes M windows (M, lag) and returns M values (M, 1).
    start: (M, lag), the windows before the forecasts, oldest value first, in the model's units.
    low, high: predictions are clipped to [low, high] *before* they are fed back and returned; None: no bound. A model has
        not learned what to do outside the range of its training data, and a forecast that leaves it rarely returns.
        A forecast that blows up nevertheless ends in infinities or NaN.
    recurrent: True feeds the windows as sequences (M, lag, 1), each from a fresh state, as in training.
    state: for a model that reads a window as *one* step of a longer sequence and carries its state from step to step, the
        state before it reads `start`; model((M, 1, lag), state) returns (M, 1, 1) and the next state. Default: none.
    """
    window = as_finite_floats("forecast (start)", start)
    if window.ndim != 2 or 0 in window.shape:
        raise ValueError(f"forecast: start has shape {window.shape}; expected (M, lag), M windows; for one, window[None]")
    check_count("forecast: steps", steps)
    low, high = -np.inf if low is None else float(low), np.inf if high is None else float(high)
    if not low < high:
        raise ValueError(f"forecast: low is {low}, high is {high}; expected low < high; the range of the training data, say")
    M, predictions = len(window), []
    with evaluating(model) if isinstance(model, Module) else nullcontext(), no_grad(), \
            np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            if state is None:
                y = as_array(model(window[:, :, None] if recurrent else window))    # (M, lag) or (M, lag, 1) -> (M, 1)
            else:
                y, state = model(window[:, None], state)                            # (M, 1, lag) -> (M, 1, 1)
                y = as_array(y)[:, 0]                                               # (M, 1, 1) -> (M, 1)
            if y.shape != (M, 1):
                raise ValueError(f"forecast: the model made {y.shape} of {M} windows; expected ({M}, 1), one value for "
                                 "each; of a recurrent layer's outputs, pass the last one to a Linear(units, 1)")
            y = np.clip(y, low, high)
            predictions.append(y)
            window = np.concatenate([window[:, 1:], y], axis=1)                 # (M, lag - 1), (M, 1) -> (M, lag)
    return np.concatenate(predictions, axis=1)                                      # steps × (M, 1) -> (M, steps)


def mse(truth, prediction):
    """The mean squared error along the last axis, inf for a forecast that blew up.

    truth: (steps,) or (M, steps), finite. prediction: (steps,) -> a float, or (M, steps) -> (M,).
    """
    truth, prediction = checked("mse", truth, prediction)
    return worst_if_nan(np.mean(squares(truth, prediction), axis=-1))


def nmse(truth, prediction):
    """MSE ÷ variance of the true values: 1 is what their mean would score, 0 is perfect. Shapes as for `mse`.

    The variance is of the values forecast, not of the training data: state which when you compare.
    """
    truth, prediction = checked("nmse", truth, prediction)
    if np.any(np.ptp(truth, axis=-1) == 0):
        raise ValueError("nmse: truth is constant, so its variance is 0; use mse")
    return worst_if_nan(np.mean(squares(truth, prediction), axis=-1) / np.var(truth, axis=-1))


def horizon(truth, prediction, threshold: float):
    """How many steps are forecast before |error| first exceeds the threshold; all of them if it never does.

    threshold: > 0, in the units of the series. Shapes as for `mse`; an int, or ints (M,).
    """
    truth, prediction = checked("horizon", truth, prediction)
    if not threshold > 0:
        raise ValueError(f"horizon: threshold is {threshold}; expected a number > 0, as half a standard deviation")
    lost = ~(squares(truth, prediction) <= threshold**2)                            # NaN is lost, too
    steps = np.where(lost.any(axis=-1), lost.argmax(axis=-1), lost.shape[-1])
    return steps if steps.ndim else int(steps)


def hold_out(n: int, start: int, stop: int, gap: int) -> tuple[np.ndarray, np.ndarray]:
    """Of n windows in order: (train, validation), index arrays; start to stop − 1 validate, and `gap` on either side rest.

    Windows of `lag` values and a target share a value with the `lag` windows before them and the `lag` after them: with
    gap = lag, training has seen no value of the validation windows. With `k_fold`'s shuffled folds it has seen nearly all.
    """
    for argument, value, least in (("n", n, 1), ("start", start, 0), ("stop", stop, 0), ("gap", gap, 0)):
        check_count(f"hold_out: {argument}", value, least)
    rows = np.arange(n)
    train, validation = rows[(rows < start - gap) | (rows >= stop + gap)], rows[start:stop]
    if stop > n or not len(train) or not len(validation):
        raise ValueError(f"hold_out: of {n} windows, {start} to {stop} - 1 and a gap of {gap} leave {len(train)} to train and "
                         f"{len(validation)} to validate; expected some of each, and stop up to {n}; use a longer series, or "
                         "a smaller block or gap")
    return train, validation


def blocked_folds(n: int, folds: int, gap: int) -> list:
    """`folds` pairs (train, validation), as from `hold_out`, over n windows in order; each window validates once."""
    check_count("blocked_folds: n", n)
    check_count("blocked_folds: folds", folds, least=2)
    edges = np.linspace(0, n, folds + 1).astype(int)
    return [hold_out(n, start, stop, gap) for start, stop in zip(edges[:-1], edges[1:])]


def squares(truth, prediction):
    """The squared errors."""
    with np.errstate(over="ignore", invalid="ignore"):
        return (prediction - truth) ** 2


def worst_if_nan(error):
    """inf for NaN: worse than any number, in a median as in a minimum; a float if it is one number."""
    error = np.where(np.isnan(error), np.inf, error)
    return error if error.ndim else float(error)


def checked(name, truth, prediction) -> tuple:
    """Both as arrays of floats, if their steps agree; the prediction may have blown up, the truth may not."""
    truth, prediction = as_finite_floats(f"{name} (truth)", truth), np.asarray(as_array(prediction), float)
    fits = truth.ndim and prediction.ndim >= truth.ndim and prediction.shape[-truth.ndim:] == truth.shape
    if not fits or truth.size == 0:
        raise ValueError(f"{name}: truth has shape {truth.shape}, prediction {prediction.shape}; expected (steps,) and "
                         "(steps,) or (M, steps), at least one step; use .ravel() on a column")
    return truth, prediction
