"""gan: the report's configuration; what is followed and made; a tiny run's rows."""
from dataclasses import replace

import numpy as np
import pytest
from few_digits import few_digits

from exercises.__main__ import run_one
from exercises.generative import gan
from exercises.generative.gan import CONFIG, QUICK, REPORT, VARIANTS, build, learn
from tinynn.train import SATURATING_GAN

SETTING = {"x": few_digits().x_train.reshape(40, 784), "variant": "20 numbers of noise", "epochs": 2, "batch": 20,
           "rate": 1e-3, "made": 12}


def test_the_configuration_is_the_report_s():
    assert (CONFIG.epochs, CONFIG.batch, CONFIG.rate, CONFIG.images) == (70, 512, 1e-3, 60000)
    assert REPORT[70] == (3.08, .253) and set(REPORT) <= set(range(1, CONFIG.epochs + 1))
    assert VARIANTS["20 numbers of noise"] == {} and VARIANTS["10 numbers of noise"] == {"latent": 10}
    assert VARIANTS["strong, saturating loss"]["game"] is SATURATING_GAN


def test_the_players():
    generator, discriminator = build(rng=np.random.default_rng(0))
    x = generator(np.random.default_rng(0).standard_normal((3, 20), np.float32))
    assert x.shape == (3, 784) and x.dtype == np.float32 and -1 <= x.data.min() < 0 < x.data.max() <= 1
    assert discriminator(x).shape == (3, 1)


def test_what_learning_leaves():
    result = learn(SETTING, np.random.default_rng(0))
    assert result["G"].shape == result["D"].shape == (2,) and result["made"].shape == (12, 784)
    assert result["through"].shape == (2, 30, 784) and np.any(result["through"][0] != result["through"][1])
    lines = result["between"].reshape(6, 10, 784)
    assert np.abs(np.diff(lines, axis=1)).max() < np.abs(lines[:, -1] - lines[:, 0]).max()     # in small steps
    again = learn(SETTING, np.random.default_rng(0))
    np.testing.assert_array_equal(result["made"], again["made"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_trains(variant):
    result = learn(SETTING | {"variant": variant, "epochs": 3}, np.random.default_rng(0))
    assert np.isfinite(result["D"]).all() and np.isfinite(result["G"][-1])


def test_a_tiny_run_has_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(gan, "mnist", few_digits)
    card = run_one(gan, replace(QUICK, images=40, epochs=2, other_epochs=3, batch=20, made=20, judge_images=30,
                                judge_epochs=1, jobs=1, out=tmp_path))
    rows = {row.quantity: row for row in card.rows}
    assert rows["loss of G, epoch 1"].report == .829 and rows["loss of D, epoch 2"].report == .686
    assert len(card.pitfalls) == 3 and {figure.file for figure in card.figures} == {
        "losses.png", "samples.png", "between.png", "classes.png", "strong.png", "learning.gif"}
