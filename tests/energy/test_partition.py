"""ln Z: by enumeration against sums over all states, by annealing against enumeration."""
import warnings

import numpy as np
import pytest

from tinynn.energy import DBM, RBM, log_partition
from tinynn.energy.partition import anneal, as_betas, at_least, heap

QUIET = {"progress": False}


def machine(V, H, scale=1.0, seed=0, **more):
    rng = np.random.default_rng(seed)
    rbm = RBM(V, H, rng=seed, **more)
    rbm.W[:], rbm.a[:], rbm.b[:] = scale * rng.standard_normal((V, H)), rng.standard_normal(V), rng.standard_normal(H)
    return rbm


def states(n):
    return (np.arange(2 ** n)[:, None] >> np.arange(n) & 1).astype(float)


@pytest.mark.parametrize("V, H", [(3, 5), (5, 3), (1, 1), (6, 6)])
def test_exact_log_z_is_that_of_all_pairs_of_states(V, H):
    rbm, v, h = machine(V, H), states(V), states(H)
    pairs = v @ rbm.W @ h.T + (v @ rbm.a)[:, None] + h @ rbm.b
    assert log_partition(rbm) == pytest.approx((np.log(np.exp(pairs).sum()), 0, 1), abs=1e-12)


@pytest.mark.parametrize("V, H", [(12, 13), (13, 12)])
def test_blocks_of_states(V, H):
    """More states than fit in a block: the sum over the other layer must agree."""
    rbm = machine(V, H)
    v = states(V)
    F = -v @ rbm.a - np.logaddexp(0, v @ rbm.W + rbm.b).sum(1)
    assert log_partition(rbm).log_z == pytest.approx(np.logaddexp.reduce(-F), abs=1e-10)


def test_exact_log_z_of_gaussian_visible_units():
    rbm = machine(3, 6, visible="gaussian")
    h, log_z = states(6), -np.inf
    for row in h:                                                           # ∫ e^(−½|v − a|² + v·u) dv, u = Wh, by hand
        u = rbm.W @ row
        log_z = np.logaddexp(log_z, row @ rbm.b + 1.5 * np.log(2 * np.pi) + u @ rbm.a + u @ u / 2)
    assert log_partition(rbm).log_z == pytest.approx(log_z, abs=1e-12)


def test_float32_is_enumerated_in_float64():
    rbm = machine(8, 6).astype(np.float32)
    exact = log_partition(rbm).log_z
    assert exact == pytest.approx(log_partition(rbm.astype(np.float64)).log_z, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("V, H, visible", [(8, 6, "binary"), (4, 9, "binary"), (5, 6, "gaussian")])
def test_annealing_finds_log_z_within_its_error(V, H, visible, dtype):
    rbm = machine(V, H, 0.6 if visible == "gaussian" else 1.0, visible=visible).astype(dtype)
    exact = log_partition(rbm).log_z
    data = rbm.gibbs((np.random.default_rng(0).random((500, V)) < 0.5).astype(dtype), 20)
    for more in ({}, {"data": data}, {"temperatures": np.linspace(0, 1, 101) ** 0.5}):
        found = log_partition(rbm, "ais", **{"chains": 1000, "temperatures": 100, "rng": 0, **QUIET, **more})
        assert abs(found.log_z - exact) < 4 * found.error < 0.4 and 0.05 < found.effective < 1


def test_one_temperature_is_importance_sampling():
    """Two far machines, many chains: the mean weight is Z/Z₀ however few temperatures there are."""
    rbm = machine(4, 3)
    found = log_partition(rbm, "ais", chains=200_000, temperatures=1, rng=0, **QUIET)
    assert abs(found.log_z - log_partition(rbm).log_z) < 4 * found.error < 0.1


def test_the_error_is_the_deviation_over_repetitions():
    rbm = machine(6, 5)
    runs = [log_partition(rbm, "ais", chains=60, temperatures=40, rng=seed, **QUIET) for seed in range(60)]
    deviation = np.std([run.log_z for run in runs])
    assert 0.7 < np.mean([run.error for run in runs]) / deviation < 1.4
    longer = log_partition(rbm, "ais", chains=60, temperatures=400, rng=0, **QUIET)
    assert longer.error < runs[0].error and longer.effective > runs[0].effective


def test_where_the_chains_start_changes_nothing_but_the_error():
    rbm = machine(6, 5)
    for a0 in (np.full(6, 2.0), np.linspace(-3, 3, 6)):
        found = anneal(rbm, a0, 2000, as_betas(100), np.random.default_rng(0), False)
        assert abs(found.log_z - log_partition(rbm).log_z) < 4 * found.error < 0.3


@pytest.mark.parametrize("visible", ["binary", "gaussian"])
@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0, 3.0])
def test_mean_field_is_below_log_z_and_equal_without_weights(scale, visible):
    for seed in range(20):
        rbm = machine(5, 6, scale / (1 + 2 * (visible == "gaussian")), seed, visible=visible)
        least, exact = at_least(rbm), log_partition(rbm).log_z
        assert least <= exact + 1e-9 and least >= exact - 2 * scale - 1e-9
        assert scale or least == pytest.approx(exact, abs=1e-9)


def test_mean_field_takes_a_deep_machine():
    deep = DBM(4, 3, 2, rng=0)
    deep.W1[:], deep.W2[:] = np.random.default_rng(0).standard_normal((4, 3)), np.random.default_rng(1).standard_normal((3, 2))
    exact, least = log_partition(deep).log_z, at_least(deep)
    assert least == at_least(deep.joint) and exact - 2 < least < exact
    bound, means = heap(deep)
    assert bound == least and means.shape == deep.joint.a.shape and ((0 < means) & (means < 1)).all()


def valley(bias):
    """A machine whose hidden units, all on, turn off 60 visible units whose biases are `bias`."""
    rbm = RBM(60, 12, rng=0)
    rbm.W[:], rbm.a[:], rbm.b[:] = -1.0, bias, 4.0
    return rbm


@pytest.mark.parametrize("visible_bias, missed", [(0.5, True), (-3.0, False)])
def test_a_valley_that_the_chains_missed_is_told(visible_bias, missed):
    rbm = valley(visible_bias)
    exact, data = log_partition(rbm).log_z, np.zeros((100, 60))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = log_partition(rbm, "ais", temperatures=300, data=data, rng=0, **QUIET)
        chains = anneal(rbm, np.full(60, -np.log(101)), 100, as_betas(300), np.random.default_rng(0), False)
    assert (chains.log_z < exact - 3) == missed == bool(told)
    assert chains.error < 0.02 and chains.effective > 0.9                    # they notice nothing
    assert found == ((at_least(rbm), chains.error, 0.0) if missed else chains)
    assert not missed or f"it is {at_least(rbm):.1f} at least" in str(told[0].message)
    assert exact - 1.5 < at_least(rbm) <= exact


def test_annealing_draws_from_the_machines_generator_and_can_be_repeated():
    first, second = (log_partition(machine(6, 5), "ais", chains=10, temperatures=5, **QUIET) for _ in range(2))
    assert first == second != log_partition(machine(6, 5), "ais", chains=10, temperatures=5, rng=9, **QUIET)


def test_the_base_rates_of_the_data_help():
    rbm = RBM(30, 3, rng=0)
    rbm.a[:] = np.random.default_rng(0).normal(0, 3, 30)
    data = (np.random.default_rng(1).random((3000, 30)) < 1 / (1 + np.exp(-rbm.a))).astype(float)
    near = log_partition(rbm, "ais", temperatures=3, data=data, **QUIET)
    assert near.error < 0.05 < log_partition(rbm, "ais", temperatures=3, **QUIET).error
    assert abs(near.log_z - log_partition(rbm).log_z) < 4 * near.error


@pytest.mark.parametrize("call, message", [
    (lambda: log_partition(machine(3, 2), "sum"), '"exact" or "ais"'),
    (lambda: log_partition(RBM(26, 26, rng=0)), "26 units have too many states.*at most 25"),
    (lambda: log_partition(RBM(2, 26, rng=0, visible="gaussian")), "26 units"),
    (lambda: log_partition(machine(3, 2), "ais", chains=1), "chains is 1"),
    (lambda: log_partition(machine(3, 2), "ais", temperatures=0), "temperatures is 0"),
    (lambda: log_partition(machine(3, 2), "ais", temperatures=True), "temperatures is True; expected an int >= 1"),
    *[(lambda method=method, scale=scale: log_partition(machine(3, 2, scale), method), "weights or biases that are not finite")
      for method in ("exact", "ais") for scale in (np.nan, np.inf)],
    (lambda: log_partition(machine(3, 2), "ais", temperatures=[0, 0.7, 0.5, 1]), "rise from 0 to 1"),
    (lambda: log_partition(machine(3, 2), "ais", temperatures=[0.1, 1]), "rise from 0 to 1"),
    (lambda: log_partition(machine(3, 2), "ais", data=np.zeros((5, 4))), r"data has shape \(5, 4\)"),
    (lambda: log_partition(machine(3, 2), "ais", data=np.full((5, 3), 255)), r"\[0, 1\]"),
    (lambda: log_partition(machine(3, 2), "ais", data=np.full((5, 3), np.nan)), "is nan"),
    (lambda: log_partition(machine(3, 2), "ais", data=np.zeros(3)), "an example in each row")])
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_other_models_have_no_log_z():
    with pytest.raises(TypeError, match="model is a int; expected an RBM or a DBM"):
        log_partition(3)
