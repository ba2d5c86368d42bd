"""stacked_autoencoder: the loss is MATLAB's; layers learn; both starts differ in nothing but the start; a tiny run's rows."""
from dataclasses import replace

import numpy as np
import pytest
from few_digits import few_digits

import tinynn as tn
from exercises.__main__ import run_one
from exercises.features import stacked_autoencoder
from exercises.features._stacks import build, encode, learn_code, learn_softmax, linears, sparse_loss, tune
from exercises.features.stacked_autoencoder import CONFIG, PENALTIES, QUICK, REPORT_B, learn_labels, parameters
from tinynn import nn


def autoencoder(rng, n_in=6, width=4):
    return nn.Sequential(nn.Dropout(0, rng=rng), nn.Linear(n_in, width, rng=rng), nn.Sigmoid(),
                         nn.Linear(width, n_in, rng=rng), nn.Sigmoid())


def test_the_configuration_is_the_report_s():
    assert (CONFIG.fonts, CONFIG.fonts_test, CONFIG.runs, CONFIG.cg_epochs) == (5000, 5000, 3, 200)
    assert parameters() == 84060 and 8e-9 * parameters() ** 2 == pytest.approx(56.5, abs=0.05)
    assert REPORT_B[100, 50, 25] == (.6759, .9927) and len(REPORT_B) == 7


def test_the_sparse_loss_is_matlab_s():
    """E = 1/N Σ|x̂ − x|² + λ/2 |W|² + β Σ KL(ρ ‖ ρ̂), by hand; and its gradient."""
    rng = np.random.default_rng(0)
    model, x = autoencoder(rng), rng.random((5, 6))
    w, b, v, c = (p.data for p in model.parameters())
    z = 1 / (1 + np.exp(-x @ w.T - b))
    error = ((1 / (1 + np.exp(-z @ v.T - c)) - x) ** 2).sum(axis=1).mean()
    active, rho = z.mean(axis=0), 0.15
    kl = sum(rho * np.log(rho / a) + (1 - rho) * np.log((1 - rho) / (1 - a)) for a in active)
    assert sparse_loss(model, x).item() == pytest.approx(error)
    assert sparse_loss(model, x, weight=0.3).item() == pytest.approx(error + 0.15 * ((w ** 2).sum() + (v ** 2).sum()))
    assert sparse_loss(model, x, sparsity=2, rho=rho).item() == pytest.approx(error + 2 * kl)
    tn.check_gradients(lambda x: sparse_loss(model, x, **PENALTIES), x)


def test_an_autoencoder_learns_and_its_code_is_the_encoder_s():
    rng = np.random.default_rng(0)
    x = rng.choice(rng.random((4, 12)), 200).astype(np.float32)                 # four patterns: two units can tell them apart
    state, explained = learn_code(x, 4, rng, epochs=150, rate=0.03)
    assert 0.8 < explained < 1
    z = 1 / (1 + np.exp(-x @ state["weight"].T - state["bias"]))
    np.testing.assert_allclose(encode(x, state), z, rtol=1e-5)
    assert encode(x, state).dtype == np.float32


def test_the_softmax_reads_codes_that_hardly_differ():
    y = np.arange(50) % 10
    z = (0.5 + 1e-5 * np.eye(10)[y]).astype(np.float32)
    assert (learn_softmax(z, y)(z).numpy().argmax(axis=1) == y).all()


def test_a_stack_is_tuned_and_looked_at_after_every_epoch():
    data, rng = few_digits(), np.random.default_rng(0)
    x = data.x_train.reshape(40, 784)
    model = build((30,), rng=rng)
    before = [p.data.copy() for p in model.parameters()]
    curve = tune(model, x, data.y_train, 40, rng, (x, data.y_train), rate=0.01)
    assert curve.shape == (40,) and curve[-1] > curve[0] and curve[-1] > 0.9
    assert all(np.any(p.data != old) for p, old in zip(model.parameters(), before))
    assert len(linears(model)) == 2


def test_the_starts_differ_in_the_start_alone():
    """Encoders that are the random start's own give what the random start gives, to the last bit."""
    setting = {"seed": 0, "run": 1, "labels": 20, "data": few_digits(), "counts": (30, 4, 20), "widths": (6, 5),
               "dropout": (0.1, 0.2), "epochs": 2, "states": ()}
    rng = np.random.default_rng((0, 1, 20))
    rng.permutation(30)                                                         # which images have labels
    own = [layer.state_dict() for layer in linears(build((6, 5), (0.1, 0.2), rng))[:2]]
    other = [{name: value + 1 for name, value in state.items()} for state in own]
    random, same, moved = (learn_labels(setting | {"states": states}, None) for states in ((), own, other))
    np.testing.assert_array_equal(random["filters"], same["filters"])
    assert not np.array_equal(random["filters"], moved["filters"])


def test_a_tiny_run_has_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(stacked_autoencoder, "mnist", few_digits)
    card = run_one(stacked_autoencoder, replace(QUICK, fonts=60, fonts_test=20, layer_epochs=1, tune_epochs=1, cg_epochs=2,
                                                images=30, validation=4, test=20, widths=(6, 5), mnist_epochs=(1, 1),
                                                labels=(10,), updates=2, jobs=1, out=tmp_path))
    rows = {row.quantity: row for row in card.rows}
    assert rows["MNIST, test accuracy, pre-trained, all labels"].report == 0.954
    assert rows["printed digits, 100-50-25, greedy"].report == .6759
    assert rows["printed digits, 100-50-25, tuned"].report == .9927
    assert len(card.pitfalls) == 5 and all(np.isfinite(row.median) for row in card.rows)
    assert {figure.file for figure in card.figures} == {"stacks.png", "depth.png", "labels.png", "filters.png",
                                                        "confusion.png"}
