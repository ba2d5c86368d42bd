"""Optimal transport: POT's and SciPy's numbers, enumeration, closed forms for Gaussians, gradients, clear errors."""
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

import tinynn as tn
from tinynn.kernels import transport as kernels
from tinynn.transport import (barycentric_map, emd, sinkhorn, sinkhorn_cost, sinkhorn_divergence, solve, squared_distances,
                              wasserstein_1d)

RECORDED = np.load(Path(__file__).with_name("recorded") / "pot.npz")
seeds = st.integers(0, 2 ** 32 - 1)
sides = st.integers(1, 6)


def drawn(rng, n):
    """Weights (n,), of which some are 0 and some equal."""
    a = rng.integers(0, 4, n) + rng.integers(0, 2) * rng.random(n)
    a[rng.integers(n)] += 1
    return a / a.sum()


def points(n, m, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 2)), 1 + 0.5 * rng.standard_normal((m, 2))


# --- exactly -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["equal", "unequal", "tall"])
def test_costs_and_plans_agree_with_pot(name):
    a, b, C, cost, entropic = (RECORDED[f"{name}/{key}"] for key in ("a", "b", "C", "cost", "sinkhorn"))
    P = emd(a, b, C)
    np.testing.assert_allclose((P * C).sum(), cost, rtol=1e-12)
    np.testing.assert_allclose(P.sum(axis=1), a, atol=1e-14)
    np.testing.assert_allclose(P.sum(axis=0), b, atol=1e-14)
    np.testing.assert_allclose(sinkhorn(a, b, C, RECORDED["eps"] * C.max(), tol=1e-12), entropic, atol=1e-12)


@given(sides, seeds)
def test_equal_weights_are_the_best_permutation(n, seed):
    C = np.random.default_rng(seed).integers(0, 9, (n, n)) - 3
    best = min(C[np.arange(n), list(order)].sum() for order in permutations(range(n))) / n
    P = emd(None, None, C)
    assert np.isclose((P * C).sum(), best) and set(np.unique(P * n)) <= {0.0, 1.0}


@given(sides, sides, seeds, st.sampled_from([1, 1e6, 1e-6, 0]))
def test_other_weights_are_as_the_linear_programme_of_all_ways(n, m, seed, size):
    rng = np.random.default_rng(seed)
    a, b, C = drawn(rng, n), drawn(rng, m), size * rng.integers(0, 4, (n, m))
    P = emd(a, b, C)
    sums = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    expected = optimize.linprog(C.ravel(), A_eq=sums, b_eq=np.concatenate([a, b])).fun
    np.testing.assert_allclose((P * C).sum(), expected, rtol=1e-9, atol=1e-9 * size)
    np.testing.assert_allclose(P.sum(axis=1), a, atol=1e-14)
    np.testing.assert_allclose(P.sum(axis=0), b, atol=1e-14)
    assert (P >= 0).all()


@given(st.integers(2, 6), st.booleans(), st.sampled_from([1e3, 1e8, 1e10, 1e12, 1e20, 1e100]), seeds)
def test_pairs_that_must_not_meet(n, equal, dear, seed):
    """Two of the costs are so large that they drown all others; the cheapest plan that goes round them has none of them."""
    rng = np.random.default_rng(seed)
    m = n if equal else n + 1
    a, b, C = (None, None, rng.random((n, m))) if equal else (drawn(rng, n), drawn(rng, m), rng.random((n, m)))
    shut = np.zeros((n, m), bool)
    shut[rng.integers(n, size=2), rng.integers(m, size=2)] = True
    weights = (np.full(n, 1 / n), np.full(m, 1 / m)) if equal else (a, b)
    sums = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    bounds = [(0, 0 if no else None) for no in shut.ravel()]
    without = optimize.linprog(C.ravel(), A_eq=sums, b_eq=np.concatenate(weights), bounds=bounds)
    if without.status == 0:
        P = emd(a, b, np.where(shut, dear, C))
        assert (P[shut] == 0).all()
        np.testing.assert_allclose((P * C).sum(), without.fun, rtol=1e-9)


def test_a_plan_that_costs_nothing_is_left_as_it_is():
    P = emd(None, None, 1e12 * (1 - np.eye(3)))
    np.testing.assert_array_equal(P, np.eye(3) / 3)


def test_ways_are_opened_until_nothing_can_be_saved(monkeypatch):
    """With useless prices to begin with, many rounds are needed, and the plan is the same."""
    x, y = points(30, 40)
    a, b, C = drawn(np.random.default_rng(1), 30), drawn(np.random.default_rng(2), 40), squared_distances(x, y)
    cost = (emd(a, b, C) * C).sum()
    monkeypatch.setattr(kernels, "sinkhorn", lambda *problem: (None, 10 * a, -300 * b, 1, 0.0))
    np.testing.assert_allclose((emd(a, b, C) * C).sum(), cost, rtol=1e-12)


# --- on a line -----------------------------------------------------------------------------------------------------------

@given(sides, sides, seeds)
def test_distances_on_a_line_are_those_of_the_cheapest_plan(n, m, seed):
    rng = np.random.default_rng(seed)
    x, y, a, b = rng.integers(-3, 4, n), rng.normal(size=m), drawn(rng, n), drawn(rng, m)
    C = np.abs(x[:, None] - y)
    for p in (1, 2):
        np.testing.assert_allclose(wasserstein_1d(x, y, p, a, b), (emd(a, b, C**p) * C**p).sum() ** (1 / p), atol=1e-9)
    np.testing.assert_allclose(wasserstein_1d(x, y, 1, a, b), stats.wasserstein_distance(x, y, a, b), atol=1e-12)
    np.testing.assert_allclose(wasserstein_1d(x, y), stats.wasserstein_distance(x, y), atol=1e-12)


def test_distances_on_a_line_agree_with_pot():
    x, y, a, b = (RECORDED[f"line/{key}"] for key in "xyab")
    for p in (1, 2):
        np.testing.assert_allclose(wasserstein_1d(x, y, p, a, b), RECORDED[f"line/distance{p}"], rtol=1e-12)


# --- Sinkhorn ------------------------------------------------------------------------------------------------------------

@given(sides, sides, seeds, st.sampled_from([1.0, 0.1, 0.02]))
def test_both_sums_are_right_to_the_tolerance(n, m, seed, eps):
    rng = np.random.default_rng(seed)
    a, b, C = drawn(rng, n), drawn(rng, m), rng.random((n, m))
    for backend in ("numba", "numpy"):
        with tn.kernels.use(backend):
            P = sinkhorn(a, b, C, eps, tol=1e-4, max_iter=100_000)
        assert np.abs(P.sum(axis=1) - a).sum() <= 1e-12 and np.abs(P.sum(axis=0) - b).sum() <= 1e-4 * (1 + 1e-9)


@pytest.mark.parametrize("eps", [0.3, 1e-3, 1e-6])
def test_tiny_eps_neither_overflows_nor_parts_the_twins(eps):
    """For 1e-6 all of e^(−C/ε) is 0: iterations in logarithms and scalings must take turns."""
    x, y = points(20, 30)
    a, b, C = drawn(np.random.default_rng(1), 20), drawn(np.random.default_rng(2), 30), squared_distances(x, y)
    for iterations in (1, 2, 77):
        one, other = (run(a, b, C, eps, 1e-9, iterations) for run in (kernels.sinkhorn, kernels.sinkhorn.reference))
        assert one[3] == other[3] <= iterations
        for i in (1, 2):
            np.testing.assert_allclose(one[i], other[i], atol=1e-12)
        for i in (0, 4):
            np.testing.assert_allclose(one[i], other[i], atol=1e-14 / eps)


@pytest.mark.parametrize("x, error", [(np.linspace(-20, 20, 9999), 4e-15), (np.linspace(-530, 600, 9999), 1e-13)])
def test_exponentials_are_as_exact_as_they_say(x, error):
    """The function itself, and as it is compiled: the compiler may reorder its sums."""
    kernels.sinkhorn(np.ones(1), np.ones(1), np.ones((1, 1)), 1.0, 1.0, 1)
    for f in (kernels.exponentials, getattr(kernels.exponentials, "py_func", kernels.exponentials)):
        y = x.copy()
        f(y)
        np.testing.assert_allclose(y, np.exp(x), rtol=error)
    outside = np.array([-np.inf, -1e9, 1e9])
    kernels.exponentials(outside)
    np.testing.assert_allclose(outside, np.exp([-530, -530, 600]), rtol=1e-13)


def test_where_nothing_lies_and_nothing_goes_costs_do_not_matter():
    """Between them K would be infinite."""
    a, b, C = np.array([0, 0.5, 0.5]), np.array([0.3, 0, 0.7]), np.array([[2.0, -90, 2], [1, 2, 2], [2, 2, 1]])
    for backend in ("numba", "numpy"):
        with tn.kernels.use(backend):
            P = sinkhorn(a, b, C, 0.05)
        np.testing.assert_allclose(P[1:, ::2], sinkhorn([0.5, 0.5], [0.3, 0.7], C[1:, ::2], 0.05), atol=1e-9)
        assert not P[0].any() and not P[:, 1].any()


def test_from_everything_everywhere_to_the_cheapest_plan():
    x, y = points(12, 12)
    C = squared_distances(x, y)
    np.testing.assert_allclose(sinkhorn(None, None, C, 1e6), np.full((12, 12), 1 / 144), rtol=1e-4)
    least, before = (emd(None, None, C) * C).sum(), np.inf
    for eps in (1, 0.1, 0.03):                                  # the entropy of a plan is between 0 and ln 144
        above = (sinkhorn(None, None, C, eps) * C).sum() - least
        assert -1e-5 < above < min(before, eps * np.log(144))
        before = above


def test_the_limit_of_iterations_warns_and_reports():
    x, y = points(20, 20)
    C, a = squared_distances(x, y), np.full(20, 0.05)
    with pytest.warns(RuntimeWarning, match="after 3 iterations.*tol = 1e-06.*max_iter") as record:
        found = solve(a, a, C, 0.01, max_iter=3)
    assert found.iterations == 3 and found.error > 1e-3 and len(record) == 1
    np.testing.assert_allclose(np.abs(found.plan.sum(axis=0) - 0.05).sum(), found.error)
    np.testing.assert_allclose(found.plan, np.exp((found.f[:, None] + found.g - C) / 0.01) / 400, atol=1e-100)


def test_the_divergence_warns_where_its_limit_is_met():
    x, y = points(20, 20)
    with pytest.warns(RuntimeWarning, match="after 3 iterations") as record:
        sinkhorn_divergence(x, y, 0.01, max_iter=3)
    assert len(record) == 3                                     # from x to y, from x to x, from y to y


def test_the_cost_is_what_is_minimised():
    x, y = points(9, 7)
    a, b, C, eps = drawn(np.random.default_rng(1), 9), drawn(np.random.default_rng(2), 7), squared_distances(x, y), 0.3

    def cost(P):
        used = P > 0
        return (P * C).sum() + eps * (P[used] * np.log(P[used] / np.outer(a, b)[used])).sum()
    P, best = sinkhorn(a, b, C, eps, tol=1e-12), sinkhorn_cost(a, b, C, eps, tol=1e-12)
    np.testing.assert_allclose(best, cost(P), rtol=1e-10)
    assert best < cost(0.99 * P + 0.01 * np.outer(a, b)) and best < cost(0.99 * P + 0.01 * emd(a, b, C))


@pytest.mark.parametrize("eps", [0.2, 2.0])
def test_gaussians_cost_what_the_closed_form_says(eps):
    """Janati, Muzellec, Peyré & Cuturi 2020, "Entropic optimal transport between unbalanced Gaussian measures has a closed
    form", theorem 1, on a grid so fine that sums over it are integrals; the plan is a Gaussian, too."""
    x, (m, s, t) = np.linspace(-9, 9, 181)[:, None], (0.7, 1.0, 0.6)

    def gaussian(mean, deviation):
        weight = np.exp(-0.5 * ((x[:, 0] - mean) / deviation) ** 2)
        return weight / weight.sum()

    def closed(m, s, t):
        half, root = eps / 2, np.sqrt(4 * s**2 * t**2 + eps**2 / 4)
        return m**2 + s**2 + t**2 - root + half * (1 - np.log(2 * half)) + half * np.log(root + half)
    a, b = gaussian(0, s), gaussian(m, t)
    np.testing.assert_allclose(sinkhorn_cost(a, b, squared_distances(x, x), eps, tol=1e-10), closed(m, s, t), atol=1e-8)
    expected = closed(m, s, t) - (closed(0, s, s) + closed(0, t, t)) / 2
    np.testing.assert_allclose(sinkhorn_divergence(x, x, eps, a, b, tol=1e-10), expected, atol=1e-8)


def test_the_divergence_is_0_for_equal_points_and_between_its_limits():
    x, y = points(30, 20)
    assert abs(sinkhorn_divergence(x, x[::-1], 0.5)) < 1e-9 < 0.1 < sinkhorn_divergence(x, y, 0.5)
    means = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    np.testing.assert_allclose(sinkhorn_divergence(x, y, 1e6), means, rtol=1e-4)
    C = squared_distances(x, y)
    np.testing.assert_allclose(sinkhorn_divergence(x, y, 2e-3, tol=1e-4, max_iter=100_000), (emd(None, None, C) * C).sum(),
                               rtol=1e-2)


# --- gradients -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("p", [1, 2])
def test_gradients_on_a_line(p):
    rng = np.random.default_rng(p)
    a, b = drawn(rng, 5), drawn(rng, 4)
    report = tn.check_gradients(lambda x, y: wasserstein_1d(x, y, p, a, b), rng.normal(size=5), rng.normal(size=4), order=2)
    assert report.checked > 10 and not report.skipped


def test_gradients_of_cost_and_divergence():
    """To points and weights at once; where weights add up to 1."""
    x, y = points(5, 4)
    rows, columns = np.random.default_rng(0).standard_normal((2, 5))
    tn.check_gradients(lambda x, y, a, b: sinkhorn_cost(tn.softmax(a), tn.softmax(b), squared_distances(x, y), 1.0, 1e-13),
                       x, y, rows, columns[:4])
    tn.check_gradients(lambda x, y: sinkhorn_divergence(x, y, 4.0, tol=1e-13), x[:3], y[:2], order=2)
    tn.check_gradients(lambda y: sinkhorn_divergence(x, y, 2.0, b=np.full(4, 0.25), tol=1e-13), y)


def test_descending_the_divergence_brings_points_to_points():
    x, target = points(15, 15)
    x = tn.Tensor(x, requires_grad=True)
    optimizer = tn.optim.Adam([x], lr=0.1)
    for _ in range(80):
        loss = optimizer.step(lambda: sinkhorn_divergence(x, target, 0.1, tol=1e-3))
    assert loss < 0.01 < 1 < sinkhorn_divergence(points(15, 15)[0], target, 0.1)


# --- what goes in, what comes out ----------------------------------------------------------------------------------------

@given(sides, seeds)
def test_the_barycentric_map_of_a_permutation_permutes(n, seed):
    rng = np.random.default_rng(seed)
    order, y = rng.permutation(n), rng.standard_normal((n, 2))
    np.testing.assert_allclose(barycentric_map(np.eye(n)[order] / n, y), y[order])


def test_the_barycentric_map_is_a_weighted_mean():
    np.testing.assert_allclose(barycentric_map([[0.1, 0.3], [0.6, 0]], [[0.0, 4], [8, 0]]), [[6, 1], [0, 4]])


def test_costs_are_squared_distances():
    x, y = points(6, 4)
    np.testing.assert_allclose(squared_distances(x, y), ((x[:, None] - y) ** 2).sum(axis=2), atol=1e-14)


def test_everything_keeps_the_dtype():
    x, y = (v.astype(np.float32) for v in points(6, 4))
    C = squared_distances(x, y)
    P, rows, columns = sinkhorn(None, None, C, 1.0), x[:, 0], y[:, 0]
    results = [C, P, emd(None, None, C), emd(None, None, C[:4]), barycentric_map(P, y), wasserstein_1d(rows, columns, 2),
               sinkhorn_cost(None, None, tn.Tensor(C), 1.0).data, sinkhorn_divergence(x, y, 1.0),
               wasserstein_1d(tn.Tensor(rows), columns).data]
    assert {np.asarray(result).dtype for result in results} == {np.dtype(np.float32)}
    assert emd(None, None, [[1, 2], [3, 5]]).dtype == sinkhorn(None, None, [[1, 2]], 1).dtype == np.float64


def test_near_points_far_from_0_keep_their_digits():
    np.testing.assert_allclose(squared_distances(np.float32([[1000]]), np.float32([[1000.1]])), 0.01, rtol=1e-3)
    x, y = (1000 + v.astype(np.float32) for v in points(30, 20))
    exact = ((x[:, None].astype(float) - y) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared_distances(x, y), exact, rtol=1e-5, atol=1e-5)
    assert squared_distances(x, x).min() > -1e-5                # a rounding, where the points have a variance of 1
    assert squared_distances(x[:0], y).shape == (0, 20)
    tn.check_gradients(squared_distances, *(100 + v for v in points(3, 2)), order=2)


def test_tensors_of_ints_are_as_arrays_of_ints():
    """Also beside costs of another dtype; and the result is a Tensor."""
    rng = np.random.default_rng(0)
    x, y, C = rng.integers(0, 9, (4, 2)), rng.integers(0, 9, (3, 2)), rng.integers(0, 9, (2, 3))
    for f, *arrays in ((wasserstein_1d, x[:, 0], y[:, 0]), (lambda x, y: wasserstein_1d(x, y, 2), x[:, 0], y[:, 0]),
                       (squared_distances, x, y), (lambda x, y: sinkhorn_divergence(x, y, 9.0), x, y),
                       (lambda a, C: sinkhorn_cost(a, None, C, 1.0), np.array([0, 1]), C),
                       (lambda a: sinkhorn_cost(a, None, C.astype(np.float32), 1.0), np.array([0, 1]))):
        expected, found = f(*arrays), f(*map(tn.Tensor, arrays))
        assert isinstance(found, tn.Tensor) and found.dtype == expected.dtype and np.all(expected > -1e-9)
        np.testing.assert_array_equal(found.data, expected)
    x = tn.Tensor(x[:, 0] + 0.5, requires_grad=True)            # ints beside a Tensor with a gradient
    np.testing.assert_allclose(tn.grad(wasserstein_1d(x, tn.Tensor(np.full(5, 20))), [x])[0], -0.25)


def test_solve_takes_what_sinkhorn_takes():
    C = [[1, 2], [3, 5]]
    found = solve(None, [0.25, 0.75], C, 1)
    np.testing.assert_array_equal(found.plan, sinkhorn(None, [0.25, 0.75], C, 1))
    np.testing.assert_allclose(found.plan.sum(axis=1), 0.5)


def test_it_is_there_when_first_used():
    assert tn.transport.emd is emd and "transport" in tn.__all__


@pytest.mark.parametrize("use, message", [
    (lambda: emd(None, None, [1.0, 2]), r"emd: C has shape \(2,\); expected \(n, m\)"),
    (lambda: emd(None, None, np.ones((0, 2))), r"C has shape \(0, 2\)"),
    (lambda: emd(None, None, [[np.nan]]), r"emd: C: x\[0, 0\] is nan"),
    (lambda: emd([0.5, 0.4], None, np.eye(2)), r"emd: a has weights .* add up to 0.9.*divide them by their sum"),
    (lambda: emd(None, [1.5, -0.5], np.eye(2)), "emd: b has weights from -0.5"),
    (lambda: emd(None, [1.0], np.eye(2)), r"emd: b has shape \(1,\); expected \(2,\)"),
    (lambda: sinkhorn(None, None, np.eye(2), 0), "sinkhorn: eps is 0.*expected eps > 0"),
    (lambda: sinkhorn(None, None, np.eye(2), 1, tol=0), "tol 0"),
    (lambda: sinkhorn(None, None, np.eye(2), 1, max_iter=0), "max_iter 0"),
    (lambda: sinkhorn(None, None, np.eye(2), 1, max_iter=1.5), "max_iter 1.5"),
    (lambda: sinkhorn(None, None, np.eye(2), 1, max_iter=np.inf), "max_iter inf"),
    (lambda: solve([0.5, 0.5], None, np.ones((3, 2)), 1), r"a has shape \(2,\); expected \(3,\)"),
    (lambda: solve(None, [2.0], [[1.0]], 1), "b has weights from 2 up that add up to 2"),
    (lambda: solve(None, None, [[np.nan]], 1), r"C: x\[0, 0\] is nan"),
    (lambda: sinkhorn_cost(None, None, np.eye(2), np.nan), "^sinkhorn_cost: eps is nan"),
    *[(lambda wrong=wrong: sinkhorn_divergence(np.eye(2), np.eye(2), **{"eps": 1, **wrong}), f"^sinkhorn_divergence: .*{told}")
      for wrong, told in (({"eps": np.nan}, "eps is nan"), ({"tol": 0}, "tol 0"), ({"max_iter": 0}, "max_iter 0"),
                          ({"max_iter": 1.5}, "max_iter 1.5"))],
    (lambda: sinkhorn_cost(None, [2.0], np.ones((2, 1)), 1), "sinkhorn_cost: b has weights from 2 up that add up to 2"),
    (lambda: sinkhorn_cost(tn.Tensor([0.2, 0.2]), None, np.eye(2), 1), "sinkhorn_cost: a .* add up to 0.4"),
    (lambda: sinkhorn_divergence(np.ones((3, 2)), np.ones((3, 1)), 1), "squared_distances: .* expected"),
    (lambda: wasserstein_1d([1.0], [2.0], p=3), "p is 3; expected 1 or 2"),
    (lambda: wasserstein_1d([[1.0]], [2.0]), r"wasserstein_1d: x has shape \(1, 1\)"),
    (lambda: wasserstein_1d([1.0], []), r"wasserstein_1d: y has shape \(0,\)"),
    (lambda: wasserstein_1d([1.0], [np.inf]), r"wasserstein_1d: y: x\[0\] is inf"),
    (lambda: wasserstein_1d([1.0], [1j]), "wasserstein_1d: y: x has dtype complex128; expected real"),
    (lambda: wasserstein_1d([1.0], [1.0, 2], a=[1, 1]), r"a has shape \(2,\); expected \(1,\)"),
    (lambda: barycentric_map(np.eye(2), np.ones((3, 1))), r"barycentric_map: P has shape \(2, 2\), y has \(3, 1\)"),
    (lambda: barycentric_map([[1.0, 0], [0, 0]], np.eye(2)), "barycentric_map: row 1 of P sums to 0"),
])
def test_bad_input_is_refused_by_name(use, message):
    with pytest.raises(ValueError, match=message):
        use()


def test_small_weights_count():
    """Two clusters, and 900 points between them of which each weighs next to nothing: all of it must go somewhere."""
    rng = np.random.default_rng(0)
    x, y = rng.random(902), rng.random(5)
    a = np.full(902, 9e-13)
    a[:2] = (1 - 900 * 9e-13) / 2
    C = np.abs(x[:, None] - y)
    np.testing.assert_allclose((emd(a, None, C) * C).sum(), stats.wasserstein_distance(x, y, a), rtol=1e-6)
    far, heavy = np.linspace(0, 1e6, 20000), np.full(20000, 5e-12)
    heavy[0] += 1 - heavy.sum()
    x, a = np.array([*range(10), 1e6]), [0.1] * 10 + [0]
    assert wasserstein_1d(x, x[:10], 2, a) == 0                 # what weighs nothing counts for nothing
    np.testing.assert_allclose(wasserstein_1d(far, [0.0], 2, heavy), np.sqrt(heavy @ far ** 2), rtol=1e-6)


def test_equal_distributions_with_other_numbers_of_points_have_no_distance():
    """1/7 and 3/21, added up, differ in the last digit."""
    x = 100 * np.random.default_rng(0).standard_normal(7)
    assert wasserstein_1d(x, np.repeat(x, 3), p=2) == 0


def test_gradients_to_be_differentiated_again_are_the_gradients():
    x, y = points(3, 2)
    a, b = np.full(3, 1 / 3), np.full(2, 1 / 2)

    def gradients(create_graph):
        leaves = [tn.Tensor(v, requires_grad=True) for v in (a, b, x, y)]
        values = (sinkhorn_cost(leaves[0], leaves[1], squared_distances(x, y), 0.5, tol=1e-12),
                  sinkhorn_divergence(leaves[2], leaves[3], 4.0, leaves[0], leaves[1], tol=1e-12))
        return [getattr(g, "data", g) for value in values for g in tn.grad(value, leaves, create_graph=create_graph)]
    for plain, recorded in zip(gradients(False), gradients(True)):
        np.testing.assert_allclose(recorded, plain, atol=1e-9)


def test_in_float32_the_way_back_takes_no_more_iterations_than_the_way_there(monkeypatch):
    from tinynn.transport import entropic
    x, used, run = tn.Tensor(np.float32(points(5, 5)[0]), requires_grad=True), [], entropic.averaged

    def averaged(*args):
        used.append(run(*args)[1])
        return run(*args)
    monkeypatch.setattr(entropic, "averaged", averaged)
    value = sinkhorn_divergence(x, np.float32(points(5, 5)[1]), 1.0, tol=1e-8)
    tn.grad(value, [x], create_graph=True)
    assert used[2:] == used[:1] and used[0] < 100
