"""dcgan: the players are Radford's; held-out dogs stay out; the measures of pictures; a tiny run's rows."""
from dataclasses import replace

import numpy as np
import pytest

from exercises.__main__ import run_one
from exercises.features._images import in_rows
from exercises.generative import dcgan
from exercises.generative._pictures import arc, colours_in_rows, compare, contrast, distances, line, thumbnails
from exercises.generative.dcgan import CONFIG, QUICK, agreement, build, dogs, for_real, in_batches, last, learn, right
from tinynn import nn, no_grad
from tinynn.data import Dataset

TINY = replace(QUICK, images=24, held_out=12, width=2, epochs=2, batch=8)


def few_dogs(n=40) -> Dataset:
    """Pictures of noise in the format of the dogs."""
    x = np.random.default_rng(0).random((n, 3, 32, 32), dtype=np.float32)
    return Dataset(x, None, None, None, "few dogs", real=False)


@pytest.fixture(scope="module")
def setting():
    x, held = dogs(few_dogs(), TINY)
    config = {name: getattr(TINY, name) for name in ("width", "epochs", "batch", "rate", "beta")}
    return {"x": x, "held": held, "config": config}


# --- the players ---------------------------------------------------------------------------------------


def test_the_settings_are_the_paper_s():
    assert (CONFIG.rate, CONFIG.beta, dcgan.LATENT) == (2e-4, 0.5, (100, 1, 1))


@pytest.mark.parametrize("width", [2, 5])
def test_the_players(width):
    generator, discriminator = build(width, np.random.default_rng(0))
    x = generator(np.random.default_rng(0).standard_normal((3, 100, 1, 1), np.float32))
    assert x.shape == (3, 3, 32, 32) and x.dtype == np.float32 and np.abs(x.data).max() <= 1
    assert discriminator(x).shape == (3, 1) and discriminator(x).dtype == np.float32
    sides = [4, 8, 16, 32]
    for i, (n, side) in enumerate(zip((4 * width, 2 * width, width, 3), sides), start=1):      # conv, norm, relu
        z = generator[:3 * i](np.zeros((2, 100, 1, 1), np.float32))
        assert z.shape == (2, n, side, side)
    for i, (n, side) in zip((2, 5, 8), zip((width, 2 * width, 4 * width), sides[2::-1])):
        assert discriminator[:i](x).shape == (3, n, side, side)


def test_normalised_where_the_paper_says():
    generator, discriminator = build(2, np.random.default_rng(0))
    assert [type(layer) for layer in generator[-3:]] == [nn.ReLU, nn.ConvTranspose2d, nn.Tanh]
    assert [type(layer) for layer in discriminator[:3]] == [nn.Conv2d, nn.LeakyReLU, nn.Conv2d]
    assert [type(layer) for layer in discriminator[-3:]] == [nn.LeakyReLU, nn.Conv2d, nn.Flatten]
    for model, norms in ((generator, 3), (discriminator, 2)):
        layers = list(model)
        at = [i for i, layer in enumerate(layers) if isinstance(layer, nn.BatchNorm2d)]
        assert len(at) == norms and all(layers[i - 1].bias is None for i in at)


def test_the_start_is_narrow():
    for model in build(16, np.random.default_rng(0)):
        windows = [p.data.ravel() for p in model.parameters() if p.ndim == 4]
        assert len(windows) == 4
        for w in windows:                                       # three standard errors
            assert w.std() == pytest.approx(0.02, rel=3 / np.sqrt(2 * w.size)) and abs(w.mean()) < 3 * 0.02 / np.sqrt(w.size)


# --- the dogs ------------------------------------------------------------------------------------------


def test_held_out_dogs_are_not_learned_from():
    """Neither they nor their mirror images, however many are learned from; and the numbers are as tanh's."""
    data = few_dogs()
    for images in (10, 28, 4500):
        x, held = dogs(data, replace(TINY, images=images))
        pictures = {picture.tobytes() for picture in x}
        assert len(held) == 12 and len(x) >= min(images, 28) and x.dtype == held.dtype == np.float32
        for picture in held:
            assert picture.tobytes() not in pictures and picture[:, :, ::-1].tobytes() not in pictures
        for part in (x, held):
            assert part.shape[1:] == (3, 32, 32) and -1 <= part.min() < -0.99 and 0.99 < part.max() <= 1
    np.testing.assert_allclose((held + 1) / 2, data.x_train[-12:], atol=1e-6)


# --- what is measured ----------------------------------------------------------------------------------


def test_distances_are_of_pixels_from_0_to_1():
    x, y = (np.random.default_rng(i).uniform(-1, 1, (3 + i, 3, 32, 32)) for i in range(2))
    direct = [[np.sqrt(np.mean(((p + 1) / 2 - (q + 1) / 2) ** 2)) for q in y] for p in x]
    np.testing.assert_allclose(distances(x, y), direct)
    assert distances(-np.ones((1, 3, 32, 32)), np.ones((1, 3, 32, 32))) == 1                   # black and white


def test_copies_are_found():
    rng = np.random.default_rng(0)
    x, held = rng.uniform(-1, 1, (30, 3, 32, 32)), rng.uniform(-1, 1, (10, 3, 32, 32))
    which = rng.permutation(30)[:10]
    of = compare(x[which] + 0.01 * rng.standard_normal((10, 3, 32, 32)), x, held)
    np.testing.assert_array_equal(of["nearest"][:, 0], which)
    assert of["learned"] == 100 and of["hubs"] == 10
    np.testing.assert_allclose(of["near"], 0.01 / 2, rtol=0.05)
    assert of["near, held"].min() > 0.3                         # √(1/6) of independent ones
    assert of["apart"] == pytest.approx(np.sqrt(1 / 6), rel=0.02) == of["apart, held"]
    of = compare(held, x, held)
    assert of["learned"] == 0
    np.testing.assert_array_equal(of["near"], of["near, held"])
    order = distances(held, x).argsort(axis=1)
    np.testing.assert_array_equal(of["nearest"], order[:, :2])


def test_a_collapse_is_seen():
    rng = np.random.default_rng(0)
    of = compare(np.repeat(rng.uniform(-1, 1, (1, 3, 32, 32)), 6, axis=0), *rng.uniform(-1, 1, (2, 6, 3, 32, 32)))
    assert of["apart"] == pytest.approx(0, abs=1e-6) and of["hubs"] == 1 and of["learned"] in (0, 100)
    assert of["apart, held"] > 0.3


def test_thumbnails_and_contrast():
    x = np.random.default_rng(0).standard_normal((2, 3, 32, 32))
    small = thumbnails(x).reshape(2, 3, 8, 8)
    for n, c, i, j in ((0, 0, 0, 0), (1, 2, 3, 5), (1, 1, 7, 7)):
        assert small[n, c, i, j] == pytest.approx(x[n, c, 4 * i:4 * i + 4, 4 * j:4 * j + 4].mean())
    assert contrast(np.full((2, 3, 32, 32), 0.3)) == pytest.approx(0)
    assert contrast(np.concatenate([x[:1], 3 * x[:1]])) == pytest.approx(2 * x[0].std())


def test_ways_between():
    rng, t = np.random.default_rng(0), np.linspace(0, 1, 7)
    a, b = rng.standard_normal((2, 4, 100)).astype(np.float32)
    for way in (line, arc):
        points = way(a, b, t)
        assert points.shape == (4, 7, 100) and points.dtype == np.float32
        np.testing.assert_allclose(points[:, 0], a, atol=1e-5)
        np.testing.assert_allclose(points[:, -1], b, atol=1e-5)
    np.testing.assert_allclose(line(a, b, [0.5])[:, 0], (a + b) / 2, rtol=1e-6)
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b))
    points = arc(a, b, t).astype(float)
    np.testing.assert_allclose(np.linalg.norm(points, axis=2), 1, rtol=1e-5)                # on the sphere,
    steps = (points[:, 1:] * points[:, :-1]).sum(axis=2)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[:, :1], steps.shape), rtol=1e-5)     # in equal steps,
    np.testing.assert_allclose(np.arccos(steps).sum(axis=1), np.arccos((a * b).sum(axis=1)), rtol=1e-3)   # the short way


def test_batches_are_whole():
    discriminator = build(2, np.random.default_rng(0))[1]
    x = few_dogs(11).x_train
    with no_grad():
        expected = np.concatenate([discriminator(x[:4]).numpy(), discriminator(x[4:8]).numpy()])
    np.testing.assert_array_equal(in_batches(discriminator, x, 4), expected)
    assert np.any(in_batches(discriminator, x, 8)[:4] != expected[:4])                             # the batch matters


def test_what_is_said_of_a_run():
    thinks = {"x": np.array([1, 1, 1, -1]), "held": np.array([1, -1, -1, -1]), "made": np.array([-1, -1, -1, 2])}
    of = {"thinks": {"train": thinks}, "G": np.r_[np.full(900, 9.0), np.arange(500.0)], "epoch losses": [1, 5, 3, 4],
          "distance": [10, 50, 30, 31]}
    assert (for_real(of, "x"), for_real(of, "held"), for_real(of, "made"), right(of, "train")) == (75, 25, 25, 75)
    assert last(of, "G") == 249.5 and agreement(of) == pytest.approx(1)
    assert agreement(of | {"distance": [5, 1, 3, 2]}) == pytest.approx(-1)


def test_colours_in_rows():
    x = np.random.default_rng(0).uniform(-1, 1, (5, 3, 4, 4))
    picture = colours_in_rows(x, 3)
    assert picture.shape == (12, 18, 3)
    for c in range(3):                                          # as each colour alone, on paper that is 0 there
        np.testing.assert_allclose(picture[..., c], 1 - in_rows((1 - x[:, c]) / 2, 3, 2))
    assert in_rows(np.full((1, 2, 2), 0.5), 1, paper=1).min() == 0.5                            # not cut to whole numbers


# --- the run -------------------------------------------------------------------------------------------


def test_what_learning_leaves(setting):
    of = learn(setting, np.random.default_rng(0))
    assert of["G"].shape == of["D"].shape == of["right"].shape == (6,)                         # 3 batches, twice
    assert of["distance"].shape == of["epoch losses"].shape == (2,) and 0 <= of["right"].min() <= of["right"].max() <= 100
    assert of["made"].shape == (12, 3, 32, 32) and of["through"].shape == (2, 8, 3, 32, 32)
    assert np.any(of["through"][0] != of["through"][1])
    assert of["epoch losses"][0] == pytest.approx(of["G"][:3].mean())
    straight, round_about = (pictures.reshape(4, 9, 3, 32, 32) for pictures in of["between"])
    np.testing.assert_allclose(straight[:, 0], of["made"][:4], atol=1e-5)                      # from the same draws
    np.testing.assert_allclose(round_about[:, -1], of["made"][4:8], atol=1e-5)
    assert of["half"]["end"] == pytest.approx(contrast(of["made"]))
    assert {len(values) for values in of["thinks"]["train"].values()} == {8}                   # a whole batch of 12
    again = learn(setting, np.random.default_rng(0))
    np.testing.assert_array_equal(of["made"], again["made"])
    np.testing.assert_array_equal(of["thinks"]["eval"]["held"], again["thinks"]["eval"]["held"])


def test_a_tiny_run_has_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(dcgan, "cifar10_dogs", few_dogs)
    monkeypatch.setattr(dcgan, "with_time", lambda distances: distances[-1])                   # shows what it is given
    card = run_one(dcgan, replace(TINY, jobs=1, out=tmp_path))
    rows = {row.quantity: row for row in card.rows}
    end = rows["Fréchet distance of thumbnails from dogs never seen, samples"].median
    assert rows["rank correlation of the epochs still to come and that distance"].median == end
    assert f"the number of epochs still to come, which has seen no sample, has {end:.2f}." in card.pitfalls[1]
    assert rows["loss of G, median of the last 6 iterations"].median > 0
    assert rows["the same, by chance"].median == pytest.approx(100 * 24 / 36)
    assert all(row.verdict == "not comparable" and row.report is None for row in card.rows) and len(rows) == len(card.rows)
    assert len(card.pitfalls) == 6 and not any("nan" in text for text in card.pitfalls)
    assert [figure.file for figure in card.figures] == [
        "losses.png", "samples.png", "distance.png", "thinks.png", "between.png", "nearest.png", "learning.gif"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_run_that_diverges_counts_as_the_worst(tmp_path, monkeypatch):
    monkeypatch.setattr(dcgan, "cifar10_dogs", few_dogs)
    card = run_one(dcgan, replace(TINY, rate=1e30, jobs=1, out=tmp_path))
    rows = {row.quantity: row for row in card.rows}
    assert rows["loss of G, median of the last 6 iterations"].median is None and len(card.figures) == 7
    assert rows["Fréchet distance of thumbnails from dogs never seen, samples"].median is None
