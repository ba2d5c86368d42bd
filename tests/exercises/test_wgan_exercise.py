"""wgan: the papers' configurations; what is measured; the toys' truths; a tiny run's rows."""
from dataclasses import replace

import numpy as np
import pytest
from few_digits import few_digits
from scipy import stats

from exercises.__main__ import run_one
from exercises.generative import _toys as toys
from exercises.generative import wgan
from exercises.generative.wgan import CLIPPED, GAMES, NAMES, ONE_SIDED, PENALISED, PLAIN, QUICK, jitter, learn_toy, play, told
from tinynn import nn, optim
from tinynn.train import GAN, WGAN

TOY = {"toy": toys.RING, "name": PENALISED, "points": 64, "epochs": 5, "batch": 32, "clip": 0.1, "made": 200}


def test_the_configurations_are_the_papers():
    clipped, penalised = GAMES[CLIPPED], GAMES[PENALISED]
    assert clipped["how"] == {"game": WGAN, "n_critic": 5} and wgan.CONFIG.clip == 0.01 and clipped["rate"] == 5e-5
    assert penalised["how"] == {"game": WGAN, "n_critic": 5, "penalty": 10} and penalised["rate"] == 1e-4
    parameters = nn.Linear(1, 1).parameters()
    assert isinstance(clipped["optimizer"](parameters, 1e-3), optim.RMSprop)
    adam = penalised["optimizer"](parameters, 1e-3)
    assert isinstance(adam, optim.Adam) and (adam.beta1, adam.beta2) == (0, 0.9)
    assert GAMES[PLAIN]["how"] == {"game": GAN, "n_critic": 1}
    assert GAMES[ONE_SIDED]["how"] == penalised["how"] | {"one_sided": True}


@pytest.mark.parametrize("name", GAMES)
def test_every_generator_makes_as_many_steps(name):
    rng = np.random.default_rng(0)
    generator, critic = toys.build(toys.RING, rng)
    x = toys.draw(toys.RING, 40, rng)
    epochs = wgan.epochs_of({"name": name, "epochs": 10})
    history = play(name, generator, critic, x, 1e-3, epochs, 0.02, latent=toys.LATENT, batch_size=4, samples=1, rng=rng)
    assert len(history.steps["generator_loss"]) == 20                   # 10 epochs · 10 batches ÷ 5
    assert (max(abs(p.data).max() for p in critic.parameters()) <= 0.02) == (name == CLIPPED)


def test_jitter():
    assert jitter(np.full(10, -3.0), 0) == 0
    assert jitter([9, 9, 9, 9, 1, 2, 1, 2], 0) == jitter([-9, 9, -9, 9, -1, -2, -1, -2], 0) == pytest.approx(1 / 1.5)
    assert jitter([0, 0, 11, 12], 10) == jitter([0, 0, 8, 9], 10) == pytest.approx(1 / 1.5)


def test_told():
    distances = np.array([9.0, 4, 5, 1])
    assert told({"mean": -distances**3, "distances": distances}) == pytest.approx(1)
    assert told({"mean": distances, "distances": distances}) == pytest.approx(-1)


def test_no_clipped_critic_is_steeper_than_its_bound():
    rng = np.random.default_rng(0)
    critic, x = wgan.build(dropout=0, rng=0)[1], rng.random((5, 784), dtype=np.float32)
    bound = wgan.steepest(critic, 0.01)
    assert bound == pytest.approx(0.01**3 * np.sqrt(784 * 512 * 512 * 256 * 256))
    for p in critic.parameters():
        p.data = np.full(p.shape, 0.01, p.dtype)
    assert wgan.slope(critic, x, x, rng) == pytest.approx(bound, rel=1e-5)              # the steepest of all
    for p in critic.parameters():
        p.data = rng.uniform(-0.01, 0.01, p.shape).astype(p.dtype)
    assert 0 < wgan.slope(critic, x, x, rng) < 0.2 * bound


def test_the_truth_of_the_line():
    q = toys.quantiles(1000)
    for end in toys.ENDS:                                               # SciPy's normal distribution
        half = q[q * end > 0]
        np.testing.assert_allclose(half, stats.norm(end, toys.SPREAD).ppf((np.arange(500) + 0.5) / 500), atol=2e-3)
    rng = np.random.default_rng(0)
    x = toys.draw(toys.LINE, 1000, rng)
    assert x.shape == (1000, 1) and x.dtype == np.float32
    assert toys.distance(toys.LINE, toys.quantiles(1000)[:, None] + 0.25, rng) == pytest.approx(0.25, abs=1e-9)
    assert toys.distance(toys.LINE, x, rng) < 0.2 < toys.distance(toys.LINE, x + 0.5, rng)


def test_the_truth_of_the_ring():
    rng = np.random.default_rng(0)
    x = toys.draw(toys.RING, 800, rng)
    modes, near = toys.reached(x)
    assert modes == 8 and near == pytest.approx(0.989, abs=0.015)       # 1 − exp(−3²/2)
    assert toys.reached(toys.CENTRES[:3].repeat(100, axis=0)) == (3, 1.0)
    assert toys.reached(np.zeros((50, 2))) == (0, 0.0)
    # One centre alone: an eighth of the way nowhere, the others' distances from it.
    one = np.full((800, 2), toys.CENTRES[0])
    expected = np.sqrt((np.sum((toys.CENTRES - toys.CENTRES[0])**2, axis=1)).mean() + 2 * toys.WIDTH**2)
    assert toys.distance(toys.RING, one, rng) == pytest.approx(expected, rel=0.05)
    assert toys.distance(toys.RING, x, rng) < 0.5


def test_a_toy_s_result():
    result, again = (learn_toy(TOY, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(result["x"], again["x"])
    assert result["x"].shape == (200, 2) and result["floor"] < result["distance"]
    line = learn_toy(TOY | {"toy": toys.LINE, "name": CLIPPED}, np.random.default_rng(1))
    assert line["x"].shape == (200, 1) and "reached" not in line


def test_a_tiny_run_has_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(wgan, "mnist", few_digits)
    sizes, draw = {}, wgan.draw_losses

    def drawn(card, found, config):
        sizes.update({name: [len(of["loss"]) for of in results] for name, results in found.items()})
        draw(card, found, config)
    monkeypatch.setattr(wgan, "draw_losses", drawn)
    monkeypatch.setattr(wgan.judge, "with_time", lambda distances: distances[-1])           # shows what it is given
    card = run_one(wgan, replace(QUICK, images=40, epochs=15, batch=10, judged=20, toy_points=64, toy_epochs=5, toy_batch=32,
                                 toy_made=50, judge_images=30, judge_epochs=1, jobs=1, out=tmp_path))
    rows = {row.quantity: row for row in card.rows}
    for name in GAMES:
        assert rows[f"W₂ to the truth, {toys.RING}, {name}"].median > 0
        assert 0 <= rows[f"modes reached of 8, {name}"].median <= 8
    for name in NAMES:
        assert np.isfinite(rows[f"Fréchet distance at the end, {name}"].median)
        assert -1 <= rows[f"rank correlation of loss and Fréchet distance, {name}"].median <= 1
    assert all(size == [12] for size in sizes.values())                 # steps of the generator: 15 epochs · 4 batches ÷ 5
    assert len(card.pitfalls) == 5 and not any("nan" in pitfall for pitfall in card.pitfalls)
    assert "over 3 looks" in card.pitfalls[0]
    assert f"still to come has GAN {rows['Fréchet distance at the end, GAN'].median:.2f}, " in card.pitfalls[0]
    assert {figure.file for figure in card.figures} == {"losses.png", "told.png", "samples.png", "toys.png"}
