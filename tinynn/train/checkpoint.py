"""The whole state of a training run in one file, so that it can be killed at any moment and go on as if nothing had been.

What determines the rest of a run: the weights and buffers, the optimizer's state, the random Generators (of the batches,
of the model's layers, the default one), the history, and the best weights so far.
"""
import time
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import numpy as np

from ..autograd.settings import settings
from .files import read_arrays, write_arrays


class Checkpoint:
    """Writes and reads the state of one run; see `fit`, and `fit_adversarial` for a model that is two players.

    history: a dataclass; its arrays are kept as arrays, the rest as JSON.
    """

    def __init__(self, path, model, optimizer, rng):
        self.path, self.model, self.optimizer = Path(path), model, optimizer
        if self.path.is_dir():
            raise IsADirectoryError(f"checkpoint: {path} is a folder; name a file in it")
        self.path.parent.mkdir(parents=True, exist_ok=True)     # raises at once if it cannot be
        self.rngs = [rng, settings.rng] + [value for module in model.modules() for value in vars(module).values()
                                           if isinstance(value, np.random.Generator)]
        self.written, self.cost = None, 0.0
        optimizer.load_state_dict(optimizer.state_dict())       # raises at once if it cannot be kept

    def write_if_due(self, history, best):
        """Write at first, and then as often as takes a twentieth of the time."""
        if self.written is None or time.perf_counter() - self.written > 20 * self.cost:
            self.write(history, best)

    def write(self, history, best):
        """Write the state now."""
        start = time.perf_counter()
        state = self.optimizer.state_dict()
        arrays = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        arrays |= {f"best.{name}": value for name, value in (best or {}).items()}
        arrays |= {f"optimizer.{name}": value for name, value in state.items() if isinstance(value, np.ndarray)}
        told = vars(history)
        arrays |= {f"history.{name}": value for name, value in told.items() if isinstance(value, np.ndarray)}
        notes = {"optimizer": type(self.optimizer).__name__,
                 "history": {name: value for name, value in told.items() if not isinstance(value, np.ndarray)},
                 "numbers": {name: value for name, value in state.items() if not isinstance(value, np.ndarray)},
                 "rngs": [rng.bit_generator.state for rng in self.rngs]}
        write_arrays(self.path, arrays, notes)
        self.written = time.perf_counter()
        self.cost = self.written - start

    def resume(self, history, callbacks=(), check=lambda history, best: None) -> tuple:
        """(history, best weights) from the file, with everything else put back in place; as given if there is no file.

        check(history, best): raises ValueError if the run cannot go on, before anything is changed. A run that a callback
        stopped goes on unless one of `callbacks`, which are asked with a copy of the history, would stop it again.
        """
        try:
            arrays, notes = read_arrays(self.path)
        except FileNotFoundError:
            return history, None

        def part(prefix):
            return {name[len(prefix):]: value for name, value in arrays.items() if name.startswith(prefix)}

        with self.of_this_run():
            trained_by, own = notes["optimizer"], type(self.optimizer).__name__
            if trained_by != own:
                raise ValueError(f"it was trained by {trained_by}, not {own}")
            if len(notes["rngs"]) != len(self.rngs):
                raise ValueError("its model has another number of random layers")
            for rng, state in zip(self.rngs, notes["rngs"]):
                if rng.bit_generator.state["bit_generator"] != state["bit_generator"]:
                    raise ValueError(f"its random numbers are those of a {state['bit_generator']}")
            history, weights = type(history)(**notes["history"], **part("history.")), self.model.state_dict()
            check(history, part("best."))
            self.model.load_state_dict(part("model."))
            try:
                self.optimizer.load_state_dict({**part("optimizer."), **notes["numbers"]})
            except ValueError:
                self.model.load_state_dict(weights)             # all or nothing
                raise
        stopped = history.stop_reason == "a callback asked to stop"
        if stopped and not any([callback(deepcopy(history)) for callback in callbacks]):        # these may draw numbers
            history.stop_reason = None
        with self.of_this_run():
            for rng, state in zip(self.rngs, notes["rngs"]):
                rng.bit_generator.state = state
        if history.stop_reason in ("interrupted", "all epochs done", "no better validation loss"):
            history.stop_reason = None
        return history, part("best.") or None

    @contextmanager
    def of_this_run(self):
        """What goes wrong in this block says that the file does not fit."""
        try:
            yield
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self.path}: not a checkpoint of this run ({error}); name another file, or delete it if nobody "
                             "needs it") from None
