"""gan: the report's configuration; what is followed and made; a tiny run's rows."""
from dataclasses import replace

import numpy as np
import pytest
from few_digits import few_digits

from exercises.__main__ import run_one
from exercises.generative import gan
from exercises.generative.gan import CONFIG, QUICK, REPORT, STRONG, VARIANTS, build, learn, size, to_length
from tinynn import nn, optim
from tinynn.train import GAN, SATURATING_GAN, fit_adversarial
from tinynn.train.adversarial import critic_step

SETTING = {"x": few_digits().x_train.reshape(40, 784), "variant": "20 numbers of noise", "epochs": 2, "compared": 1,
           "batch": 20, "rate": 1e-3, "made": 12}
TINY = replace(QUICK, images=40, epochs=2, other_epochs=1, batch=20, made=20, judge_images=30, judge_epochs=1, jobs=1)


def test_the_configuration_is_the_report_s():
    assert (CONFIG.epochs, CONFIG.batch, CONFIG.rate, CONFIG.images) == (70, 512, 1e-3, 60000)
    assert REPORT[70] == (3.08, .253) and set(REPORT) <= set(range(1, CONFIG.epochs + 1))
    assert VARIANTS["20 numbers of noise"] == {} and VARIANTS["10 numbers of noise"] == {"latent": 10}
    assert VARIANTS["head start, saturating"]["game"] is SATURATING_GAN and VARIANTS["three steps of D for each"] == {
        "n_critic": 3}


def test_the_players():
    generator, discriminator = build(rng=np.random.default_rng(0))
    x = generator(np.random.default_rng(0).standard_normal((3, 20), np.float32))
    assert x.shape == (3, 784) and x.dtype == np.float32 and -1 <= x.data.min() < 0 < x.data.max() <= 1
    assert discriminator(x).shape == (3, 1)
    assert [type(layer) for layer in generator] == [nn.Linear, nn.BatchNorm1d, nn.LeakyReLU] * 2 + [nn.Linear, nn.Tanh]
    assert [type(layer) for layer in discriminator] == [nn.Linear, nn.LeakyReLU, nn.Dropout] * 2 + [nn.Linear]


def test_what_learning_leaves():
    result = learn(SETTING, np.random.default_rng(0))
    assert result["G"].shape == result["D"].shape == (2,) and result["made"].shape == (12, 784)
    assert result["through"].shape == (2, 30, 784) and np.any(result["through"][0] != result["through"][1])
    lines = result["between"].reshape(6, 10, 784)
    assert np.abs(np.diff(lines, axis=1)).max() < np.abs(lines[:, -1] - lines[:, 0]).max()     # in small steps
    again = learn(SETTING, np.random.default_rng(0))
    np.testing.assert_array_equal(result["made"], again["made"])
    assert result["early"].shape == (12, 784) and np.any(result["early"] != result["made"])
    shorter = learn(SETTING | {"epochs": 1}, np.random.default_rng(0))
    np.testing.assert_array_equal(shorter["early"], result["early"])            # as if it had ended there
    np.testing.assert_array_equal(shorter["made"], result["early"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_played_as_it_is_named(variant, monkeypatch):
    """With its own noise, game, head start and optimizer; and the generators of all make as many steps."""
    played, before = {}, []

    def spy(generator, discriminator, x, **how):
        played.update(how, history=fit_adversarial(generator, discriminator, x, **how))
        return played["history"]

    def alone(discriminator, optimizer, game, real, fake):
        before.append((game, fake.shape))
        return critic_step(discriminator, optimizer, game, real, fake)
    monkeypatch.setattr(gan, "fit_adversarial", spy)
    monkeypatch.setattr(gan, "critic_step", alone)
    result, own = learn(SETTING | {"variant": variant, "epochs": 3}, np.random.default_rng(0)), VARIANTS[variant]
    assert len(played["history"].steps["generator_loss"]) == 6                  # 3 epochs of 2 batches
    assert len(played["history"].steps["critic_loss"]) == 6 * own.get("n_critic", 1)
    assert played["game"] is own.get("game", GAN) and played["latent"] == own.get("latent", 20)
    assert before == [(GAN, (20, 784))] * 2 * own.get("head_start", 0)
    assert played["critic_optimizer"].beta1 == own.get("betas", (0.5, 0.999))[0]
    if "momentum" in own:
        assert isinstance(played["generator_optimizer"], optim.Momentum)
        assert played["generator_optimizer"].lr == own["momentum"]
    else:
        assert played["generator_optimizer"].beta1 == played["critic_optimizer"].beta1
    assert result["G"].shape == result["D"].shape == result["right"].shape == (3,) and result["through"].shape == (3, 30, 784)
    assert np.isfinite(result["D"]).all() and np.isfinite(result["G"]).all()


def test_a_head_start_makes_the_theory_s_loss_flat_and_the_usual_one_steep(monkeypatch):
    """Momentum gets nowhere then; and the discriminator of the flat one stays right about everything."""
    monkeypatch.setitem(VARIANTS, "head start", {"head_start": 15})
    monkeypatch.setitem(VARIANTS, "flat", {"head_start": 15, "momentum": 0.01, "game": SATURATING_GAN})
    steep, flat, even = (learn(SETTING | {"variant": name}, np.random.default_rng(0))
                         for name in ("head start", "flat", "20 numbers of noise"))
    assert flat["slope"] < 0.1 * even["slope"] and steep["slope"] > even["slope"]
    assert np.all(flat["right"] == 1) and even["right"][-1] < 1
    still = np.abs(np.diff(flat["through"], axis=0)).mean()
    assert still < 0.2 * np.abs(np.diff(steep["through"], axis=0)).mean()


def test_the_size_of_gradients():
    assert size([np.full((2, 2), 2.0), np.array([3.0])]) == 5


def test_what_a_run_that_diverged_lacks_is_nan():
    assert np.array_equal(to_length([1.0, 2.0], 4), [1, 2, np.nan, np.nan], equal_nan=True)
    assert to_length(np.ones((1, 2, 3), np.float32), 3).shape == (3, 2, 3) and to_length([1.0], 1) == [1]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_run_that_diverges_counts_as_the_worst(tmp_path, monkeypatch):
    monkeypatch.setattr(gan, "mnist", few_digits)
    card = run_one(gan, replace(TINY, rate=1e30, out=tmp_path))
    rows = {row.quantity: row for row in card.rows}
    assert rows["loss of G, epoch 2"].median is None and rows["Fréchet distance, 20 numbers of noise, 2 epochs"].median is None
    assert rows["precision, 20 numbers of noise, 2 epochs"].median == 0 and len(card.figures) == 6


def test_a_tiny_run_has_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(gan, "mnist", few_digits)
    card = run_one(gan, replace(TINY, out=tmp_path))
    rows = {row.quantity: row for row in card.rows}
    assert rows["loss of G, epoch 1"].report == .829 and rows["loss of D, epoch 2"].report == .686
    assert {f"recall, {name}, 1 epochs" for name in VARIANTS} < set(rows)
    assert all(rows[f"size of the generator's gradient before its first step, {name}"].median > 0 for name in STRONG)
    assert all(50 <= rows[f"digits that the discriminator is right about, {name}, 1 epochs"].median <= 100
               for name in ("three steps of D for each", "head start, momentum, saturating"))
    assert 0 <= rows["pictures between two draws of noise, ends included, that the judge is sure of"].median <= 100
    assert len(card.pitfalls) == 4 and {figure.file for figure in card.figures} == {
        "losses.png", "samples.png", "between.png", "classes.png", "strong.png", "learning.gif"}
