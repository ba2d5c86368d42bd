"""Weights and checkpoints on disk: a run that was killed goes on bit for bit; damaged files are named."""
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynn as tn
from tinynn import nn, optim
from tinynn.train.checkpoint import Checkpoint

MAKERS = {"Adam": (optim.Adam, 16), "Momentum": (optim.Momentum, 16), "BFGS": (optim.BFGS, None),
          "LBFGS": (optim.LBFGS, None), "CG": (optim.ConjugateGradient, None), "GDX": (optim.GDX, None),
          "LM": (optim.LevenbergMarquardt, None), "BR": (optim.BayesianRegularization, None)}


def train(name, epochs, checkpoint=None, callbacks=(), patience=None, dropout=False, validate=True, **settings):
    """(model, history) of a small run, with a fixed seed."""
    rng = np.random.default_rng(5)
    x = np.linspace(-1, 1, 50)[:, None]
    layers = [nn.Linear(1, 6, rng=rng), nn.Tanh(), nn.Linear(6, 1, rng=rng)]
    if dropout:
        layers.insert(2, nn.Dropout(0.2, rng=rng))
    model = nn.Sequential(*layers)
    make, size = MAKERS[name]
    history = tn.fit(model, x, np.sin(4 * x), loss=nn.MSELoss(), optimizer=make(model.parameters(), **settings), epochs=epochs,
                     batch_size=size, validation=(x[::3], np.sin(4 * x[::3])) if validate else None, patience=patience,
                     checkpoint=checkpoint, rng=np.random.default_rng(9), progress=False, callbacks=callbacks)
    return model, history


def same(one, other):
    (model, history), (model2, history2) = one, other
    assert history.train_loss == history2.train_loss and history.val_loss == history2.val_loss
    assert history.info == history2.info and history.best_epoch == history2.best_epoch
    assert all(np.array_equal(p.data, q.data) for p, q in zip(model.parameters(), model2.parameters()))


@pytest.mark.parametrize("name", MAKERS)
def test_resuming_equals_not_stopping(name, tmp_path):
    whole = train(name, 30, patience=25)
    train(name, 12, tmp_path / "run", patience=25)
    same(train(name, 30, tmp_path / "run", patience=25), whole)


def test_random_layers_resume_too(tmp_path):
    whole = train("Adam", 10, dropout=True)
    train("Adam", 4, tmp_path / "run", dropout=True)
    same(train("Adam", 10, tmp_path / "run", dropout=True), whole)


def test_interrupted_then_resumed(tmp_path):
    def interrupt(history):
        if len(history) == 7:
            raise KeyboardInterrupt
    train("BFGS", 20, tmp_path / "run", [interrupt])
    same(train("BFGS", 20, tmp_path / "run"), train("BFGS", 20))


def test_stopped_by_a_callback_then_resumed(tmp_path):
    def enough(history):
        return len(history) == 7
    _, history = train("Adam", 20, tmp_path / "run", [enough])
    assert history.stop_reason == "a callback asked to stop" and len(history) == 7
    assert len(train("Adam", 20, tmp_path / "run", [enough])[1]) == 7                   # it would stop again
    same(train("Adam", 20, tmp_path / "run"), train("Adam", 20))


def test_asking_the_callbacks_leaves_no_trace(tmp_path):
    def note(history):
        history.info.setdefault("seen", []).append(len(history))
    train("Adam", 6, tmp_path / "run", [note, lambda history: len(history) == 3])
    same(train("Adam", 6, tmp_path / "run", [note]), train("Adam", 6, callbacks=[note]))


def test_patience_may_end_or_grow_but_not_begin(tmp_path):
    """Validation is best in the first epochs: the rate is far too large."""
    path = tmp_path / "run"
    model, history = train("Momentum", 9, path, patience=2, lr=1.5)
    assert history.stop_reason == "no better validation loss" and len(history) < 9
    stopped = len(history)
    again, history = train("Momentum", 9, path, patience=2, lr=1.5)
    assert len(history) == stopped and history.stop_reason == "no better validation loss"
    _, history = train("Momentum", 9, path, patience=9, lr=1.5)
    assert len(history) == 9 and history.stop_reason == "all epochs done"
    model, history = train("Momentum", 12, path, lr=1.5)
    x = np.linspace(-1, 1, 50)[::3, None]
    assert tn.evaluate(model, x, np.sin(4 * x), nn.MSELoss()) == pytest.approx(history.val_loss[-1])     # not the best
    with pytest.raises(ValueError, match="run: not a checkpoint of this run .it was written without patience"):
        train("Momentum", 14, path, patience=2, lr=1.5)


def test_validation_data_may_not_come_or_go(tmp_path):
    train("Adam", 3, tmp_path / "with")
    with pytest.raises(ValueError, match="with: not a checkpoint of this run .it was written with validation data"):
        train("Adam", 5, tmp_path / "with", validate=False)
    train("Adam", 3, tmp_path / "without", validate=False)
    with pytest.raises(ValueError, match="without: .* .it was written without validation data"):
        train("Adam", 5, tmp_path / "without")


def test_a_state_that_cannot_come_back_is_refused_at_once(tmp_path):
    class Wide(optim.GD):
        def __init__(self, params):
            super().__init__(params)
            self.v = np.zeros(self.flat.w.size)                 # float64
    model = nn.Linear(1, 1).astype(np.float32)
    x = np.ones((4, 1), np.float32)
    with pytest.raises(ValueError, match="the state's v has shape .* and dtype float64; the optimizer has .* float32"):
        tn.fit(model, x, x, loss=nn.MSELoss(), optimizer=Wide(model.parameters()), epochs=1, checkpoint=tmp_path / "run",
               progress=False)


def test_a_callbacks_own_mistake_is_not_the_files(tmp_path):
    train("Adam", 20, tmp_path / "run", [lambda history: len(history) == 3])
    with pytest.raises(KeyError, match="nothing"):
        train("Adam", 20, tmp_path / "run", [lambda history: history.info["nothing"]])


def test_a_run_that_cannot_go_on_changes_nothing(tmp_path):
    train("Adam", 3, tmp_path / "run")
    model, rng = nn.Sequential(nn.Linear(1, 6, rng=1), nn.Tanh(), nn.Linear(6, 1, rng=2)), np.random.default_rng(3)
    optimizer, x = optim.Adam(model.parameters(), lr=0.5), np.ones((4, 1))
    before = model.state_dict(), optimizer.state_dict(), rng.bit_generator.state
    with pytest.raises(ValueError, match="with validation data"):
        tn.fit(model, x, x, loss=nn.MSELoss(), optimizer=optimizer, epochs=5, batch_size=2, rng=rng, progress=False,
               checkpoint=tmp_path / "run")
    np.testing.assert_equal((model.state_dict(), optimizer.state_dict(), rng.bit_generator.state), before)


def test_a_finished_run_is_only_read(tmp_path):
    first = train("LM", 5, tmp_path / "run")
    again = train("LM", 5, tmp_path / "run")
    same(again, first)
    assert again[1].seconds == first[1].seconds


def test_kill_minus_nine(tmp_path):
    """A process is killed in mid-run; another one goes on where the file says."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(f"""
        import sys, time
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_checkpoint import train

        def slowly(history):
            print(len(history), flush=True)
            time.sleep(0.01)
        train("Adam", 40, sys.argv[1], [slowly])
    """))
    run = tmp_path / "run"
    process = subprocess.Popen([sys.executable, script, run], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if int(line) >= 15:
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL and run.exists()
    resumed = []
    same(train("Adam", 40, run, [lambda history: resumed.append(len(history))]), train("Adam", 40))
    assert 1 < resumed[0] <= 41                                # it did go on, and not from the start


def test_checkpoints_take_little_time(tmp_path):
    start = time.perf_counter()
    train("Adam", 100)
    without = time.perf_counter() - start
    start = time.perf_counter()
    train("Adam", 100, tmp_path / "run")
    assert time.perf_counter() - start < 3 * without + 0.5


def test_save_and_load(tmp_path):
    one = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    one(np.random.default_rng(0).standard_normal((5, 3)))      # running statistics
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    tn.save(tmp_path / "weights.safetensors", one)
    assert tn.load(tmp_path / "weights.safetensors", other) is other
    for name, value in one.state_dict().items():
        assert np.array_equal(other.state_dict()[name], value) and other.state_dict()[name].dtype == value.dtype
    assert [p.name for p in tmp_path.iterdir()] == ["weights.safetensors"]         # nothing half-written is left


def test_load_errors_name_the_file(tmp_path):
    path = tmp_path / "weights.safetensors"
    with pytest.raises(FileNotFoundError, match="weights.safetensors"):
        tn.load(path, nn.Linear(1, 1))
    tn.save(path, nn.Linear(2, 3))
    with pytest.raises(ValueError, match=r"weights.safetensors.*weight has shape \(3, 2\)"):
        tn.load(path, nn.Linear(1, 1))
    with pytest.raises(ValueError, match="not a checkpoint of this run"):
        model = nn.Linear(2, 3)
        tn.fit(model, np.ones((4, 2)), np.ones((4, 3)), loss=nn.MSELoss(), optimizer=optim.GD(model.parameters()),
               epochs=1, checkpoint=path, progress=False)
    train("BFGS", 2, tmp_path / "run")
    with pytest.raises(ValueError, match="trained by BFGS, not Adam"):
        train("Adam", 2, tmp_path / "run")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_damaged_files_never_do_anything_else(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "w"
    tn.save(path, nn.Linear(2, 3))
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)):]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(content))
    try:
        tn.load(path, nn.Linear(2, 3))                          # a flipped bit in a weight cannot be seen
    except ValueError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_goes_wrong_in_the_last_write_costs_no_best_weights(tmp_path, monkeypatch, error):
    model, history = train("Momentum", 9, patience=2, lr=1.5)                           # best at first, then diverging
    best, write, again = model.state_dict(), Checkpoint.write, []

    def broken(self, history, best):
        if history.stop_reason:
            raise error("no space left")
        write(self, history, best)
    monkeypatch.setattr(Checkpoint, "write", broken)
    monkeypatch.setattr(tn.nn.Module, "load_state_dict",
                        lambda self, state, load=tn.nn.Module.load_state_dict: again.append(state) or load(self, state))
    if error is OSError:
        with pytest.raises(OSError):
            train("Momentum", 9, tmp_path / "run", patience=2, lr=1.5)
    else:
        assert train("Momentum", 9, tmp_path / "run", patience=2, lr=1.5)[1].stop_reason == "interrupted"
    assert again and all(np.array_equal(again[-1][name], value) for name, value in best.items())


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder; name a file in it"):
        train("Adam", 2, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        train("Adam", 2, tmp_path / "file" / "run")


def test_another_kind_of_generator_changes_nothing(tmp_path):
    x = np.linspace(-1, 1, 20)[:, None]

    def fit(rng, epochs):
        model = nn.Sequential(nn.Linear(1, 3, rng=0), nn.Tanh(), nn.Linear(3, 1, rng=1))
        before = model.state_dict()
        try:
            tn.fit(model, x, x, loss=nn.MSELoss(), optimizer=optim.Adam(model.parameters()), epochs=epochs, batch_size=5,
                   rng=rng, progress=False, checkpoint=tmp_path / "run")
        except ValueError as error:
            assert "random numbers are those of a PCG64" in str(error)
            return all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
    fit(np.random.default_rng(0), 2)
    assert fit(np.random.Generator(np.random.MT19937(0)), 4)


def test_files_can_be_read_by_whom_the_folder_allows(tmp_path):
    (tmp_path / "plain").write_text("")
    tn.save(tmp_path / "weights", nn.Linear(2, 1, rng=0))
    assert (tmp_path / "weights").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []
