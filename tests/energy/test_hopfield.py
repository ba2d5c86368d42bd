"""Hopfield networks: the reports' networks, energies that never rise, recall, fixed points against brute force."""
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynn as tn
from tinynn.energy import Hopfield, ModernHopfield, hebb_capacity

pytestmark = pytest.mark.filterwarnings("ignore:.*patterns are more than")       # small networks, on purpose
PLANE = [(1, 1), (-1, -1), (1, -1)]
SPACE = [(1, 1, 1), (-1, -1, 1), (1, -1, -1)]
SIGN_RULES = "hebb", "storkey", "pseudo-inverse"
RULES = "li-michel-porod", *SIGN_RULES


def random_patterns(rng, q, n):
    return np.unique(rng.choice([-1, 1], (q, n)), axis=0)


def kinds(network):
    found = [point.kind for point in network.fixed_points()]
    return {kind: found.count(kind) for kind in set(found)}


def test_the_network_of_two_units():
    network = Hopfield(PLANE)
    np.testing.assert_allclose(network.W, 1.161834 * np.eye(2), atol=1e-6)
    np.testing.assert_allclose(network.b, 0, atol=1e-12)
    assert kinds(network) == {"stable": 4, "saddle": 4, "repeller": 1}
    stable = {tuple(point.state) for point in network.fixed_points() if point.kind == "stable"}
    assert stable - set(PLANE) == {(-1, 1)}                                     # the only spurious one


def test_the_network_of_three_units():
    network = Hopfield(SPACE)
    off = network.W - np.diag(np.diag(network.W))
    np.testing.assert_allclose(np.diag(network.W), 0.848933, atol=1e-6)
    np.testing.assert_allclose(np.abs(off[off != 0]), 0.312901, atol=1e-6)
    np.testing.assert_allclose(np.abs(network.b), 0.284852, atol=1e-6)
    assert kinds(network) == {"stable": 3, "saddle": 3, "repeller": 1}
    states = {point.kind: point.state for point in network.fixed_points()}
    np.testing.assert_allclose(states["repeller"], (0.3667, -0.3667, 0.3667), atol=1e-4)
    assert any(np.allclose(point.state, (1, 0.06045472, -0.06045472), atol=1e-8) for point in network.fixed_points())


def test_steps_of_the_reports_grids():
    axis = np.linspace(-1, 1, 11)
    grid = np.array(list(itertools.product(axis, axis)))
    assert Hopfield(PLANE).recall(grid, 1000).steps.mean() == pytest.approx(6.5, abs=0.05)
    axis = np.linspace(-0.1, 0.1, 10)
    grid = np.array(list(itertools.product(axis, axis, axis)))
    assert Hopfield(SPACE).recall(grid, 1000).steps.mean() == pytest.approx(54.65, abs=1)     # to the last bit: rounding
    assert Hopfield(SPACE).recall(grid, 1000, tolerance=1e-4).steps.mean() == pytest.approx(25.4, abs=0.05)


@pytest.mark.parametrize("rule", RULES)
@given(seed=st.integers(0, 10**6), q=st.integers(1, 5), n=st.integers(2, 12))
@settings(max_examples=40, deadline=None)
def test_energy_never_rises(rule, seed, q, n):
    rng = np.random.default_rng(seed)
    network = Hopfield(random_patterns(rng, q, n), rule)
    start = rng.uniform(-1, 1, (7, n)) if network.saturating else rng.choice([-1.0, 1.0], (7, n))
    one_by_one = network.recall(start, 20, "asynchronous", rng, trajectory=True).trajectory
    assert (np.diff(network.energy(one_by_one), axis=0) <= 1e-12).all()
    together = network.recall(start, 20, trajectory=True).trajectory
    if network.saturating:
        energy = network.energy(together)
    else:
        energy = network.energy(together[1:], before=together[:-1])
    assert (np.diff(energy, axis=0) <= 1e-12).all()


def test_the_energy_without_the_identity_does_rise():
    """Report A's −½xᵀWx for the saturating network."""
    network = Hopfield(SPACE)
    starts = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    paths = network.recall(starts, trajectory=True).trajectory
    wrong = -0.5 * np.einsum("tmi,ij,tmj->tm", paths, network.W, paths)
    assert (np.diff(wrong, axis=0) > 1e-3).any()
    assert (np.diff(network.energy(paths), axis=0) <= 1e-12).all()


def test_energy_gradient_is_state_minus_field():
    rng = np.random.default_rng(1)
    for network, slope in ((Hopfield(SPACE), lambda x, h: x - h), (Hopfield(SPACE, "hebb"), lambda x, h: -h)):
        x = tn.Tensor(rng.uniform(-1, 1, 3), requires_grad=True)
        gradient, = tn.grad(network.energy(x), [x])
        np.testing.assert_allclose(gradient, slope(x.data, network.field(x.data)), rtol=1e-12)
        tn.check_gradients(network.energy, rng.uniform(-1, 1, (4, 3)))


def test_saturating_fixed_points_are_fixed_and_complete():
    """Complete: no random start ends anywhere else."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        network = Hopfield(random_patterns(rng, 4, 5))
        points = network.fixed_points()
        for point in points:
            np.testing.assert_allclose(network.update(point.state), point.state, atol=1e-12)
            nearby = point.state + 1e-4 * rng.standard_normal((50, 5))
            back = np.abs(network.recall(np.clip(nearby, -1, 1), 3000).states - point.state).max(axis=1) < 1e-9
            assert back.all() if point.kind == "stable" else not back.all()
        ends = network.recall(rng.uniform(-1, 1, (200, 5)), 3000).states
        distance = np.abs(ends[:, None] - np.array([point.state for point in points])).max(axis=2).min(axis=1)
        assert distance.max() < 1e-9


@pytest.mark.parametrize("rule", SIGN_RULES)
def test_sign_fixed_points_by_definition(rule):
    network = Hopfield(random_patterns(np.random.default_rng(3), 2, 14), rule)
    found = {tuple(point.state) for point in network.fixed_points()}
    for state in itertools.product((-1.0, 1.0), repeat=14):
        h = network.W @ state + network.b
        fixed = all(abs(hi) < 1e-9 or np.sign(hi) == xi for hi, xi in zip(h, state))
        assert fixed == (state in found)


def test_hebb_by_its_formula():
    xi = np.array([(1, -1, 1), (1, 1, 1)])
    expected = [[0 if i == j else sum(p[i] * p[j] for p in xi) / 3 for j in range(3)] for i in range(3)]
    np.testing.assert_allclose(Hopfield(xi, "hebb").W, expected)


def test_storkey_by_its_formula():
    patterns = random_patterns(np.random.default_rng(0), 3, 6)
    W = np.zeros((6, 6))
    for xi in patterns:
        h = np.array([[sum(W[i, k] * xi[k] for k in range(6) if k not in (i, j)) for j in range(6)] for i in range(6)])
        W = W + np.array([[0 if i == j else (xi[i] * xi[j] - xi[i] * h[j, i] - h[i, j] * xi[j]) / 6
                           for j in range(6)] for i in range(6)])
    network = Hopfield(patterns, "storkey")
    np.testing.assert_allclose(network.W, W, atol=1e-14)


@pytest.mark.parametrize("rule", ["pseudo-inverse", "li-michel-porod"])
def test_rules_that_store_correlated_patterns_exactly(rule):
    rng = np.random.default_rng(2)
    patterns = np.where(rng.random((12, 40)) < 0.85, 1, -1)                     # most bits agree
    network = Hopfield(patterns, rule)
    np.testing.assert_allclose(network.update(network.patterns), patterns, atol=1e-12)
    assert not np.array_equal(Hopfield(patterns, "hebb").update(network.patterns), patterns)


def test_storkey_holds_more_than_hebb():
    rng = np.random.default_rng(4)
    wrong = {rule: 0 for rule in ("hebb", "storkey")}
    for _ in range(5):
        patterns = rng.choice([-1, 1], (26, 200))                               # 0.13 N
        for rule in wrong:
            network = Hopfield(patterns, rule)
            wrong[rule] += (network.recall(network.patterns, mode="asynchronous", rng=0).states != patterns).sum()
    assert wrong["storkey"] < wrong["hebb"] / 5


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
@pytest.mark.parametrize("rule", RULES)
def test_recall_repairs_noise(rule, mode):
    rng = np.random.default_rng(5)
    patterns = rng.choice([-1, 1], (5, 100))
    network = Hopfield(patterns, rule)
    result = network.recall(patterns * rng.choice([-1, 1], (5, 100), p=[0.1, 0.9]), 200, mode, rng)
    np.testing.assert_array_equal(result.states, patterns)
    assert set(result.reason) == {"converged"} and (result.steps < 200).all()


def test_two_states_may_swap():
    network = Hopfield([(1, 1)], "hebb")                                        # W = [[0, ½], [½, 0]]
    result = network.recall([1, -1], 50)
    assert result.reason == "swaps two states" and result.steps == 1
    assert network.recall([1, -1], 50, "asynchronous", rng=0).reason == "converged"


def test_where_a_state_ends_does_not_depend_on_the_others():
    rng = np.random.default_rng(0)
    with pytest.warns(UserWarning, match="can hold"):
        network = Hopfield(rng.choice([-1.0, 1.0], (12, 20)), "hebb")
    starts = rng.choice([-1.0, 1.0], (60, 20))
    together = network.recall(starts)
    assert (together.reason == "swaps two states").sum() > 10
    for start, end, steps in zip(starts, together.states, together.steps):
        alone = network.recall(start)
        np.testing.assert_array_equal(alone.states, end)
        assert alone.steps == steps


def test_a_trajectory_ends_where_recall_without_one_does():
    network = Hopfield([(1, 1), (-1, -1), (1, -1)])
    starts = np.random.default_rng(1).uniform(-1, 1, (50, 2)) * [1e-3, 1]
    plain, path = (network.recall(starts, 60, "asynchronous", rng=0, tolerance=1e-3, trajectory=kept)
                   for kept in (False, True))
    np.testing.assert_allclose(path.states, plain.states, atol=1e-12)
    np.testing.assert_array_equal(path.steps, plain.steps)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_starts_of_any_size_end_in_fixed_points(rule, backend):
    rng = np.random.default_rng(2)
    network = Hopfield(random_patterns(rng, 2, 12), rule)
    with tn.kernels.use(backend):
        ends = network.recall(rng.uniform(-1, 1, (50, 12)) * 1e18, 200, "asynchronous", rng=0)
    assert set(ends.reason) == {"converged"}
    np.testing.assert_allclose(network.update(ends.states), ends.states, atol=1e-12)


def test_one_pattern_is_never_too_many(recwarn):
    Hopfield([(1, -1, 1, -1, 1)], "hebb")
    assert not recwarn


def test_recall_stops_at_the_limit_and_says_so():
    network = Hopfield(SPACE)
    start = np.full(3, 0.05)
    assert network.recall(start, 2).reason == "step limit"
    assert network.recall(start, 2, "asynchronous", rng=0).reason == "step limit"
    assert network.recall(start, 2).steps == 2


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_one_state_or_many_and_trajectories(mode):
    network = Hopfield(SPACE)
    starts = np.random.default_rng(6).uniform(-1, 1, (4, 3))
    many = network.recall(starts, 60, mode, rng=1, trajectory=True)
    again = network.recall(starts, 60, mode, rng=1)
    np.testing.assert_allclose(many.states, again.states, atol=1e-12)
    np.testing.assert_array_equal(many.trajectory[0], starts)
    np.testing.assert_array_equal(many.trajectory[-1], many.states)
    one = network.recall(starts[0], 60, mode, rng=1, trajectory=True)
    np.testing.assert_allclose(one.states, many.states[0], atol=1e-12)
    assert one.states.shape == (3,) and one.trajectory.shape[1:] == (3,) and again.trajectory is None
    np.testing.assert_array_equal(starts, np.random.default_rng(6).uniform(-1, 1, (4, 3)))    # not written into


def test_modern_network_stores_exponentially_many():
    rng = np.random.default_rng(7)
    patterns = rng.choice([-1.0, 1.0], (1000, 60))                              # Hebb: 8
    network = ModernHopfield(patterns, beta=1.0)
    noisy = patterns * rng.choice([-1, 1], patterns.shape, p=[0.05, 0.95])
    right = np.abs(network.recall(noisy).states - patterns).max(axis=1) < 0.1
    assert right.mean() > 0.99


def test_modern_energy_falls_and_its_gradient_is_the_step():
    rng = np.random.default_rng(8)
    network = ModernHopfield(rng.standard_normal((6, 5)), beta=2.0)
    path = network.recall(rng.standard_normal((20, 5)), trajectory=True).trajectory
    assert (np.diff(network.energy(path), axis=0) <= 1e-12).all()
    x = tn.Tensor(rng.standard_normal(5), requires_grad=True)
    gradient, = tn.grad(network.energy(x), [x])
    np.testing.assert_allclose(x.data - gradient, network.update(x.data), rtol=1e-10)


def test_modern_update_is_attention():
    rng = np.random.default_rng(9)
    keys, query = rng.standard_normal((6, 4)), rng.standard_normal((3, 4))
    weights = np.exp(query @ keys.T / 2)
    weights /= weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ModernHopfield(keys, beta=1 / np.sqrt(4)).update(query), weights @ keys, rtol=1e-12)


def test_capacities():
    of = hebb_capacity(1000)
    assert of["all patterns perfect"] == pytest.approx(36.19, abs=0.01)
    assert of["most bits of each"] == pytest.approx(72.38, abs=0.01) and of["with a few wrong bits"] == 138
    with pytest.warns(UserWarning, match="6 patterns are more than hebb can hold in 10 units, about 1.38"):
        Hopfield(random_patterns(np.random.default_rng(0), 6, 10), "hebb")


@pytest.mark.parametrize("patterns, message", [
    ([(0, 1), (1, 1)], r"patterns\[0, 0\] is 0; expected −1 or 1"),
    ([(1, np.nan)], r"patterns\[0, 1\] is nan"),
    ([(1, 1), (-1, 1), (1, 1)], r"patterns\[2\] is the same as patterns\[0\]"),
    ([1, -1], r"shape \(2,\)"),
    (np.ones((0, 3)), r"shape \(0, 3\)"),
    ([("a", "b")], "dtype <U1"),
])
def test_bad_patterns(patterns, message):
    with pytest.raises(ValueError, match=message):
        Hopfield(patterns)


def test_bad_calls():
    network = Hopfield(PLANE)
    for call, message in ((lambda: Hopfield(PLANE, "hopfield"), "rule is 'hopfield'; expected one of li-michel-porod"),
                          (lambda: network.recall([1, 1, 1]), r"x has shape \(1, 3\).*the network has 2 units"),
                          (lambda: network.recall([1, np.nan]), r"x\[0, 1\] is nan"),
                          (lambda: network.recall([1, 1], mode="parallel"), "mode is 'parallel'"),
                          (lambda: network.recall([1, 1], steps=0), "steps is 0"),
                          (lambda: ModernHopfield(PLANE, beta=0), "beta is 0"),
                          (lambda: ModernHopfield([1, 1]), r"shape \(2,\)"),
                          (lambda: Hopfield(np.vander([-1, 1], 13)).fixed_points(), "13 units; up to 12 saturating")):
        with pytest.raises(ValueError, match=message):
            call()
