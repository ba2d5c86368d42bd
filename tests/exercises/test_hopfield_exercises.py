"""The Hopfield exercises: the reports' configurations, tiny runs, and the facts that they show."""
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageSequence

from exercises.__main__ import run_one
from exercises.recurrent import hopfield_attractors, hopfield_digits
from tinynn.data import hopfield_digits as load_digits

TINY = {hopfield_attractors: dict(square=5, fine=(7,), cube=4, shown=3, units=30),
        hopfield_digits: dict(noise=(1, 5), steps=(2, 50), draws=3, frames=4)}


@pytest.fixture(scope="module", params=TINY, ids=lambda module: module.__name__.rpartition(".")[2])
def card(request, tmp_path_factory):
    """The card of a tiny run, saved."""
    folder = tmp_path_factory.mktemp("results")
    card = run_one(request.param, replace(request.param.QUICK, **TINY[request.param], out=folder))
    card.save(folder)
    assert {path.name for path in (folder / card.name).iterdir()} == {"card.json", *(f.file for f in card.figures)}
    return card


def rows(card) -> dict:
    return {row.quantity: row for row in card.rows}


def test_the_configurations_are_the_reports():
    config = hopfield_attractors.CONFIG
    assert (config.square, config.cube, config.reach, config.tolerance) == (11, 10, 0.1, 1e-4)
    config = hopfield_digits.CONFIG
    assert config.noise == (1, 3, 5, 7, 10) and {10, 50, 100, 500} <= set(config.steps)
    assert config.stored == 0 and config.draws >= 20
    assert [hopfield_digits.REPORT[7, steps] for steps in (50, 100, 500)] == [5, 8, 7]
    assert all(sigma in config.noise and steps in config.steps for sigma, steps in hopfield_digits.REPORT)


def test_a_tiny_run_fills_the_card(card):
    assert all(row.verdict == "not comparable" and row.median is not None for row in card.rows)
    assert len(card.figures) >= 2 and len(card.pitfalls) >= 5
    assert not any("nan" in pitfall for pitfall in card.pitfalls)
    if card.name == "hopfield_attractors":
        assert rows(card)["fixed points, 2-D"].median == rows(card)["fixed points, 2-D"].report == 9
    else:
        assert rows(card)["digits that are fixed points, of 10, li-michel-porod"].median == 10


def test_the_digits_are_recalled_in_an_animation(card):
    for figure in card.figures:
        if figure.file.endswith(".gif"):
            assert card.name == "hopfield_digits" and len(figure.image) < 300_000
            with Image.open(io.BytesIO(figure.image)) as gif:
                frames = [np.array(frame.convert("L")) for frame in ImageSequence.Iterator(gif)]
            assert len(frames) == 5 and (frames[0] < 50).mean() > 0.1           # there are digits to be seen
            assert not np.array_equal(frames[0], frames[-1])


@pytest.mark.parametrize("units, kinds", [(2, {"stable": 4, "saddle": 4, "repeller": 1}),
                                          (3, {"stable": 3, "saddle": 3, "repeller": 1})])
def test_fixed_points_are_nine_and_seven(units, kinds):
    found = [point.kind for point in hopfield_attractors.build(units).fixed_points()]
    assert {kind: found.count(kind) for kind in kinds} == kinds and len(found) == sum(kinds.values())


def test_the_numbers_of_iterations():
    square = hopfield_attractors.build(2).recall(hopfield_attractors.grid(11, 2), 1000)
    assert square.steps.mean() == pytest.approx(6.545, abs=1e-3)
    cube = hopfield_attractors.build(3).recall(hopfield_attractors.grid(10, 3, 0.1), 1000, tolerance=1e-4)
    assert cube.steps.mean() == pytest.approx(25.4, abs=0.1)


def test_ends_are_told_apart():
    patterns = np.random.default_rng(0).choice([-1.0, 1.0], (10, 240))
    states = np.array([patterns, np.roll(patterns, 1, axis=0), -patterns, np.zeros_like(patterns)])
    np.testing.assert_array_equal(hopfield_digits.ends(states, patterns), np.repeat([[0], [1], [2], [3]], 10, axis=1))


@pytest.mark.parametrize("rule", ["li-michel-porod", "pseudo-inverse"])
def test_weak_noise_is_removed(rule):
    patterns = load_digits().x_train[::20]                                      # real or stand-in
    starts = patterns + np.random.default_rng(0).standard_normal(patterns.shape)
    assert hopfield_digits.same(hopfield_digits.build(patterns, rule).recall(starts, 50).states, patterns).all()


def test_more_iterations_never_lose_a_digit():
    patterns = load_digits().x_train[::20]
    config = replace(hopfield_digits.QUICK, noise=(7,), steps=(10, 50, 100), draws=5)
    restored, _ = hopfield_digits.experiment(patterns, config)
    assert all((np.diff(counts, axis=1) >= 0).all() for counts in restored.values())
