"""The exercise pca: the report's configuration, a tiny run, and the facts that it shows."""
from dataclasses import replace

import numpy as np
import pytest

from exercises.__main__ import run_one
from exercises.features import _images, pca
from tinynn import data


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    """The card of a tiny run, saved."""
    folder = tmp_path_factory.mktemp("results")
    card = run_one(pca, replace(pca.QUICK, draws=2, kept=(1, 256), steps=20, out=folder))
    card.save(folder)
    assert {path.name for path in (folder / card.name).iterdir()} == {"card.json", *(f.file for f in card.figures)}
    return card


def test_the_configuration_is_the_reports():
    config = pca.CONFIG
    assert (config.points, config.columns) == (500, 50) and config.kept[-1] == 256 and config.draws >= 20


def test_a_tiny_run_fills_the_card(card):
    assert all(row.verdict == "not comparable" and row.median is not None for row in card.rows)
    assert len(card.figures) == 6 and len(card.pitfalls) == 4
    assert not any("nan" in pitfall for pitfall in card.pitfalls)


def test_the_card_has_the_reports_numbers(card):
    rows = {row.quantity: row for row in card.rows}
    noise = rows["components for 90 % of the variance, noise"]
    assert noise.report == 42 and 41 <= noise.median <= 43
    assert rows["variance that three components explain, spectra (generated stand-in)"].median > 99.9
    everything = rows["RMSD of a pixel (ink 1, paper 0), threes, q = 256"]
    assert everything.report == 1e-5 and everything.median < 1e-14


def test_what_is_lost_was_discarded():
    x = data.threes().x_train                                                   # real or stand-in
    squared, discarded = pca.losses(pca.build().fit(x), x)
    assert squared.shape == discarded.shape == (257,)
    np.testing.assert_allclose(squared, discarded, atol=1e-13 * squared[0])
    np.testing.assert_allclose(squared[0], x.var(axis=0).sum())
    assert squared[-1] < 1e-28 and pca.rms(squared)[-1] < 1e-14 and discarded[-1] == 0


def test_a_reconstruction_from_q_components_is_that_of_a_pca_with_q():
    x = np.random.default_rng(0).standard_normal((20, 6))
    few = pca.build(3).fit(x)
    np.testing.assert_allclose(pca.reconstruct(pca.build().fit(x), x, 3), few.inverse_transform(few.transform(x)))


def test_images_are_put_in_rows():
    images = np.arange(1, 13).reshape(3, 2, 2)
    np.testing.assert_array_equal(_images.in_rows(images, 2, border=1), [
        [1, 2, 0, 5, 6, 0], [3, 4, 0, 7, 8, 0], [0] * 6,
        [9, 10, 0, 0, 0, 0], [11, 12, 0, 0, 0, 0], [0] * 6])


def test_images_are_placed_where_there_is_room():
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots()
    _images.place(ax, np.array([[0.0, 0], [0.01, 0], [1, 0], [0, 1]]), np.ones((4, 3, 3)))
    assert len(ax.images) == 3
    plt.close(fig)
