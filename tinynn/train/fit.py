"""fit: one training loop for every optimizer, with validation, early stopping, checkpoints and a progress bar.

The loop itself is short; by hand it reads

    for optimizer.epoch in range(epochs):
        for xb, yb in batches(x, y, size, rng):
            optimizer.step(lambda: loss(model(xb), yb))             # LM and BR want residuals: lambda: model(xb) - yb

Read checkpoint.py next, or sweep.py for running many of these side by side.
"""
import math
import time
from functools import partial

import numpy as np

from ..arguments import check_count
from ..autograd.settings import default_rng, no_grad
from ..autograd.tensor import as_array
from ..nn import MSELoss
from ..nn.losses import compared
from ..nn.module import evaluating, train_unless_set
from ..optim import LevenbergMarquardt
from ..optim.descent import Descent
from .checkpoint import Checkpoint
from .history import History


def batches(x, y, size=None, rng=None):
    """Yield (x, y) in pieces of `size` examples, in a new random order; None: all at once, in their own order.

    ValueError: x and y have not the same number of examples.
    """
    if len(x) != len(y):
        raise ValueError(f"batches: x has {len(x)} examples, y has {len(y)}; expected the same number")
    if size is None:
        yield x, y
        return
    check_count("batches: size", size)
    size, order = int(size), default_rng(rng).permutation(len(x))
    for start in range(0, len(x), size):
        rows = order[start:start + size]
        yield x[rows], y[rows]


def evaluate(model, x, y, loss, batch_size=None) -> float:
    """The mean loss over all examples, in evaluation mode and without a graph; batch_size: how many at once.

    ValueError: there is no example, or y has another number of them.
    """
    if not len(x) or len(x) != len(y):
        raise ValueError(f"evaluate: x has shape {np.shape(x)}, y has {np.shape(y)}; expected the same number of examples, at "
                         "least one")
    if batch_size is not None:
        check_count("evaluate: batch_size", batch_size)
    size, total = int(batch_size or len(x)), 0.0
    with evaluating(model), no_grad():
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            total += loss(model(x[part]), y[part]).item() * len(x[part])
    return total / len(x)


def fit(model, x, y, *, loss, optimizer, epochs, batch_size=None, validation=None, patience=None, checkpoint=None,
        rng=None, progress=True, callbacks=()) -> History:
    """Train `model` so that loss(model(x), y) becomes small; returns the History.

    x, y: arrays, examples along the first axis. loss: a function of (output, target), such as nn.MSELoss().
    model: goes into training mode, but layers of a training model that are in evaluation mode stay there: frozen batch norm.
    optimizer: made from model.parameters(). LevenbergMarquardt and BayesianRegularization need nn.MSELoss; they and
        the optimizers with a line search train on full batches.
    epochs: passes over the data. batch_size: examples a step, in a new random order each epoch; None (default): all.
    validation: (x, y) for val_loss, measured after each epoch in evaluation mode.
    patience: stop after this many epochs without a new minimum of val_loss; the weights of the best epoch come back, also
        if training ends for another reason.
    checkpoint: a path. The whole state is written there after the first epoch, every now and then (at most a twentieth of
        the time goes into it) and at the end, and training goes on from there if the file exists: bit for bit as if it had
        not been interrupted.
        The optimizer's settings come from the file, too; data, loss and batch_size must be those of the first run. More
        epochs, a longer patience or none, and other callbacks are welcome.
    rng: for the order of the batches; default: the default Generator. progress: show a bar.
    callbacks: functions called with the History after each epoch; training stops if one returns True. A run that goes on
        from where one did asks them first whether it may. To keep a number of each epoch, in the checkpoint, too:
        history.info.setdefault("accuracy", []).append(accuracy).

    Ctrl-C ends training and returns what there is. Raises TypeError and ValueError for arguments that don't fit together.
    """
    x, y, callbacks = np.asarray(as_array(x)), np.asarray(as_array(y)), as_functions(callbacks)
    check(model, x, y, loss, optimizer, epochs, batch_size, validation, patience)
    rng, residuals = default_rng(rng), isinstance(optimizer, LevenbergMarquardt)
    own = {id(p) for p in model.parameters()}
    if not any(id(p) in own for p in optimizer.flat.params):
        raise ValueError("the optimizer trains none of the model's parameters; make it from model.parameters()")
    history, best = History(), None
    saved = Checkpoint(checkpoint, model, optimizer, rng) if checkpoint else None
    if saved:
        history, best = saved.resume(history, callbacks, partial(check_resumed, validation=validation, patience=patience))
        if len(history):
            best = best if patience else None
            history.stop_reason = history.stop_reason or why_stop(history, optimizer, patience)
    before = history.seconds[-1] if len(history) else 0.0
    start = time.perf_counter()

    def closure_for(xb, yb):
        if not residuals:
            return lambda: loss(model(xb), yb)

        def closure():
            output, target = compared(loss, model(xb), yb)
            return output - target
        return closure

    whole = closure_for(x, y)                                   # one object: line searches recognise it
    bar, w = Bar(epochs, len(history), progress), None
    train_unless_set(model)
    try:
        while not history.stop_reason and len(history) < epochs:
            optimizer.epoch, total = len(history), 0.0
            w = optimizer.flat.w.copy() if batch_size is None else None
            for xb, yb in batches(x, y, batch_size, rng):
                closure = whole if batch_size is None else closure_for(xb, yb)
                total += optimizer.step(closure) * len(xb)
                if not math.isfinite(total):
                    break
            train_loss = total / len(x)
            val_loss = None
            if validation is not None:
                val_loss = evaluate(model, *validation, loss, batch_size and max(batch_size, 1000))  # without a graph
            is_best = history.add(train_loss, val_loss, before + time.perf_counter() - start, optimizer.info)
            w = None                                            # the epoch is done, whatever interrupts what follows
            if is_best and patience is not None:
                best = model.state_dict()
            history.stop_reason = why_stop(history, optimizer, patience)
            watching = time.perf_counter()
            if any([callback(history) for callback in callbacks]) and not history.stop_reason:
                history.stop_reason = "a callback asked to stop"
            start += time.perf_counter() - watching                 # callbacks' time is not training's
            bar.update({"train": history.train_loss, "val": history.val_loss})
            if saved:
                saved.write_if_due(history, best)
        history.stop_reason = history.stop_reason or "all epochs done"
    except KeyboardInterrupt:
        history.stop_reason = "interrupted"
        if w is not None:                                       # a line search may have been half way
            optimizer.flat.set(w)
    finally:
        bar.close()
    try:
        if saved and history.stop_reason != "interrupted":      # an interrupted epoch is repeated from the last file
            saved.write(history, best)
    except KeyboardInterrupt:                                   # what was written before is still there
        history.stop_reason = "interrupted"
    finally:
        if best is not None:
            model.load_state_dict(best)
    return history


def why_stop(history, optimizer, patience) -> str | None:
    """The reason to end training now, if there is one."""
    if not math.isfinite(history.train_loss[-1]):
        return "the loss is not finite"
    if optimizer.stop:
        return optimizer.stop
    if patience is not None and len(history) - 1 - history.best_epoch >= patience:
        return "no better validation loss"
    return None


def check_resumed(history, best, validation, patience):
    """Raise ValueError for a run that had validation data where this one has none, or none, or not the best weights."""
    if len(history) and bool(history.val_loss) != (validation is not None):
        raise ValueError(f"it was written {'with' if history.val_loss else 'without'} validation data: go on like that")
    if len(history) and patience is not None and not best:
        raise ValueError("it was written without patience, so the weights of the best epoch are not in it: go on without")


def check(model, x, y, loss, optimizer, epochs, batch_size, validation, patience):
    """Raise for arguments of fit that don't fit together."""
    if x.ndim == 0 or y.ndim == 0 or len(x) == 0 or len(x) != len(y):
        raise ValueError(f"x has shape {x.shape}, y has {y.shape}; expected the same number of examples, at least one")
    for name, value, least in (("epochs", epochs, 0), ("batch_size", batch_size, 1), ("patience", patience, 1)):
        if value is not None:
            check_count(name, value, least)
    if patience is not None and validation is None:
        raise ValueError("patience needs validation=(x, y)")
    if validation is not None and (len(validation) != 2 or any(np.ndim(as_array(part)) == 0 for part in validation)
                                   or len(validation[0]) != len(validation[1]) or len(validation[0]) == 0):
        shapes = " and ".join("None" if part is None else str(np.shape(as_array(part))) for part in validation)
        raise ValueError(f"validation has {shapes}; expected a pair (x, y) with the same number of examples, at least one")
    whole = isinstance(optimizer, (LevenbergMarquardt, Descent))
    if whole and batch_size is not None:
        raise ValueError(f"{type(optimizer).__name__} compares losses between trial steps and so needs the full batch; "
                         "leave batch_size out")
    if whole and any(module._buffers and module.training for module in model.modules()):
        raise ValueError(f"{type(optimizer).__name__} tries several points in a step, and each would move the model's running "
                         "statistics (batch norm); take a first-order optimizer, or call eval() on that layer")
    if isinstance(optimizer, LevenbergMarquardt) and not isinstance(loss, MSELoss):
        raise TypeError(f"{type(optimizer).__name__} minimises a sum of squares: loss must be nn.MSELoss(), "
                        f"not {getattr(loss, '__name__', type(loss).__name__)}")


def as_functions(callbacks) -> tuple:
    """Callbacks as a tuple; TypeError: it is no list of functions."""
    functions = tuple(callbacks) if np.iterable(callbacks) else (None,)
    if not all(map(callable, functions)):
        raise TypeError(f"callbacks is {callbacks!r}; expected a list of functions of the history")
    return functions


class Bar:
    """The progress bar: epochs, losses."""

    def __init__(self, epochs, done, show):
        self.bar = None
        if show:
            from tqdm import tqdm
            self.bar = tqdm(total=epochs, initial=min(done, epochs), unit="epoch", leave=False, mininterval=0.2)

    def update(self, losses: dict):
        if self.bar is not None:
            self.bar.set_postfix({k: f"{v[-1]:.3g}" for k, v in losses.items() if v}, refresh=False)
            self.bar.update()

    def close(self):
        if self.bar is not None:
            self.bar.close()
