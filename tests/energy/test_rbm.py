"""Restricted Boltzmann machines of a few units against tables of all their states."""
import threading
import time

import numpy as np
import pytest

import tinynn as tn
from tinynn.energy import RBM, learning, log_partition
from tinynn.energy.learning import learn


def states(n):
    return np.array(np.meshgrid(*[[0.0, 1.0]] * n, indexing="ij")).reshape(n, -1).T        # (2ⁿ, n)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def machine(V=5, H=4, scale=1.5, seed=0, **more):
    """A machine with weights that matter."""
    rng = np.random.default_rng(seed)
    rbm = RBM(V, H, rng=seed, **more)
    rbm.W[:], rbm.a[:], rbm.b[:] = scale * rng.standard_normal((V, H)), rng.standard_normal(V), rng.standard_normal(H)
    return rbm


def table(rbm):
    """(v, h, p(v, h)) of a binary machine, from the energy of each pair of states."""
    v, h = states(len(rbm.a)), states(len(rbm.b))
    p = np.exp(np.einsum("ni,ij,mj->nm", v, rbm.W, h) + (v @ rbm.a)[:, None] + h @ rbm.b)
    return v, h, p / p.sum()


def gradient(rbm, X):
    """The exact gradient of the mean log-likelihood."""
    v, h, p = table(rbm)
    data, all_v = sigmoid(X @ rbm.W + rbm.b), v.T @ p @ h
    return X.T @ data / len(X) - all_v, X.mean(0) - p.sum(1) @ v, data.mean(0) - p.sum(0) @ h


def step(rbm, X, **options):
    """The change of (W, a, b) by one update with learning rate 1 from all of X."""
    before = [w.copy() for w in (rbm.W, rbm.a, rbm.b)]
    options = {"epochs": 1, "lr": 1.0, "batch_size": len(X), "progress": False, **options}
    rbm.fit(X, **options)
    return [w - old for w, old in zip((rbm.W, rbm.a, rbm.b), before)]


DATA = np.random.default_rng(3).integers(0, 2, (6, 5)).astype(float)


def bars():
    """All 14 pictures of 3 × 3 pixels made of whole rows, or of whole columns."""
    rows = np.repeat(states(3), 3, axis=1).reshape(-1, 3, 3)
    return np.unique(np.concatenate([rows, rows.transpose(0, 2, 1)]).reshape(-1, 9), axis=0)


# --- energies and likelihoods -----------------------------------------------------------------------------------------

def test_the_free_energy_is_that_of_the_table():
    rbm = machine()
    v, h, p = table(rbm)
    np.testing.assert_allclose(rbm.log_likelihood(v), np.log(p.sum(1)), atol=1e-12)
    np.testing.assert_allclose(rbm.hidden(v), p @ h / p.sum(1)[:, None], atol=1e-12)
    np.testing.assert_allclose(rbm.visible(h), p.T @ v / p.sum(0)[:, None], atol=1e-12)
    assert rbm.free_energy(v[3]) == pytest.approx(rbm.free_energy(v)[3]) and rbm.hidden(v[3]).shape == (4,)


@pytest.mark.parametrize("visible", ["binary", "gaussian"])
def test_the_gradient_of_the_free_energy_is_the_positive_phase(visible):
    rbm = machine(visible=visible)
    a = rbm.a.copy()
    expected = -DATA.T @ rbm.hidden(DATA), -(DATA - (a if rbm.gaussian else 0)).sum(0), -rbm.hidden(DATA).sum(0)
    parts = []
    for name in "Wab":
        w = getattr(rbm, name)
        numeric = np.empty_like(w)
        for i in np.ndindex(w.shape):
            old, values = w[i], []
            for w[i] in old + 1e-5, old - 1e-5:
                values.append(rbm.free_energy(DATA).sum())
            w[i], numeric[i] = old, (values[0] - values[1]) / 2e-5
        parts.append(numeric)
        setattr(rbm, name, tn.Tensor(w, requires_grad=True))
    engine = tn.grad(rbm.free_energy(DATA).sum(), (rbm.W, rbm.a, rbm.b))
    for positive, numeric, auto in zip(expected, parts, engine):
        np.testing.assert_allclose(numeric, positive, atol=1e-8)
        np.testing.assert_allclose(getattr(auto, "data", auto), positive, atol=1e-12)


def test_the_exact_gradient_of_the_likelihood():
    rbm = machine()
    for w, exact in zip((rbm.W, rbm.a, rbm.b), gradient(rbm, DATA)):
        for i in np.ndindex(w.shape):
            old, values = w[i], []
            for w[i] in old + 1e-5, old - 1e-5:
                values.append(rbm.log_likelihood(DATA).mean())
            w[i] = old
            assert (values[0] - values[1]) / 2e-5 == pytest.approx(exact[i], abs=1e-8)


def test_pseudo_likelihood():
    rbm = machine()
    v, _, p = table(rbm)
    p_v = p.sum(1)
    exact = np.zeros(len(v))
    for n, row in enumerate(v):
        for i in range(5):
            other = row.copy()
            other[i] = 1 - other[i]
            exact[n] += np.log(p_v[n] / (p_v[n] + p_v[(v == other).all(1)][0]))
    np.testing.assert_allclose(rbm.pseudo_likelihood(v), exact, atol=1e-12)
    many = np.repeat(v, 4000, axis=0)
    for bits in (1, 3):
        drawn = rbm.pseudo_likelihood(many, bits, rng=0)
        np.testing.assert_allclose(drawn.reshape(len(v), -1).mean(1), exact, atol=5 * drawn.std() / np.sqrt(4000))
        assert drawn.shape == (len(many),)
    one = rbm.pseudo_likelihood(np.repeat(v[:1], 100, axis=0), 1, rng=0)       # scikit-learn's formula, for each possible bit
    flipped = np.abs(v[0] - np.eye(5))
    formula = -5 * np.log1p(np.exp(-(rbm.free_energy(flipped) - rbm.free_energy(v[0]))))
    assert np.abs(one[:, None] - formula).min(1).max() < 1e-12 and len(np.unique(one.round(9))) == 5


def test_pseudo_likelihood_of_grey_values_is_a_cross_entropy():
    rbm = RBM(3, 2, rng=0)
    rbm.W[:], rbm.a[:] = 0, (-1.0, 0.0, 2.0)
    v, p = np.array([[0.2, 0.5, 0.9]]), sigmoid(rbm.a)
    assert rbm.pseudo_likelihood(v)[0] == pytest.approx((v * np.log(p) + (1 - v) * np.log(1 - p)).sum())


# --- learning ---------------------------------------------------------------------------------------------------------

def test_the_update_is_that_of_contrastive_divergence_and_tends_to_the_gradient():
    X = np.tile(DATA, (10_000, 1))
    exact, misses = gradient(machine(), DATA), []
    v, h, p = table(machine())
    to_h, to_v = p / p.sum(1)[:, None], (p / p.sum(0)).T                    # p(h | v), p(v | h)
    start = (DATA[:, None] == v).all(2).mean(0)                             # of each state of v
    for k in (1, 2, 50):
        update, now = step(machine(), X, k=k), start @ np.linalg.matrix_power(to_h @ to_v, k)
        probabilities = sigmoid(v @ machine().W + machine().b)
        data_h = machine().hidden(DATA)
        for got, data, model in zip(update, (DATA.T @ data_h / 6, DATA.mean(0), data_h.mean(0)),
                                    ((v * now[:, None]).T @ probabilities, now @ v, now @ probabilities)):
            np.testing.assert_allclose(got, data - model, atol=0.012)
        misses.append(max(np.abs(a - b).max() for a, b in zip(update, exact)))
    assert misses[0] > misses[1] > misses[2] and misses[0] > 0.1 and misses[2] < 0.012


def test_persistent_chains_end_in_the_distribution_of_the_machine():
    rbm = machine()
    v, h, p = table(rbm)
    change = step(rbm, np.tile(DATA, (3000, 1)), epochs=50, lr=lambda epoch: 0.0, persistent=True)
    assert not any(w.any() for w in change)
    np.testing.assert_allclose(rbm.chains.T @ rbm.chains / len(rbm.chains), h.T @ (p.sum(0)[:, None] * h), atol=0.02)
    before = rbm.chains
    step(rbm, np.tile(DATA, (3000, 1)), persistent=True)
    assert rbm.chains is before                                             # a second fit goes on with them


def test_momentum_and_weight_decay():
    X = np.tile(DATA, (5, 1))
    plain, decayed = step(machine(), X, lr=0.1), step(machine(), X, lr=0.1, weight_decay=0.5)
    np.testing.assert_allclose(decayed[0] - plain[0], -0.1 * 0.5 * machine().W, atol=1e-12)
    np.testing.assert_allclose(decayed[1], plain[1])
    two = step(machine(), X, lr=lambda epoch: 0.1 if epoch == 0 else 0.0, momentum=0.75, epochs=2)
    for once, twice in zip(plain, two):
        np.testing.assert_allclose(twice, 1.75 * once, atol=1e-12)


@pytest.mark.parametrize("options", [{"k": 1}, {"k": 5}, {"persistent": True}, {"momentum": 0.5, "weight_decay": 1e-4}])
def test_learning_raises_the_exact_likelihood(options):
    X = np.tile(bars(), (10, 1))
    rbm = RBM(9, 8, rng=0)
    before = rbm.log_likelihood(X).mean()
    history = rbm.fit(X, 200, tn.optim.schedules.cosine(0.6, 200), batch_size=20, progress=False, **options)
    assert before == pytest.approx(-9 * np.log(2), abs=0.01)
    assert -np.log(14) > rbm.log_likelihood(X).mean() > -3.6                # −2.64 is the most that is possible
    assert history.reconstruction_error[-1] < 0.5 * history.reconstruction_error[0] and len(history) == 200
    assert history.pseudo_likelihood[-1] > history.pseudo_likelihood[0] + 1
    assert history.reconstruction_error[-1] == pytest.approx(np.square(X - rbm.visible(rbm.hidden(X))).mean())
    assert history.pseudo_likelihood[-1] == pytest.approx(rbm.pseudo_likelihood(X).mean(), abs=0.5)
    assert history.stop_reason == "all epochs done" and (np.diff(history.seconds) > 0).all()


def test_binarised_values_are_drawn_anew_in_each_epoch():
    X, seen = np.linspace(0, 1, 50).repeat(400).reshape(50, 400).T.copy(), []       # (400, 50)
    rbm = RBM(50, 3, rng=0)

    def positive(v, p):
        seen.append(v[:400].copy())
        rbm._hidden(v, p)
    learn(rbm, X, positive, lambda X, rng: (0.0, None), epochs=2, lr=1e-9, batch_size=400, binarise=True, progress=False)
    for v in seen:
        assert set(np.unique(v)) == {0, 1}
        np.testing.assert_allclose(v.mean(0), X[0], atol=0.12)
    assert 0.2 < (seen[0] != seen[1]).mean() < 0.5
    rbm = RBM(5, 2, rng=0)
    rbm.fit(np.full((1000, 5), 0.2), 60, 0.2, binarise=True, progress=False)
    np.testing.assert_allclose(rbm.visible(rbm.hidden(np.zeros(5))), 0.2, atol=0.06)


def test_ctrl_c_keeps_what_there_is():
    def lr(epoch):
        if epoch == 2:
            raise KeyboardInterrupt
        return 0.1
    rbm = RBM(5, 3, rng=0)
    before = rbm.W.copy()
    history = rbm.fit(DATA, 10, lr, progress=False)
    assert history.stop_reason == "interrupted" and len(history) == len(history.pseudo_likelihood) == 2
    assert (rbm.W != before).all()


@pytest.mark.parametrize("ahead", [1, 70, learning.AHEAD])                 # 70: two Gibbs steps, or two batches
@pytest.mark.parametrize("options", [{}, {"k": 3}, {"persistent": True}])
def test_an_epoch_brings_each_example_once_with_random_numbers_of_its_own(monkeypatch, ahead, options):
    monkeypatch.setattr(learning, "AHEAD", ahead)
    X, seen, used, k = np.random.default_rng(0).random((23, 5)), [], [], options.get("k", 1)
    step = learning.Batches.step

    def watched(self, x, numbers, rate):
        before = x.copy()

        def slowly():
            for pair in numbers:
                copies = [u.copy() for u in pair]
                assert [u.shape for u in pair] == [(len(x), 3), (len(x), 5)]
                yield pair
                time.sleep(0.002)                                           # while the second thread goes on
                for u, old in zip((x, *pair), (before, *copies)):
                    np.testing.assert_array_equal(u, old)
                used.extend(np.concatenate(copies, axis=1).ravel())
        step(self, x, slowly(), rate)
        seen.extend(before)
    monkeypatch.setattr(learning.Batches, "step", watched)
    RBM(5, 3, rng=0).fit(X, 2, 0.1, batch_size=4, progress=False, **options)
    for epoch in seen[:23], seen[23:]:
        np.testing.assert_array_equal(np.unique(epoch, axis=0), np.unique(X, axis=0))
    assert len(np.unique(used)) == len(used) == 2 * 23 * k * 8 and 0 <= min(used) < 0.1 and 0.9 < max(used) < 1


def test_random_numbers_of_many_gibbs_steps_take_no_more_memory():
    def memory(k):
        made = learning.Batches(RBM(20, 10, rng=0), np.zeros((300, 20)), None, 100, k, False, 0, 0, False, 1, 1)
        return sum(array.nbytes for memory in made.memories for array in memory)
    assert memory(1) <= 2 * 8 * 300 * 50 and memory(1000) < 3 * 8 * (learning.AHEAD + 100 * 20)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_no_thread_is_left_behind(monkeypatch, error):
    monkeypatch.setattr(learning, "AHEAD", 1)
    rbm, calls, threads = RBM(5, 3, rng=0), iter(range(3)), threading.active_count()

    def hidden(v, *more):
        if next(calls, None) is None:
            raise error
        return RBM._hidden(rbm, v, *more)
    monkeypatch.setattr(rbm, "_hidden", hidden)
    if error is KeyboardInterrupt:
        assert rbm.fit(DATA, 1, 0.1, batch_size=1, progress=False).stop_reason == "interrupted"
    else:
        with pytest.raises(error):
            rbm.fit(DATA, 1, 0.1, batch_size=1, progress=False)
    assert threading.active_count() == threads


def test_divergence_ends_learning():
    history = RBM(5, 3, rng=0, visible="gaussian").fit(DATA, 2000, 1e3, progress=False)
    assert history.stop_reason == "the weights are not finite" and len(history) < 2000


@pytest.mark.parametrize("options", [{}, {"persistent": True}, {"binarise": True, "k": 2, "momentum": 0.9}])
@pytest.mark.parametrize("visible", ["binary", "gaussian"])
def test_float32_stays_float32(visible, options):
    X = np.tile(DATA, (3, 1)).astype(np.float32)
    if visible == "gaussian":
        options = {**options, "binarise": False}
    rbm = RBM(5, 3, rng=0, visible=visible)
    rbm.fit(X, 2, 0.1, batch_size=4, progress=False, **options)
    known = np.arange(5) < 2
    values = (rbm.W, rbm.a, rbm.b, rbm.hidden(X), rbm.visible(rbm.hidden(X)), rbm.gibbs(X, 2), rbm.reconstruct(X, known, 2),
              rbm.free_energy(X), rbm.log_likelihood(X), *([rbm.chains] if "persistent" in options else []))
    assert {a.dtype for a in values} == {np.dtype(np.float32)}
    assert rbm.fit(X.astype(float), 1, 0.1, progress=False) and rbm.W.dtype == np.float64


def test_float32_and_float64_learn_the_same():
    """But for luck: the random numbers differ."""
    X, results = np.tile(bars(), (200, 1)), []
    for dtype in (np.float32, np.float64):
        rbm = RBM(9, 4, rng=0)
        rbm.fit(X.astype(dtype), 30, 0.2, progress=False)
        results.append(rbm.log_likelihood(bars()).mean())
    assert results[0] == pytest.approx(results[1], abs=0.3)


def test_a_seed_says_it_all():
    def learned(seed):
        rbm = RBM(5, 3, rng=seed)
        history = rbm.fit(DATA, 3, 0.1, k=2, persistent=True, batch_size=4, binarise=True, progress=False)
        return np.concatenate([rbm.W.ravel(), rbm.a, rbm.gibbs(DATA, 3).ravel(), history.pseudo_likelihood])
    assert (learned(1) == learned(1)).all() and (learned(1) != learned(2)).any()


def test_ints_and_bools_are_data_too():
    rbm = RBM(5, 3, rng=0)
    rbm.fit(DATA.astype(bool), 1, 0.1, progress=False)
    assert rbm.W.dtype == np.float64
    np.testing.assert_allclose(rbm.hidden(DATA.astype(np.uint8)), rbm.hidden(DATA))


# --- drawing ----------------------------------------------------------------------------------------------------------

def test_a_gibbs_chain_ends_in_the_distribution_of_the_machine():
    rbm = machine()
    v, _, p = table(rbm)
    path = rbm.gibbs(np.zeros((40_000, 5)), 60, trajectory=True)
    assert path.shape == (61, 40_000, 5) and not path[0].any()
    assert np.abs((path[-1][:, None] == v).all(2).mean(0) - p.sum(1)).sum() / 2 < 0.025        # 0.011 by chance
    after_one = (table(rbm)[2] / p.sum(1)[:, None])[0] @ (p / p.sum(0)).T                       # from v = 0
    assert np.abs((path[1][:, None] == v).all(2).mean(0) - after_one).sum() / 2 < 0.025
    assert rbm.gibbs(v[3], 2).shape == (5,)


@pytest.mark.parametrize("visible", ["binary", "gaussian"])
def test_chains_of_any_shape_and_memory_order(visible):
    rbm = RBM(5, 3, rng=0, visible=visible)
    for v in (np.zeros(5), np.zeros((4, 2, 6, 5)).transpose(1, 0, 2, 3), np.asfortranarray(np.zeros((2, 3, 5)))):
        assert rbm.gibbs(v, 2).shape == rbm.reconstruct(v, np.arange(5) < 2, 2).shape == v.shape


def test_few_rows_go_another_way_to_the_same_place():
    for visible in ("binary", "gaussian"):
        rbm = machine(visible=visible)
        h = np.random.default_rng(0).random((100, 4))
        np.testing.assert_allclose(np.concatenate([rbm.visible(h[i:i + 10]) for i in range(0, 100, 10)]), rbm.visible(h))


def test_reconstruction_keeps_what_is_known_and_fills_in_what_the_machine_expects():
    rbm = machine(scale=1.0)
    v, _, p = table(rbm)
    known, given = np.array([True, False, True, False, False]), np.array([1, np.nan, 0, np.nan, np.nan])
    filled = rbm.reconstruct(np.tile(given, (20_000, 1)), known, 60)
    assert (filled[:, known] == given[known]).all()
    fits = (v[:, known] == given[known]).all(1)
    np.testing.assert_allclose(filled.mean(0), p.sum(1)[fits] @ v[fits] / p.sum(1)[fits].sum(), atol=0.012)
    each = np.random.default_rng(0).random((6, 5)) < 0.5                                        # a mask for each row
    assert (rbm.reconstruct(DATA, each, 3)[each] == DATA[each]).all()
    assert rbm.reconstruct(given, known, 3).shape == (5,)


# --- Gaussian visible units -------------------------------------------------------------------------------------------

def test_gaussian_visible_units():
    rbm = machine(2, 3, 0.8, visible="gaussian")
    axis = np.linspace(-12, 12, 481)
    grid = np.array(np.meshgrid(axis, axis)).reshape(2, -1).T
    p = np.exp(rbm.log_likelihood(grid)) * 0.05 ** 2
    assert p.sum() == pytest.approx(1, abs=1e-9)                                                # Z, by quadrature
    drawn = rbm.gibbs(np.zeros((40_000, 2)), 60)
    np.testing.assert_allclose(drawn.mean(0), p @ grid, atol=0.03)
    np.testing.assert_allclose(drawn.T @ drawn / len(drawn), (p[:, None] * grid).T @ grid, rtol=0.03, atol=0.05)
    h = states(3)
    np.testing.assert_allclose(rbm.visible(h), rbm.a + h @ rbm.W.T)
    filled = rbm.reconstruct(np.tile([1.0, np.nan], (20_000, 1)), np.array([True, False]), 60)
    on = grid[:, 0] == axis[np.abs(axis - 1).argmin()]
    assert filled[:, 1].mean() == pytest.approx(p[on] @ grid[on, 1] / p[on].sum(), abs=0.03)


@pytest.mark.parametrize("persistent", [False, True])
def test_gaussian_learning_raises_the_likelihood(persistent):
    rng = np.random.default_rng(0)
    X = rng.choice([-2.0, 2.0], (300, 1)) * (1.0, 1.0, -1.0) + rng.standard_normal((300, 3))
    rbm = RBM(3, 4, rng=0, visible="gaussian")
    before = rbm.log_likelihood(X).mean()
    history = rbm.fit(X, 200, 0.02, persistent=persistent, progress=False)
    assert rbm.log_likelihood(X).mean() > before + 2.5 and history.pseudo_likelihood == []
    assert history.reconstruction_error[-1] < history.reconstruction_error[0] / 2


# --- mistakes ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("call, message", [
    (lambda: RBM(0, 3), "n_visible is 0"),
    (lambda: RBM(3, 2.5), "n_hidden is 2.5"),
    (lambda: RBM(3, 2, visible="real"), '"binary" or "gaussian"'),
    (lambda: machine().fit(DATA * 255, 1, 0.1), r"X\[\d, \d\] is 255.0; expected values in \[0, 1\]; divide"),
    (lambda: machine().fit(DATA - 0.5, 1, 0.1), "is -0.5"),
    (lambda: machine().fit(np.where(DATA > 0, np.nan, 0), 1, 0.1), "is nan"),
    (lambda: machine(visible="gaussian").fit(np.where(DATA > 0, np.inf, 0), 1, 0.1), "is inf; expected finite"),
    (lambda: machine().fit(DATA[:, :4], 1, 0.1), r"X has shape \(6, 4\).*\(..., 5\)"),
    (lambda: machine().fit(DATA[0], 1, 0.1), r"shape \(5,\); expected \(N, 5\)"),
    (lambda: machine().fit(DATA[:0], 1, 0.1), r"shape \(0, 5\)"),
    (lambda: machine().fit(DATA.astype(str), 1, 0.1), "dtype <U"),
    (lambda: machine().fit(DATA, -1, 0.1), "epochs is -1"),
    (lambda: machine().fit(DATA, 1, 0), "lr is 0"),
    (lambda: machine().fit(DATA, 1, np.nan), "lr is nan"),
    (lambda: machine().fit(DATA, 1, "0.1"), "lr is '0.1'; expected a number > 0"),
    (lambda: machine().fit(DATA, 1, 0.1, weight_decay=[0.1]), r"weight_decay is \[0.1\]"),
    *[(lambda rate=rate: machine().fit(DATA, 3, lambda epoch: rate if epoch else 0.1, progress=False),
       "lr is a function that returned .* for epoch 1; expected a finite number >= 0")
      for rate in (-0.1, np.nan, np.inf, None, "0.1", np.full(6, 0.1))],
    (lambda: machine().fit(DATA, 1, 0.1, k=0), "k is 0; expected an int >= 1"),
    (lambda: machine().fit(DATA, 1, 0.1, batch_size=2.0), "batch_size is 2.0"),
    (lambda: machine().fit(DATA, 1, 0.1, momentum=1), "momentum is 1"),
    (lambda: machine().fit(DATA, 1, 0.1, weight_decay=-1), "weight_decay is -1"),
    (lambda: machine(visible="gaussian").fit(DATA, 1, 0.1, binarise=True), "binarise"),
    (lambda: machine(visible="gaussian").pseudo_likelihood(DATA), "Gaussian"),
    (lambda: machine().pseudo_likelihood(DATA, 0), "bits is 0"),
    (lambda: machine().pseudo_likelihood(DATA, True), "bits is True"),
    (lambda: machine().pseudo_likelihood(DATA[0]), r"expected \(N, 5\)"),
    (lambda: machine().gibbs(DATA, 0), "steps is 0"),
    (lambda: machine().gibbs(DATA + 1), r"\[0, 1\]"),
    (lambda: machine().visible(DATA), r"h has shape \(6, 5\).*\(..., 4\)"),
    (lambda: machine().reconstruct(DATA, [1, 0, 0, 0, 0]), "expected bools"),
    (lambda: machine().reconstruct(DATA, np.ones(4, bool)), r"known has shape \(4,\)"),
    (lambda: machine().log_likelihood(DATA, log_partition(machine())), "log_z is LogPartition.*expected a number"),
    (lambda: machine().free_energy(3.0), r"shape \(\)")])
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
