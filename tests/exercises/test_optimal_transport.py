"""The exercise optimal_transport: a tiny run, what it does to colours, and the closed forms that it compares with."""
from dataclasses import replace

import numpy as np
import pytest

from exercises.__main__ import run_one
from exercises.generative import _gaussians, optimal_transport
from exercises.generative.optimal_transport import CONFIG, QUICK, build, carry_over, colours, distance, light_kept, transfer
from tinynn.data.ocean import stand_in
from tinynn.transport import barycentric_map, sinkhorn_cost, squared_distances, wasserstein_1d

TINY = replace(QUICK, pixels=300, shares=(0.1, 0.03), sweep=(0.1, 0.03), step=8, points=50, shifts=(0.0, 2.0), sizes=(10, 20),
               draws=2)


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    """The card of a tiny run, saved."""
    folder = tmp_path_factory.mktemp("results")
    card = run_one(optimal_transport, replace(TINY, out=folder))
    card.save(folder)
    assert {path.name for path in (folder / card.name).iterdir()} == {"card.json", *(f.file for f in card.figures)}
    return card


@pytest.fixture(scope="module")
def pictures():
    """The stand-in, fewer pixels: (N, 3) each."""
    return [colours(image[:, ::4, ::4]) for image in stand_in()]


def test_a_tiny_run_fills_the_card(card):
    assert all(row.verdict == "not comparable" and row.median is not None for row in card.rows)
    assert {figure.file for figure in card.figures} == {f"{name}.png" for name in (
        "pictures", "densities", "clouds", "eps", "gaussians")}
    assert len(card.pitfalls) == 4 and not any("nan" in pitfall for pitfall in card.pitfalls)


def test_transport_brings_the_colours_and_keeps_the_picture(card):
    rows = {row.quantity: row.median for row in card.rows}
    for name in ("day to sunset", "sunset to day"):
        before, swapped, exact, blurred = (rows[f"W₂ to the target's colours, {name}, {method}"]
                                           for method in ("before", "swapped", "exact", "ε = 0.1"))
        assert max(swapped, exact) < 0.5 * before and exact < blurred < before
        assert rows[f"correlation with the lightness before, {name}, exact"] > 0.6
        assert abs(rows[f"correlation with the lightness before, {name}, swapped"]) < 0.15


def test_the_exact_plan_moves_samples_onto_samples(pictures):
    """As it is a permutation; and with no other one would the colours move less."""
    rng = np.random.default_rng(0)
    x, y = (points[rng.choice(len(points), 50, replace=False)] for points in pictures)
    moved = barycentric_map(build()(squared_distances(x, y)), y)
    np.testing.assert_allclose(sorted(map(tuple, moved)), sorted(map(tuple, y)), atol=1e-12)
    least = ((moved - x) ** 2).sum()
    assert all(least <= ((rng.permutation(y) - x) ** 2).sum() for _ in range(20))
    np.testing.assert_allclose(distance(x, y), np.sqrt(least / 50))


def test_other_pixels_move_as_their_nearest_samples_do():
    x = np.array([[0.1, 0.1, 0.1], [0.8, 0.8, 0.8]])
    moved = x + [[0.2, 0, 0], [0, 0, 0.4]]
    points = np.array([[0.1, 0.2, 0.1], [0.7, 0.8, 0.7]])
    np.testing.assert_allclose(carry_over(points, x, moved), [[0.3, 0.2, 0.1], [0.7, 0.8, 1.0]])
    np.testing.assert_allclose(carry_over(points, x, moved, nearest=2), [[0.2, 0.2, 0.3], [0.8, 0.8, 0.9]])


def test_positions_do_not_matter(pictures):
    """The pitfall: the other picture's pixels in another order leave the entropic plan as it is."""
    rng = np.random.default_rng(0)
    x, y = (points[rng.choice(len(points), 60, replace=False)] for points in pictures)
    one, other = (barycentric_map(build(0.05)(squared_distances(x, z)), z) for z in (y, rng.permutation(y)))
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_a_small_eps_keeps_more_of_the_targets_colours(pictures):
    source, target = pictures
    done = transfer(source, target, TINY, np.random.default_rng(0))
    spreads = [done[name].std(axis=0).sum() for name in ("ε = 0.1", "ε = 0.03", "exact")]
    assert spreads == sorted(spreads) and spreads[0] < 0.9 * spreads[2]
    assert light_kept(source, source) > 0.999 and all(points.shape == source.shape for points in done.values())


def test_the_closed_forms_are_those_of_gaussians():
    """On a grid, where sums are integrals; in the plane, for independent coordinates, costs add up."""
    x, m, t = np.linspace(-8, 9, 171), 1.0, _gaussians.SPREAD
    a, b = (np.exp(-0.5 * ((x - mean) / s) ** 2) for mean, s in ((0, 1), (m, t)))
    a, b, C = a / a.sum(), b / b.sum(), squared_distances(x[:, None], x[:, None])
    line = np.array([m]), np.eye(1), np.eye(1) * t**2
    for eps in (0.3, 1.0):
        np.testing.assert_allclose(_gaussians.cost(*line, eps), sinkhorn_cost(a, b, C, eps, tol=1e-9), atol=1e-6)
        np.testing.assert_allclose(_gaussians.cost(np.array([m, m]), np.eye(2), np.eye(2) * t**2, eps),
                                   2 * _gaussians.cost(*line, eps))
    np.testing.assert_allclose(_gaussians.on_a_line(m), [wasserstein_1d(x, x, p, a, b) for p in (1, 2)], rtol=1e-2)
    np.testing.assert_allclose(_gaussians.cost(*line), _gaussians.on_a_line(m)[1] ** 2)
    assert abs(_gaussians.divergence(0 * line[0], line[1], line[1], 0.7)) < 1e-12


def test_the_configuration_shows_small_and_large_eps():
    assert CONFIG.pixels >= 1000 and min(CONFIG.shares) == min(CONFIG.sweep) == 0.001 and CONFIG.repeats > 1
