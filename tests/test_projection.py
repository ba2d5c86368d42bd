"""PCA and t-SNE: scikit-learn's numbers (recorded/record_sklearn_projection.py), what the theorems say, clear errors."""
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynn as tn
from tinynn.kernels.tsne import tsne_gradient
from tinynn.projection import PCA, TSNE, joint_probabilities, kl_divergence, neighbours_kept

RECORDED = np.load(Path(__file__).with_name("recorded") / "sklearn_projection.npz")
shapes = st.tuples(st.integers(2, 9), st.integers(1, 9))
seeds = st.integers(0, 2 ** 32 - 1)


def correlated(shape, seed=0):
    """Rows (N, D) whose columns hang together, far from the origin."""
    rng = np.random.default_rng(seed)
    return 3 + rng.standard_normal(shape) @ rng.standard_normal((shape[1], shape[1]))


# --- PCA ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["tall", "wide"])
def test_pca_agrees_with_scikit_learn(name):
    x, mean, components, variance, ratio, scores = (RECORDED[f"{name}/{key}"] for key in (
        "x", "mean", "components", "variance", "ratio", "scores"))
    pca = PCA().fit(x)
    some = variance > 1e-12                                     # directions without variance are anybody's choice
    sign = np.sign((pca.components * components).sum(axis=1))[some]
    np.testing.assert_allclose(pca.mean, mean, atol=1e-10)
    np.testing.assert_allclose(pca.components[some], sign[:, None] * components[some], atol=1e-10)
    np.testing.assert_allclose(pca.explained_variance, variance, atol=1e-10)
    np.testing.assert_allclose(pca.explained_variance_ratio, ratio, atol=1e-10)
    np.testing.assert_allclose(pca.transform(x)[:, some], sign * scores[:, some], atol=1e-10)


def test_a_fraction_keeps_as_many_as_scikit_learn():
    assert len(PCA(0.9).fit(RECORDED["tall/x"]).components) == RECORDED["tall/count"]


@given(shapes, seeds)
def test_components_are_eigenvectors_of_the_covariance(shape, seed):
    x = correlated(shape, seed)
    pca = PCA().fit(x)
    V, n = pca.components, min(shape)
    covariance = np.cov(x.T).reshape(shape[1], shape[1])
    size = np.abs(covariance).max()
    np.testing.assert_allclose(V @ V.T, np.eye(n), atol=1e-12)
    np.testing.assert_allclose(V @ covariance, pca.explained_variance[:, None] * V, atol=1e-12 * size)
    np.testing.assert_allclose(pca.explained_variance, np.linalg.eigvalsh(covariance)[::-1][:n], atol=1e-12 * size)
    np.testing.assert_allclose(pca.explained_variance_ratio.sum(), 1)
    assert (V[np.arange(n), np.abs(V).argmax(axis=1)] > 0).all()


@given(shapes, seeds)
def test_the_squared_error_is_the_discarded_variance(shape, seed):
    """Eckart & Young 1936; with all components nothing is lost."""
    x, n = correlated(shape, seed), shape[0]
    variance = PCA().fit(x).explained_variance
    for q in range(1, min(shape) + 1):
        pca = PCA(q).fit(x)
        again = pca.inverse_transform(pca.transform(x))
        error = ((x - again) ** 2).sum(axis=1).mean()
        np.testing.assert_allclose(error, (n - 1) / n * variance[q:].sum(), atol=1e-12 * variance.sum(), rtol=1e-9)
    np.testing.assert_allclose(again, x, atol=1e-12 * np.abs(x).max())


@given(shapes, seeds, st.floats(0.01, 0.99))
def test_a_fraction_keeps_the_fewest_that_explain_it(shape, seed, fraction):
    pca = PCA(fraction).fit(correlated(shape, seed))
    explained = np.cumsum(pca.explained_variance_ratio)
    assert explained[-1] >= fraction * (1 - 1e-12) and (explained[:-1] < fraction).all()


def test_new_rows_are_projected_with_the_old_mean():
    x = correlated((40, 3))
    pca = PCA(2).fit(x)
    np.testing.assert_allclose(pca.transform(x + 1) - pca.transform(x), np.ones((40, 3)) @ pca.components.T)
    np.testing.assert_array_equal(PCA(2).fit_transform(x), pca.transform(x))


def test_noise_of_50_dimensions_has_no_few_that_explain_it():
    counts = [len(PCA(0.9).fit(np.random.default_rng(seed).standard_normal((500, 50))).components) for seed in range(5)]
    assert np.median(counts) == 42


def test_pca_keeps_the_dtype():
    x = correlated((30, 4)).astype(np.float32)
    pca = PCA(2).fit(x)
    assert {a.dtype for a in (pca.mean, pca.components, pca.explained_variance, pca.explained_variance_ratio,
                              pca.transform(x), pca.inverse_transform(pca.transform(x)))} == {np.dtype(np.float32)}
    assert PCA(2).fit_transform(np.arange(12).reshape(4, 3)).dtype == np.float64


def test_the_mean_of_many_float32_is_right():
    x = np.full((200_000, 2), 0.1, np.float32) + np.float32([[0], [1e-3]] * 100_000)
    np.testing.assert_allclose(PCA().fit(x).mean, x.mean(axis=0, dtype=np.float64), rtol=1e-7)


def test_data_without_variance_have_none_to_explain():
    pca = PCA().fit(np.ones((4, 3)))
    assert (pca.explained_variance == 0).all() and (pca.explained_variance_ratio == 0).all()
    np.testing.assert_array_equal(pca.inverse_transform(pca.transform(np.ones((2, 3)))), np.ones((2, 3)))


@pytest.mark.parametrize("use, message", [
    (lambda: PCA(0), "n_components is 0"),
    (lambda: PCA(1.0), "n_components is 1.0.*fraction"),
    (lambda: PCA(True), "n_components is True"),
    (lambda: PCA("mle"), "n_components is 'mle'"),
    (lambda: PCA(np.nan), "n_components is nan"),
    (lambda: PCA().fit([[1.0, np.nan], [0, 1]]), r"PCA.fit: x\[0, 1\] is nan"),
    (lambda: PCA().fit(np.ones(3)), r"PCA.fit: x has shape \(3,\)"),
    (lambda: PCA().fit(np.ones((2, 2, 2))), r"shape \(2, 2, 2\).*reshape"),
    (lambda: PCA().fit(np.ones((1, 3))), "at least two"),
    (lambda: PCA().fit(np.ones((3, 0))), r"shape \(3, 0\)"),
    (lambda: PCA().fit([["a"]]), "real numbers"),
    (lambda: PCA().fit(1e200 * np.eye(3)), "PCA.fit: .*largest float64.*divide x by"),
    (lambda: PCA().fit(np.float32(1e30) * np.eye(3, dtype=np.float32)), "largest float32"),
    (lambda: PCA().fit(np.full((3, 2), 1.7e308)), "largest float64"),
    (lambda: PCA(4).fit(np.ones((3, 5))), "n_components is 4.*at most 3"),
    (lambda: PCA().transform(np.ones((3, 5))), "PCA.transform: .*call fit"),
    (lambda: PCA().inverse_transform(np.ones((3, 5))), "PCA.inverse_transform: .*call fit"),
    (lambda: PCA(1).fit(np.eye(3)).transform(np.eye(2)), r"transform: got shape \(2, 2\); expected \(N, 3\)"),
    (lambda: PCA(1).fit(np.eye(3)).transform(np.ones(3)), r"got shape \(3,\)"),
    (lambda: PCA(1).fit(np.eye(3)).transform(np.full((1, 3), np.inf)), r"PCA.transform: x\[0, 0\] is inf"),
    (lambda: PCA(1).fit(np.eye(3)).inverse_transform(np.eye(3)), r"inverse_transform: got shape \(3, 3\); expected \(N, 1\)"),
])
def test_pca_refuses_bad_input_by_name(use, message):
    with pytest.raises(ValueError, match=message):
        use()


# --- t-SNE: probabilities ----------------------------------------------------------------------------------------------

def conditional(d, beta):
    """p_(j|i) for the squared distances d (N − 1,) to the others."""
    e = np.exp(-beta * (d - d.min()))
    return e / e.sum()


def test_perplexities_agree_with_a_root_finder():
    from scipy.optimize import brentq
    x, perplexity, n = correlated((40, 5)), 7.0, 40
    expected = np.zeros((n, n))
    for i in range(n):
        others = np.arange(n) != i
        d = ((x[i] - x[others]) ** 2).sum(axis=1)

        def excess(log_beta):
            p = conditional(d, np.exp(log_beta))
            return -(p[p > 0] * np.log(p[p > 0])).sum() - np.log(perplexity)
        expected[i, others] = conditional(d, np.exp(brentq(excess, -20, 20, xtol=1e-12)))
    np.testing.assert_allclose(joint_probabilities(x, perplexity), (expected + expected.T) / (2 * n), atol=2e-5 / n)


@given(st.integers(5, 30), st.floats(1.1, 3.9), st.floats(-6, 6), seeds)
def test_joint_probabilities_are_symmetric_and_know_no_scale(n, perplexity, log_scale, seed):
    x = correlated((n, 3), seed)
    P = joint_probabilities(x, perplexity)
    assert (P >= 0).all() and (P == P.T).all() and (P.diagonal() == 0).all()
    np.testing.assert_allclose(P.sum(), 1)
    np.testing.assert_allclose(joint_probabilities(x * 10 ** log_scale, perplexity), P, atol=1e-9)


def test_duplicates_share_their_probability():
    """Ten copies of each point, perplexity 4: a copy has nine neighbours at distance 0, all alike."""
    x = np.repeat(correlated((3, 4)), 10, axis=0)
    same = np.kron(np.eye(3), np.ones((10, 10))) - np.eye(30)
    np.testing.assert_allclose(joint_probabilities(x, 4.0), same / (9 * 30), atol=1e-12)
    for settings in ({}, {"init": "random", "rng": 0}):
        y = TSNE(perplexity=4, learning_rate=5, max_iter=300, **settings).fit_transform(x)
        assert neighbours_kept(x, y, 9) == 1
    assert (TSNE(perplexity=4, max_iter=60).fit_transform(np.ones((9, 3))) == 0).all()


# --- t-SNE: the divergence and its gradient ----------------------------------------------------------------------------

def problem(n=12, k=2, seed=0):
    rng = np.random.default_rng(seed)
    return joint_probabilities(rng.standard_normal((n, 4)), 3.0), rng.standard_normal((n, k))


def in_ops(P, y):
    """KL(P ‖ Q) as the engine's Tensor, for a Tensor y (N, k)."""
    n = len(P)
    d = y.reshape(n, 1, -1) - y.reshape(1, n, -1)
    w = (1 - np.eye(n)) / (1 + (d * d).sum(-1))
    q = w / w.sum() + np.eye(n)                                 # where p = 0, any q > 0 will do
    p = np.where(P > 0, P, 1)
    return (P * (np.log(p) - tn.log(q))).sum()


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_gradient_is_that_of_the_engine_and_of_finite_differences(k, backend):
    P, y = problem(k=k)
    leaf = tn.Tensor(y, requires_grad=True)
    value = in_ops(P, leaf)
    value.backward()
    np.testing.assert_allclose(kl_divergence(P, y), value.item(), rtol=1e-12)
    with tn.kernels.use(backend):
        gradient = tsne_gradient(P, y, 1.0)
    np.testing.assert_allclose(gradient, leaf.grad, atol=1e-13)
    for index in np.ndindex(y.shape):
        step = np.zeros_like(y)
        step[index] = 1e-5
        slope = (kl_divergence(P, y + step) - kl_divergence(P, y - step)) / 2e-5
        np.testing.assert_allclose(gradient[index], slope, atol=1e-9)


def test_exaggeration_multiplies_the_pull():
    P, y = problem()
    push = tsne_gradient(0 * P, y, 1.0)
    pull = tsne_gradient(P, y, 1.0) - push
    np.testing.assert_allclose(tsne_gradient(P, y, 12.0), 12 * pull + push, atol=1e-13)
    np.testing.assert_allclose(tsne_gradient(P, y, 12.0).sum(axis=0), 0, atol=1e-13)        # no force from outside


def test_a_picture_of_its_own_probabilities_has_no_divergence():
    y = problem()[1]
    w = (1 - np.eye(12)) / (1 + ((y[:, None] - y) ** 2).sum(-1))
    assert abs(kl_divergence(w / w.sum(), y)) < 1e-14
    np.testing.assert_allclose(tsne_gradient(w / w.sum(), y, 1.0), 0, atol=1e-15)


# --- t-SNE: pictures ---------------------------------------------------------------------------------------------------

def clusters(n=60, seed=0):
    """x (n, 5) in three clusters far apart, and which (n,)."""
    rng = np.random.default_rng(seed)
    which = np.arange(n) % 3
    return 10 * np.eye(3, 5)[which] + rng.standard_normal((n, 5)), which


def test_the_divergence_is_that_of_scikit_learn():
    """Medians, as each run is chaotic: rounding errors decide among minima that differ by some percent."""
    x, reached = RECORDED["tsne/x"], []
    for seed in range(len(RECORDED["tsne/divergences"])):
        tsne = TSNE(perplexity=30, init="random", rng=seed)
        tsne.fit_transform(x, progress=False)
        reached.append(tsne.kl_divergence)
    assert abs(np.median(reached) / np.median(RECORDED["tsne/divergences"]) - 1) < 0.02


@pytest.mark.parametrize("settings", [{}, {"init": "random", "rng": 1}, {"n_components": 1}, {"n_components": 3}])
def test_neighbours_stay_neighbours(settings):
    x, which = clusters()
    y = TSNE(perplexity=10, max_iter=500, **settings).fit_transform(x)
    assert y.shape == (60, settings.get("n_components", 2))
    d = ((y[:, None] - y) ** 2).sum(-1) + np.diag(np.full(60, np.inf))
    assert (which[d.argmin(axis=1)] == which).mean() > 0.9
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-10)


def test_steps_follow_the_published_schedule():
    """Momentum 0.5 for 250 steps, then 0.8; P twelvefold for as long; gains + 0.2 or × 0.8: by plain loops."""
    x, y = clusters(12)[0], 1e-4 * np.random.default_rng(5).standard_normal((12, 2))
    P, velocity, gains = joint_probabilities(x, 3.0), np.zeros((12, 2)), np.ones((12, 2))
    for t in range(270):
        w = 1 / (1 + ((y[:, None] - y) ** 2).sum(-1)) - np.eye(12)
        q, p = w / w.sum(), 12 * P if t < 250 else P
        for i in range(12):
            for k in range(2):
                gradient = 4 * sum((p[i, j] - q[i, j]) * w[i, j] * (y[i, k] - y[j, k]) for j in range(12))
                downhill = gradient * velocity[i, k] < 0
                gains[i, k] = max(gains[i, k] + 0.2 if downhill else gains[i, k] * 0.8, 0.01)
                velocity[i, k] = (0.5 if t < 250 else 0.8) * velocity[i, k] - 2.0 * gains[i, k] * gradient
        y = y + velocity
    ours = TSNE(perplexity=3, learning_rate=2.0, max_iter=270, init="random", rng=5).fit_transform(x)
    np.testing.assert_allclose(ours, y - y.mean(axis=0), rtol=1e-4, atol=1e-6)


def test_history_says_how_the_divergence_falls():
    x = clusters()[0]
    tsne = TSNE(perplexity=10, max_iter=420)
    y = tsne.fit_transform(x)
    np.testing.assert_array_equal(tsne.history[:, 0], [*range(0, 420, 50), 420])
    assert tsne.history[-1, 1] == tsne.kl_divergence
    np.testing.assert_allclose(tsne.kl_divergence, kl_divergence(joint_probabilities(x, 10.0), y), rtol=1e-8)
    assert (np.diff(tsne.history[5:, 1]) < 1e-3).all() and tsne.history[-1, 1] < tsne.history[0, 1] / 3


def test_a_generator_decides_and_nothing_else():
    x = clusters()[0]
    one, same, other, fresh = (TSNE(perplexity=10, max_iter=60, init="random", rng=rng).fit_transform(x)
                               for rng in (3, np.random.default_rng(3), 4, None))
    assert (one == same).all() and not np.allclose(one, other) and not np.allclose(one, fresh)
    first, again = (TSNE(perplexity=10, max_iter=60).fit_transform(x) for _ in range(2))
    assert (first == again).all()


def test_the_twins_draw_the_same_picture():
    x, pictures = clusters()[0], []
    for backend in ("numpy", "numba"):
        with tn.kernels.use(backend):
            pictures.append(TSNE(perplexity=10, max_iter=20).fit_transform(x))
    np.testing.assert_allclose(*pictures, rtol=1e-6, atol=1e-12)


def test_tsne_keeps_the_dtype_and_knows_no_scale():
    x = clusters()[0]
    assert TSNE(perplexity=10, max_iter=10).fit_transform(x.astype(np.float32)).dtype == np.float32
    y, large = (TSNE(perplexity=10, max_iter=10).fit_transform(scale * x) for scale in (1, 1e200))
    np.testing.assert_allclose(y, large, rtol=1e-6)


@pytest.mark.parametrize("use, message", [
    (lambda: TSNE(0), "n_components is 0"),
    (lambda: TSNE(2.0), "n_components is 2.0"),
    (lambda: TSNE(4), "n_components is 4; expected 1, 2 or 3"),
    (lambda: TSNE(perplexity=1), "perplexity is 1;.*5 to 50"),
    (lambda: TSNE(perplexity=np.nan), "perplexity is nan"),
    (lambda: TSNE(early_exaggeration=0.5), "early_exaggeration is 0.5"),
    (lambda: TSNE(learning_rate=0), "learning_rate is 0"),
    (lambda: TSNE(max_iter=0), "max_iter is 0"),
    (lambda: TSNE(max_iter=10.0), "max_iter is 10.0"),
    (lambda: TSNE(init="spectral"), "init is 'spectral'"),
    (lambda: TSNE(init=np.zeros((4, 2))), r'(?s)init is array.*expected "pca" or "random"'),
    (lambda: TSNE().fit_transform(np.eye(30)), "perplexity is 30, but x has 30 rows"),
    (lambda: TSNE().fit_transform(np.eye(31)), "perplexity is 30, but x has 31 rows.*below 30"),
    (lambda: TSNE(perplexity=2).fit_transform([[1.0, 2], [np.nan, 0], [0, 0]]), r"TSNE.fit_transform: x\[1, 0\] is nan"),
    (lambda: TSNE(perplexity=2).fit_transform(np.ones(9)), r"x has shape \(9,\)"),
    (lambda: TSNE(perplexity=2).fit_transform(np.arange(9.0)[:, None]), r'shape \(9, 1\).*init="random"'),
])
def test_tsne_refuses_bad_input_by_name(use, message):
    with pytest.raises(ValueError, match=message):
        use()


def test_projection_is_imported_when_it_is_used():
    assert tn.projection.PCA is PCA and tn.projection.TSNE is TSNE and "projection" in tn.__all__


# --- how good a picture is ---------------------------------------------------------------------------------------------

def test_a_picture_that_is_the_data_keeps_all_neighbours_and_a_random_one_few():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 2))
    assert neighbours_kept(x, 5 * x @ [[0, 1], [-1, 0]] + 3) == 1
    assert neighbours_kept(x, rng.standard_normal((300, 2))) == pytest.approx(10 / 299, abs=0.01)


def test_neighbours_are_counted():
    x = np.array([[0.0], [1], [3], [6]])                                        # nearest: 1, 0, 1, 2
    y = np.array([[0.0], [1], [6], [4]])                                        # nearest: 1, 0, 3, 2
    assert neighbours_kept(x, y, k=1) == 3 / 4


@pytest.mark.parametrize("rows, k", [(3, 1), (4, 0), (4, 4), (4, 1.5)])
def test_neighbours_of_other_tables_are_refused(rows, k):
    with pytest.raises(ValueError, match=f"x has 4 rows, y has {rows}, k is {k}"):
        neighbours_kept(np.eye(4), np.eye(rows), k)
