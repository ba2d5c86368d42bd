"""Deep Boltzmann machines of a few units against sums over all their states."""
import numpy as np
import pytest

from tinynn.energy import DBM, RBM, dbm, log_partition

QUIET = {"progress": False}


def states(n):
    return (np.arange(2 ** n)[:, None] >> np.arange(n) & 1).astype(float)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def machine(V=4, H1=3, H2=2, scale=1.2, seed=0):
    rng = np.random.default_rng(seed)
    deep = DBM(V, H1, H2, rng=seed)
    for w in (deep.W1, deep.W2, deep.a, deep.b1, deep.b2):
        w[:] = scale * rng.standard_normal(w.shape)
    return deep


def table(deep):
    """(v, h1, h2, −E), with −E[v, h1, h2] from the definition of the energy."""
    v, h1, h2 = states(len(deep.a)), states(len(deep.b1)), states(len(deep.b2))
    pairs = (v @ deep.W1 @ h1.T)[:, :, None] + (h1 @ deep.W2 @ h2.T)[None]
    return v, h1, h2, pairs + (v @ deep.a)[:, None, None] + (h1 @ deep.b1)[:, None] + h2 @ deep.b2


def likelihood(deep, X):
    """The exact ln p of the rows of X."""
    v, _, _, e = table(deep)
    log_p = np.logaddexp.reduce(e.reshape(len(v), -1), axis=1) - np.logaddexp.reduce(e, axis=None)
    return log_p[(np.asarray(X)[:, None] == v).all(2).argmax(1)]


def test_exact_log_z():
    for sizes in ((4, 3, 2), (2, 6, 3)):
        deep = machine(*sizes)
        assert log_partition(deep).log_z == pytest.approx(np.logaddexp.reduce(table(deep)[3], axis=None), abs=1e-12)


def test_annealing():
    deep = machine()
    exact = log_partition(deep).log_z
    for data in (None, (np.random.default_rng(0).random((200, 4)) < 0.7)):
        found = log_partition(deep, "ais", chains=1000, temperatures=100, rng=0, data=data, **QUIET)
        assert abs(found.log_z - exact) < 4 * found.error < 0.3


def test_the_mean_field_is_a_fixed_point_and_its_bound_holds():
    deep, v = machine(), states(4)
    h1, h2 = deep.mean_field(v, steps=1000, tolerance=1e-13)
    np.testing.assert_allclose(h1, sigmoid(v @ deep.W1 + h2 @ deep.W2.T + deep.b1), atol=1e-10)
    np.testing.assert_allclose(h2, sigmoid(h1 @ deep.W2 + deep.b2), atol=1e-12)
    log_z, exact = log_partition(deep).log_z, likelihood(deep, v)
    bound = deep.lower_bound(v, log_z)
    assert (bound <= exact).all() and (exact - bound).max() < 1 and (exact - bound).max() > 1e-3
    assert deep.lower_bound(v[3], log_z) == pytest.approx(bound[3])
    deep.W2[:] = 0                                                          # then h1 and h2 are independent given v
    log_z = log_partition(deep).log_z
    np.testing.assert_allclose(deep.lower_bound(v, log_z), likelihood(deep, v), atol=1e-10)


def test_each_step_of_the_mean_field_raises_the_bound(monkeypatch):
    deep, v = machine(scale=2), states(4)
    bounds = []
    for steps in range(1, 12):
        monkeypatch.setattr(deep, "_mean_field", lambda v, *_: DBM._mean_field(deep, v, steps, 0))
        bounds.append(deep.lower_bound(v, 0.0))
    assert (np.diff(bounds, axis=0) >= -1e-12).all() and (bounds[-1] > bounds[0] + 1e-4).any()


def test_gibbs_chain():
    deep, v = machine(scale=0.8), states(4)
    drawn = deep.gibbs(np.ones((30_000, 4)), 40)
    assert np.abs((drawn[:, None] == v).all(2).mean(0) - np.exp(likelihood(deep, v))).sum() / 2 < 0.02
    path = deep.gibbs(np.ones(4), 3, trajectory=True)
    assert path.shape == (4, 4) and path[0].all()


def test_reconstruction():
    deep, v = machine(scale=0.8), states(4)
    known, given = np.array([True, False, False, True]), np.array([1, np.nan, np.nan, 0])
    filled = deep.reconstruct(np.tile(given, (20_000, 1)), known, 40)
    assert filled.shape == (20_000, 4) and (filled[:, known] == given[known]).all()
    fits = (v[:, known] == given[known]).all(1)
    p = np.exp(likelihood(deep, v[fits]))
    np.testing.assert_allclose(filled.mean(0), p @ v[fits] / p.sum(), atol=0.012)
    each = np.random.default_rng(0).random(v.shape) < 0.5
    assert (deep.reconstruct(v, each, 2)[each] == v[each]).all()


@pytest.mark.parametrize("up, down", [(2, 1), (1, 2)])
def test_pre_training_doubles(up, down):
    """One update from very many rows is that of CD-1, with what a unit hears multiplied on the way up, or down."""
    rng = np.random.default_rng(0)
    rbm = RBM(4, 3, rng=0)
    rbm.W[:], rbm.a[:], rbm.b[:] = rng.standard_normal((4, 3)), rng.standard_normal(4), rng.standard_normal(3)
    W, a, b = rbm.W.copy(), rbm.a.copy(), rbm.b.copy()
    X, v, h = rng.integers(0, 2, (5, 4)).astype(float), states(4), states(3)
    dbm.learn_doubled(rbm, np.tile(X, (16_000, 1)), {"epochs": 1, "lr": 1.0, "batch_size": 80_000, **QUIET}, up, down)
    up_h, down_v = sigmoid(up * X @ W + b), sigmoid(a + down * h @ W.T)
    p_h = np.prod(np.where(h[None] == 1, up_h[:, None], 1 - up_h[:, None]), axis=2).mean(0)     # averaged over the rows
    p_v = p_h @ np.prod(np.where(v[None] == 1, down_v[:, None], 1 - down_v[:, None]), axis=2)
    model_h = sigmoid(up * v @ W + b)
    np.testing.assert_allclose(rbm.W - W, X.T @ up_h / 5 - (p_v[:, None] * v).T @ model_h, atol=0.012)
    np.testing.assert_allclose(rbm.b - b, up_h.mean(0) - p_v @ model_h, atol=0.012)
    np.testing.assert_allclose(rbm.a - a, X.mean(0) - p_v @ v, atol=0.012)


def test_the_layers_are_put_together(monkeypatch):
    learn, seen, begin = dbm.learn_doubled, [], []

    def spy(rbm, X, options, **doubled):
        begin.append(rbm.a.copy())
        seen.append((rbm, X, options, doubled))
        return learn(rbm, X, options, **doubled)
    monkeypatch.setattr(dbm, "learn_doubled", spy)
    deep, X = DBM(4, 3, 2, rng=0), states(4)[3:]
    histories = deep.pretrain(X, 3, 0.5, batch_size=5, k=2, **QUIET)
    (lower, data, options, doubled), (upper, features, upper_options, upper_doubled) = seen
    ones = X.sum(axis=0)
    np.testing.assert_allclose(begin[0], np.log((ones + 1) / (len(X) - ones + 1)))          # the data's means, then 0
    assert not begin[1].any() and begin[0].any()
    assert data is X and doubled == {"up": 2} and upper_doubled == {"down": 2} and [len(h) for h in histories] == [3, 3]
    assert options["k"] == upper_options["k"] == 2 and upper_options["binarise"] and not options["binarise"]
    np.testing.assert_allclose(features, sigmoid(2 * X @ lower.W + lower.b))
    for mine, part in ((deep.W1, lower.W), (deep.W2, upper.W), (deep.a, lower.a), (deep.b2, upper.b),
                       (deep.b1, (lower.b + upper.a) / 2)):
        np.testing.assert_array_equal(mine, part)


def test_learning_raises_the_exact_likelihood():
    X = np.tile([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]], (50, 1)).astype(float)
    deep = DBM(4, 4, 3, rng=0)
    before = likelihood(deep, X).mean()
    deep.pretrain(X, 60, 0.3, batch_size=20, **QUIET)
    between = likelihood(deep, X).mean()
    history = deep.fit(X, 100, lambda epoch: 0.2 / (1 + epoch / 20), batch_size=20, **QUIET)
    after = likelihood(deep, X).mean()
    assert before == pytest.approx(-4 * np.log(2), abs=0.01) and between > before + 0.4
    assert -np.log(4) > after > max(-1.7, between + 0.1)                    # −1.39 is the most that is possible
    assert len(history) == 100 and history.pseudo_likelihood == []
    assert history.reconstruction_error[-1] < history.reconstruction_error[0]
    bound = deep.lower_bound(X, log_partition(deep).log_z).mean()
    assert bound <= after and after - bound < 0.5


def test_the_positive_phase_is_the_mean_field():
    """With rate 1 and one step from all rows: what the data's half of the update is, with the chains held in one place."""
    deep, X = machine(scale=0.7), np.tile(states(4), (500, 1))
    before = [w.copy() for w in (deep.W1, deep.W2, deep.a, deep.b1, deep.b2)]
    h1, h2 = machine(scale=0.7).mean_field(X)
    v, g1, g2, e = table(machine(scale=0.7))
    p = np.exp(e - np.logaddexp.reduce(e, axis=None))
    deep.fit(X, 1, 1.0, k=40, batch_size=len(X), **QUIET)
    model = (np.einsum("abc,ai,bj->ij", p, v, g1), np.einsum("abc,bi,cj->ij", p, g1, g2), np.einsum("abc,ai->i", p, v),
             np.einsum("abc,bi->i", p, g1), np.einsum("abc,ci->i", p, g2))
    data = X.T @ h1 / len(X), h1.T @ h2 / len(X), X.mean(0), h1.mean(0), h2.mean(0)
    for old, w, positive, negative in zip(before, (deep.W1, deep.W2, deep.a, deep.b1, deep.b2), data, model):
        np.testing.assert_allclose(w - old, positive - negative, atol=0.03)


def test_float32_and_seeds():
    X = states(4).astype(np.float32)

    def learned(seed):
        deep = DBM(4, 3, 2, rng=seed)
        deep.pretrain(X, 2, 0.1, binarise=True, **QUIET)
        deep.fit(X, 2, 0.1, batch_size=6, **QUIET)
        return deep.W1, deep.W2, deep.a, deep.b1, deep.b2, *deep.mean_field(X), deep.gibbs(X), deep.lower_bound(X, 3.0)
    first, second = learned(1), learned(1)
    assert {a.dtype for a in first} == {np.dtype(np.float32)}
    assert all((a == b).all() for a, b in zip(first, second)) and (first[0] != learned(2)[0]).any()


def test_every_setting_reaches_both_machines(monkeypatch):
    given = {"epochs": 3, "lr": 0.5, "k": 2, "persistent": True, "batch_size": 5, "momentum": 0.3, "weight_decay": 0.01,
             "binarise": True, "progress": False}
    seen = []

    def note(rbm, X, options, **doubled):
        seen.append(options)
        return dbm.LearningHistory(stop_reason="all epochs done")
    monkeypatch.setattr(dbm, "learn_doubled", note)
    machine().pretrain(states(4), **given)
    assert seen == [given, given]


def test_ctrl_c_in_the_first_machine_ends_the_second():
    def lr(epoch):
        if epoch == 2:
            raise KeyboardInterrupt
        return 0.1
    deep = machine()
    first, second = deep.pretrain(states(4), 5, lr, **QUIET)
    assert (len(first), len(second)) == (2, 0) and first.stop_reason == second.stop_reason == "interrupted"
    assert np.isfinite(deep.joint.W).all()


def test_what_the_first_machine_learned_stays_if_the_second_never_starts(monkeypatch):
    calls, run = [], dbm.learn_doubled

    def learn_doubled(*args, **options):
        if calls:
            raise KeyboardInterrupt
        calls.append(args[0])
        return run(*args, **options)
    monkeypatch.setattr(dbm, "learn_doubled", learn_doubled)
    model = DBM(5, 4, 3, rng=0)
    with pytest.raises(KeyboardInterrupt):
        model.pretrain(states(5), 2, 0.1, **QUIET)
    assert (model.W1 == calls[0].W).all() and (model.a == calls[0].a).all() and (model.b1 == calls[0].b / 2).all()


def test_a_misspelt_setting_is_refused_by_the_function_that_was_called():
    with pytest.raises(TypeError, match=r"pretrain\(\) got an unexpected keyword argument 'momentm'"):
        machine().pretrain(states(4), 1, 0.1, momentm=0.1)


@pytest.mark.parametrize("call, message", [
    (lambda: DBM(3, 0, 2), "n_hidden1 is 0"),
    (lambda: machine().fit(states(3), 1, 0.1), r"X has shape \(8, 3\).*\(..., 4\)"),
    (lambda: machine().fit(states(4)[0], 1, 0.1), r"expected \(N, 4\)"),
    (lambda: machine().pretrain(states(4) * 2, 1, 0.1), r"DBM.pretrain: X\[1, 0\] is 2.0"),
    (lambda: machine().pretrain(states(4), 1, 0.1, k=0), "k is 0"),
    (lambda: machine().fit(states(4), 1, -1.0), "lr is -1.0"),
    (lambda: machine().mean_field(states(4) * np.nan), "is nan"),
    (lambda: machine().mean_field(states(4), steps=0), "steps is 0"),
    (lambda: machine().lower_bound(states(4), log_partition(machine())), "log_z is LogPartition.*expected a number"),
    (lambda: machine().gibbs(states(4), 0), "steps is 0"),
    (lambda: machine().reconstruct(states(4), np.ones(4)), "bools"),
    (lambda: machine().reconstruct(states(6), np.ones(6, bool)), r"\(..., 4\)")])
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
