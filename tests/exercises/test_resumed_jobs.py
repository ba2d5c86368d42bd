"""Jobs of many minutes, cut off in the middle: the next sweep goes on from their checkpoints, as if nothing had been."""
import signal
from dataclasses import replace

import numpy as np
import pytest
from few_digits import few_digits

from exercises.features import cnn_digits, mnist_optimizers, vit_mnist
from exercises.generative import _judge as judge
from exercises.generative import dcgan, gan, vae, wgan
from tinynn import data
from tinynn.train import sweep
from tinynn.train.adversarial import Bar

DIGITS = {"data": few_digits(), "counts": (30, 4, 20)}
FLAT = few_digits().x_train.reshape(40, 784)
DOGS = np.random.default_rng(0).uniform(-1, 1, (36, 3, 32, 32)).astype(np.float32)
GAME = {"x": FLAT, "compared": 1, "batch": 20, "rate": 1e-3, "made": 12}
READER = cnn_digits.build("report A, tuned", np.random.default_rng(0))
ADAM, SGD, _ = mnist_optimizers.CHAIN
JOBS = {                                                            # of three epochs each, or more
    "judge": (judge.learn, DIGITS | {"epochs": 3}),
    "cnn_digits": (cnn_digits.learn, DIGITS | {"name": "report A", "epochs": 3, "batch": 10}),
    "mnist_optimizers": (mnist_optimizers.learn, DIGITS | {"seed": 0, "run": 0, "epochs": 3, "batch": 10, "dropout": 0.25,
                                                           "sequence": (ADAM, SGD)}),
    "vit_mnist": (vit_mnist.learn, {"name": "dim 64", "config": replace(vit_mnist.QUICK, depth=1, epochs=3, batch=10,
                                                                        training=40, test=20)}),
    "gan": (gan.learn, GAME | {"variant": gan.REPORT_S, "epochs": 3}),
    "gan, three steps": (gan.learn, GAME | {"variant": gan.STEPS, "epochs": 2}),
    "gan, head start": (gan.learn, GAME | {"variant": gan.MOMENTUM, "epochs": 3}),
    "dcgan": (dcgan.learn, {"x": DOGS[:24], "held": DOGS[24:], "config": {"width": 2, "epochs": 3, "batch": 8, "rate": 1e-3,
                                                                          "beta": 0.5}}),
    "wgan": (wgan.learn, {"x": FLAT, "name": wgan.CLIPPED, "epochs": 10, "batch": 20, "clip": 0.01, "judged": 12,
                          "real": np.random.default_rng(0).random((12, 192), np.float32), "judge": READER.state_dict()}),
    "vae": (vae.learn, {"name": "2 latents", "counts": (40, 20), "rate": 1e-3, "epochs": 3, "draws": 3}),
}
TIMES = "seconds"                                                   # what may differ


def same(a, b):
    """Whether two results are equal, to the last bit, but for times."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(key == TIMES or same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f")


@pytest.fixture
def ctrl_c():
    """Ctrl-C as usual: where several processes share the tests, they ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("name, cut_by, epoch", [
    *((name, KeyboardInterrupt, 2) for name in JOBS), ("mnist_optimizers", KeyboardInterrupt, 5),   # of the second optimizer
    ("mnist_optimizers", RuntimeError, 5), ("gan", RuntimeError, 2), ("vit_mnist", RuntimeError, 3)])
def test_a_job_that_was_cut_off_goes_on(name, cut_by, epoch, tmp_path, monkeypatch, few_mnist, ctrl_c):
    function, setting = JOBS[name]
    monkeypatch.setattr(data, "mnist", few_digits)
    done, update = [], Bar.update

    def count(bar, losses):
        done.append(losses)
        update(bar, losses)

    def cut(bar, losses):
        count(bar, losses)
        if len(done) == epoch:
            if cut_by is KeyboardInterrupt:
                signal.raise_signal(signal.SIGINT)
            raise cut_by("power cut")
    monkeypatch.setattr(Bar, "update", count)
    whole = sweep(function, [setting], resume=tmp_path / "whole", progress=False)
    epochs = len(done)
    done.clear()
    monkeypatch.setattr(Bar, "update", cut)
    with pytest.raises(cut_by):
        sweep(function, [setting], resume=tmp_path / "cut", progress=False)
    assert len(done) == epoch                                       # it stopped at once
    monkeypatch.setattr(Bar, "update", count)
    resumed = sweep(function, [setting], resume=tmp_path / "cut", progress=False)
    assert same(resumed[0]["results"], whole[0]["results"])
    assert epochs >= 3 and epochs < len(done) < epochs + epoch      # that of the cut was done twice; the first was not


def test_what_differs_is_seen():
    assert not same([{"loss": np.ones(2)}], [{"loss": np.array([1, 2])}]) and not same([1, 2], [1]) and not same({}, {"a": 1})
    assert same({"seconds": 1.0, "loss": np.array([np.nan])}, {"seconds": 2.0, "loss": np.array([np.nan])})
