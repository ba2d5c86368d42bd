"""cnn_digits: the reports' networks by their numbers of parameters; what the range of the pixels does; a tiny run's rows."""
from dataclasses import replace

import numpy as np
import pytest
from few_digits import few_digits

import tinynn as tn
from exercises.__main__ import run_one
from exercises.features import cnn_digits
from exercises.features._digits import Moved
from exercises.features.cnn_digits import CONFIG, NETWORKS, QUICK, RANGE, VARIANTS, build, build_b, learn_b, reached
from tinynn import nn, optim


def count(model):
    return sum(p.size for p in model.parameters())


def test_the_configuration_is_the_reports():
    assert count(build_b()) == (5 * 5 + 1) * 12 + (5 * 5 * 12 + 1) * 24 + (24 * 8 * 8 + 1) * 10 == 22906
    assert VARIANTS["12 and 24 filters"] == {} and VARIANTS["24 and 48 filters"] == {"filters": 24}
    assert CONFIG.iterations == 15 * (CONFIG.fonts // CONFIG.batch) and CONFIG.batch == 128 and 750 % CONFIG.every == 0
    windows = [(layer.weight.shape[0], layer.weight.shape[2]) for layer in build("report A") if isinstance(layer, nn.Conv2d)]
    assert windows == [(16, 3), (32, 3), (32, 2), (32, 2)]


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_classify_images(name):
    model = build(name, np.random.default_rng(0))
    assert model(few_digits().x_train).shape == (40, 10)
    assert all(p.dtype == np.float32 for p in model.parameters())
    assert ("BatchNorm2d" in repr(model)) == (name != "report A")


def test_images_are_moved_in_training_only():
    layer, x = Moved(np.random.default_rng(0)), few_digits().x_train
    once, twice = layer(x), layer(x)
    assert once.shape == x.shape and once.dtype == np.float32 and not np.array_equal(once, twice)
    assert layer.eval()(x) is x


def test_large_pixels_are_a_larger_rate():
    """Pixels times s: as weights times ∛s and a rate times ∛s², exactly, if no biases learn."""
    how, rng = VARIANTS["pixels 0 to 1, larger weights and rate"], np.random.default_rng(0)
    assert how == {"range": 1, "rate": pytest.approx(1e-4 * 40.21, rel=1e-3), "gain": pytest.approx(6.341, rel=1e-3)}
    x, y, outputs = rng.random((50, 1, 28, 28)) - 0.5, rng.integers(0, 10, 50), []
    for scale, rate, gain in ((RANGE, 1e-4, 1), (1, how["rate"], how["gain"])):
        model = build_b(2, gain, np.random.default_rng(1)).astype(np.float64)
        optimizer = optim.Momentum([model[i].weight for i in (0, 3, 6)], lr=rate, mc=0.9)
        before = model(scale * x).numpy()
        for _ in range(5):
            optimizer.step(lambda: nn.cross_entropy(model(scale * x), y))
        outputs.append(model(scale * x).numpy())
        assert np.abs(outputs[-1] - before).max() > 1
    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-3)                  # the start was drawn in float32


def test_report_b_s_training_is_momentum_on_batches_in_one_order():
    """Against the update by hand, from the same start."""
    how = {"counts": (30, 10), "batch": 10, "iterations": 4, "every": 2, "seed": 0, "run": 3,
           "variant": "pixels 0 to 1, a rate that suits"}
    rows = learn_b(how, None)
    data, rng = tn.data.font_digits(30, 10), np.random.default_rng((0, 3))
    model, mean, losses = build_b(12, 1, rng), data.x_train.mean(axis=0), []
    order, v = rng.permutation(30), [np.zeros_like(p.data) for p in model.parameters()]
    for step in range(4):
        some = order[step % 3 * 10:][:10]
        loss = nn.cross_entropy(model(data.x_train[some] - mean), data.y_train[some])
        losses.append(loss.item())
        for p, v_p, g in zip(model.parameters(), v, tn.grad(loss, model.parameters())):
            v_p *= 0.9
            v_p += g
            p.data = p.data - np.float32(0.03) * v_p
    np.testing.assert_allclose(rows[:, 0], [2, 4])
    np.testing.assert_allclose(rows[:, 2], [np.mean(losses[:2]), np.mean(losses[2:])], rtol=1e-5)


def test_when_an_accuracy_is_reached():
    curve = np.array([[30, 0.5, 1], [60, 0.83, 1], [90, 0.8, 1]])
    assert reached(curve, 0.8232) == 60 and reached(curve, 0.9) == np.inf


def test_a_tiny_run_has_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(cnn_digits, "mnist", few_digits)
    card = run_one(cnn_digits, replace(QUICK, images=30, validation=4, test=20, batch=10, fonts=30, fonts_test=10,
                                       iterations=2, every=1, jobs=1, out=tmp_path))
    rows = {row.quantity: row for row in card.rows}
    assert rows["test accuracy on MNIST, report A"].report == 0.98
    assert rows["test accuracy on MNIST, report A, tuned"].report == 0.991
    assert rows["parameters, report B, 12 and 24 filters"].median == 22906
    assert rows["printed digits, accuracy after 2 iterations, 12 and 24 filters"].report == 0.8232
    assert len(card.pitfalls) == 3 and all(row.verdict == "not comparable" for row in card.rows)
    assert {figure.file for figure in card.figures} == {"progress.png", "report_b.png", "filters.png", "maps.png",
                                                        "confusion.png"}
