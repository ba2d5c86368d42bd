"""vae: the report's configuration; bits are drawn anew and are what is learned from; a tiny run's rows."""
from dataclasses import replace

import numpy as np
import pytest
from few_digits import few_digits

import tinynn as tn
from exercises.__main__ import run_one
from exercises.generative import vae
from exercises.generative.vae import CONFIG, NETWORKS, QUICK, Drawn, build, loss, quantiles
from tinynn import nn


def test_the_configuration_is_the_report_s():
    assert NETWORKS["report A"] == {"hidden": (300,), "latents": 600, "batch": 3000, "epochs": 100}
    assert CONFIG.rate == 1e-3 and CONFIG.images == 60000 and CONFIG.test == 10000 and CONFIG.epochs is None
    assert NETWORKS["report A, batches of 100"] | {"batch": 3000, "epochs": 100} == NETWORKS["report A"]
    model = build((300,), 600, rng=0)
    assert [p.shape for p in model.parameters() if p.ndim == 2] == [(300, 784), (1200, 300), (300, 600), (784, 300)]


def test_bits_are_drawn_anew_and_what_is_bits_stays():
    rng = np.random.default_rng(0)
    model, grey = Drawn(build((5,), 2, rng), rng), np.full((200, 784), 0.3, np.float32)
    once, twice = (model(tn.Tensor(grey))[3] for _ in range(2))
    assert set(np.unique(once)) == {0, 1} and once.mean() == pytest.approx(0.3, abs=0.01) and np.any(once != twice)
    np.testing.assert_array_equal(model(tn.Tensor(once))[3], once)


def test_each_epoch_draws_new_bits(few_mnist, monkeypatch, tmp_path):
    """What `learn` gives `fit` is grey, so that the bits of a digit differ from epoch to epoch."""
    given, fit = [], tn.fit

    def watched(model, x, *args, **more):
        given.append(x)
        return fit(model, x, *args, **more)
    monkeypatch.setattr(tn, "fit", watched)
    monkeypatch.setattr(vae, "mnist", few_digits)
    run_one(vae, replace(QUICK, images=40, test=20, epochs=1, draws=3, runs=(1, 1, 1, 1), jobs=1, out=tmp_path))
    assert len(given) == len(NETWORKS) and all(((0 < x) & (x < 1)).any() for x in given)


def test_the_loss_is_the_bound_of_the_bits_that_were_drawn():
    rng = np.random.default_rng(0)
    model, grey = Drawn(build((5,), 2, rng), rng), np.full((4, 784), 0.5, np.float32)
    decoded, mu, log_var, bits = model(tn.Tensor(grey))
    assert loss((decoded, mu, log_var, bits), grey).item() == pytest.approx(nn.ELBOLoss()((decoded, mu, log_var), bits).item())
    assert loss((decoded, mu, log_var, bits), None).item() > 100                # a sum over 784 pixels, in nats


def test_quantiles_are_equally_likely():
    from scipy.stats import norm
    np.testing.assert_allclose(norm.cdf(quantiles(4)), [1 / 8, 3 / 8, 5 / 8, 7 / 8])


def test_a_tiny_run_has_every_row(tmp_path, monkeypatch, few_mnist):
    monkeypatch.setattr(vae, "mnist", few_digits)
    card = run_one(vae, replace(QUICK, images=40, test=20, epochs=2, draws=3, runs=(2, 1, 1, 1), jobs=1, out=tmp_path))
    rows = {row.quantity: row for row in card.rows}
    assert [rows[f"KL, {name}"].n for name in NETWORKS] == [2, 1, 1, 1] and rows["KL, report A"].min < rows["KL, report A"].max
    assert rows["bound on ln p of test digits, 3 draws, ours"].report == -100
    assert all(row.median >= 0 for name, row in rows.items() if name.startswith("KL"))
    assert "Batches of 3000 make 2 steps of 2 epochs, batches of 100 make 2 of 2" in card.pitfalls[3]
    assert len(card.pitfalls) == 4 and {figure.file for figure in card.figures} == {
        "terms.png", "pictures.png", "latents.png", "map.png"}
