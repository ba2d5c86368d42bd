"""generative_comparison: its models are those of the other exercises; what stands beside them; a tiny run's rows."""
from dataclasses import replace

import numpy as np
import pytest
from few_digits import few_digits

from exercises.__main__ import run_one
from exercises.generative import _judge as judge
from exercises.generative import dbm, rbm
from exercises.generative import generative_comparison as comparison
from exercises.generative.generative_comparison import BESIDE, CONFIG, GAUSSIAN, LIKELY, MODELS, PIXELS, QUICK, REAL, besides
from exercises.generative.generative_comparison import build, parameters, sample
from tinynn.data import Dataset

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", MODELS)
def test_pictures_have_784_grey_pixels_and_are_not_alike(name):
    config = replace(QUICK, made=30, steps=2)
    x = sample(name, build(name, config, np.random.default_rng(0)), config, np.random.default_rng(1))
    assert x.shape == (30, 784) and 0 <= x.min() <= x.max() <= 1
    assert len(np.unique(x, axis=0)) == 30


def test_the_sizes_are_those_of_the_exercises():
    assert CONFIG.hidden == (rbm.CONFIG.hidden, dbm.CONFIG.hidden)
    assert build("RBM", CONFIG).W.shape == (784, 500) and build("DBM", CONFIG).W2.shape == (200, 200)
    decoder = 40 * 500 + 500 + 500 * 500 + 500 + 500 * 784 + 784
    assert sum(p.size for p in build("VAE").decoder.parameters()) == decoder
    assert parameters(build("VAE")) == decoder + 784 * 500 + 500 + 500 * 500 + 500 + 500 * 80 + 80
    assert parameters(build("RBM", CONFIG)) == 784 * 500 + 784 + 500
    assert parameters(build("GAN")) == sum(p.size for player in build("GAN") for p in player.parameters())


def test_what_no_model_made():
    x = RNG.random((3000, 1, 28, 28), dtype=np.float32) ** 3
    x[:, 0, 0, 0] = x[:, 0, 0, 1]                                       # two pixels that always agree
    data = Dataset(x, None, x[:500] / 2, None, name="noise", real=True)
    pictures = besides(data, replace(QUICK, made=2000), np.random.default_rng(0))
    assert list(pictures) == list(BESIDE)
    real = {digit.tobytes() for digit in judge.reference(data, 2000)[0]}
    assert len(pictures[REAL]) == 250 and not any(digit.tobytes() in real for digit in pictures[REAL])
    for name, agree in ((GAUSSIAN, True), (PIXELS, False)):
        made = pictures[name]
        assert (np.corrcoef(made[:, 0], made[:, 1])[0, 1] > 0.95) == agree
        assert made.min() >= 0 and made.max() <= 1
    np.testing.assert_array_equal(np.sort(pictures[PIXELS][:, 5]), np.sort(x[:2000, 0, 0, 5]))


def test_a_tiny_run_has_every_row(tmp_path, monkeypatch, few_mnist):
    monkeypatch.setattr(comparison, "mnist", few_digits)
    config = replace(QUICK, images=40, test=20, epochs=(1, 1, 2, 5, 1), batch=20, hidden=(8, (6, 5)), steps=3, temperatures=20,
                     draws=3, made=20, judge_images=30, judge_epochs=1, jobs=1, out=tmp_path)
    card = run_one(comparison, config)
    rows = {row.quantity: row for row in card.rows}
    for name in (*MODELS, *BESIDE):
        assert np.isfinite(rows[f"Fréchet distance, {name}"].median) and 0 <= rows[f"recall, {name}"].median <= 1
    for name in MODELS:
        assert rows[f"time to learn, {name}"].median > 0
        assert (f"ln p of test digits (DBM, VAE: a bound), {name}" in rows) == (name in LIKELY)
        assert rows[f"parameters, {name}"].median > 0 and f"pictures that the judge is sure of, {name}" in rows
        assert (f"chains of AIS that count, {name}" in rows) == (name in ("RBM", "DBM"))
    assert rows["passes over the images, DBM"].median == 3 and rows["passes over the images, WGAN"].median == 5
    assert all(rows[f"ln p of test digits (DBM, VAE: a bound), {name}"].median < -5 for name in LIKELY)
    assert not any("nan" in text for text in card.pitfalls)
    assert len(card.pitfalls) == 4 and {figure.file for figure in card.figures} == {"samples.png", "table.png", "measures.png"}
