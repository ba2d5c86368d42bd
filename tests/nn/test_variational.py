"""Variational pieces: against SciPy, Monte Carlo, and a linear Gaussian model whose likelihood is known."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

import tinynn as tn
from tinynn import nn, optim

RNG = np.random.default_rng(0)


def test_kl_is_the_integral():
    """Each KL(N(μ, σ²) ‖ N(0, 1)) by quadrature, summed over latents, averaged over examples."""
    mu, log_var = RNG.normal(size=(3, 2)), RNG.normal(size=(3, 2))

    def kl(m, s):
        return quad(lambda z: stats.norm.pdf(z, m, s) * (stats.norm.logpdf(z, m, s) - stats.norm.logpdf(z)), m - 12 * s,
                    m + 12 * s, epsabs=1e-12)[0]
    expected = sum(kl(m, s) for m, s in zip(mu.ravel(), np.exp(log_var / 2).ravel())) / 3
    assert nn.kl_divergence(mu, log_var).item() == pytest.approx(expected, rel=1e-9)
    assert nn.kl_divergence(np.zeros((3, 2)), np.zeros((3, 2))).item() == 0


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 1000))
def test_likelihoods_are_scipys(n, side, seed):
    rng = np.random.default_rng(seed)
    shape = (n, 1, side, side)
    x, a, log_var = rng.integers(0, 2, shape) * 1.0, rng.normal(0, 3, shape), rng.normal(size=shape)
    np.testing.assert_allclose(nn.log_bernoulli(x, a).data, stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-a))).sum((1, 2, 3)))
    np.testing.assert_allclose(nn.log_gaussian(a, x, log_var).data,
                               stats.norm.logpdf(a, x, np.exp(log_var / 2)).sum((1, 2, 3)), rtol=1e-12)
    for width in (log_var.flat[0], tn.Tensor(log_var.flat[0])):
        np.testing.assert_allclose(nn.log_gaussian(a, x, width).data,
                                   stats.norm.logpdf(a, x, np.exp(log_var.flat[0] / 2)).sum((1, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(nn.log_gaussian(a, x).data, stats.norm.logpdf(a, x).sum((1, 2, 3)), rtol=1e-12)


def test_bernoulli_takes_any_logit():
    a = tn.Tensor(np.array([[800.0, -800.0]]), requires_grad=True)
    value = nn.log_bernoulli([[1, 1]], a)
    assert value.item() == -800
    np.testing.assert_array_equal(tn.grad(value.sum(), [a])[0], [[0, 1]])


@pytest.mark.parametrize("x", [[[-1.0, 1.0]], [[0.0, 255.0]], [[np.nan, 0.0]]])
def test_bernoulli_is_for_values_between_0_and_1(x):
    for values in (np.array(x), tn.Tensor(np.array(x), requires_grad=True)):
        with pytest.raises(ValueError, match=r"log_bernoulli: x has values from .*expected .* \[0, 1\].* take \(x \+ 1\) / 2"):
            nn.log_bernoulli(values, np.zeros((1, 2)))
    assert nn.log_bernoulli([[0.0, 0.3, 1.0]], np.ones((1, 3))).item() < 0                  # grey values may stay


def test_gradients():
    mu, log_var, x = RNG.normal(size=(3, 4, 2))
    tn.check_gradients(nn.kl_divergence, mu, log_var, order=2)
    tn.check_gradients(lambda a: nn.log_bernoulli(x > 0, a), mu, order=2)
    tn.check_gradients(lambda m, v: nn.log_gaussian(x, m, v), mu, log_var, order=2)
    tn.check_gradients(lambda m, v: nn.reparameterize(m, v, 3), mu, log_var, order=2)


def test_reparameterized_draws_have_the_mean_and_the_width():
    mu, log_var = np.full((20000, 2), [1.0, -2.0]), np.full((20000, 2), [0.0, -2.0])
    z = nn.reparameterize(mu, log_var, np.random.default_rng(0)).data
    np.testing.assert_allclose(z.mean(0), [1, -2], atol=0.03)
    np.testing.assert_allclose(z.std(0), [1, np.exp(-1)], rtol=0.03)


# --- the linear Gaussian model: z ~ N(0, I), x = Az + b + s·noise, so x ~ N(b, AAᵀ + s²I) --------------------

A, b, s = np.array([[1.0, 0.5], [-0.3, 0.8], [0.9, 1.0]]), np.array([0.5, 0.0, -1.0]), 0.6
M = np.linalg.inv(np.eye(2) + A.T @ A / s**2)                   # the true posterior: N(M Aᵀ(x − b)/s², M)


def linear_gaussian(log_var, rng=0):
    """A VAE of that model, its encoder with the true means, and variances e^log_var."""
    encoder, decoder = nn.Linear(3, 4), nn.Linear(2, 3)
    W = M @ A.T / s**2
    encoder.load_state_dict({"weight": np.vstack([W, np.zeros((2, 3))]), "bias": np.concatenate([-W @ b, log_var])})
    decoder.load_state_dict({"weight": A, "bias": b})
    return nn.VAE(encoder, decoder, rng)


def likelihood(x, mu):
    return nn.log_gaussian(x, mu, 2 * np.log(s))


X = np.random.default_rng(5).multivariate_normal(b, A @ A.T + s**2 * np.eye(3), 400)
EXACT = stats.multivariate_normal(b, A @ A.T + s**2 * np.eye(3)).logpdf(X)


def test_the_bound_lies_below_the_likelihood_and_tends_to_it():
    vae, rows = linear_gaussian(np.log(np.diag(M))), np.repeat(X, 50, axis=0)
    rng = np.random.default_rng(1)
    with tn.no_grad():
        bounds = [nn.importance_bound(vae, rows, k, likelihood, rng).data.mean() for k in (1, 4, 16)]
        last = nn.importance_bound(vae, X, 2000, likelihood, rng).data.mean()
    # The ELBO's gap is KL(q ‖ posterior), here of two Gaussians with one mean.
    q = np.diag(np.diag(M))
    gap = 0.5 * (np.trace(np.linalg.inv(M) @ q) - 2 + np.log(np.linalg.det(M) / np.linalg.det(q)))
    assert gap > 0.05 and EXACT.mean() - bounds[0] == pytest.approx(gap, rel=0.1)
    assert bounds[0] < bounds[1] < bounds[2] < EXACT.mean()
    assert abs(EXACT.mean() - last) < 2e-3


def test_the_bound_draws_from_the_vae_s_generator():
    first, again, other = (nn.importance_bound(linear_gaussian(np.zeros(2), seed), X, 2, likelihood).data
                           for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_the_loss_is_minus_the_elbo():
    vae = linear_gaussian(np.log(np.diag(M)), 3)
    loss, rows = nn.ELBOLoss(likelihood), np.repeat(X, 100, axis=0)
    output = vae(rows)
    reconstruction, kl = loss.terms(output, rows)
    assert loss(output, rows).item() == pytest.approx(reconstruction.item() + kl.item(), rel=1e-14)
    with tn.no_grad():
        bound = nn.importance_bound(vae, rows, 1, likelihood).data.mean()
    assert -loss(output, rows).item() == pytest.approx(bound, abs=0.02)


def test_the_bound_is_exact_where_the_encoder_is():
    """With one latent the posterior is N(μ, σ²) itself: every weight is p(x), whatever was drawn."""
    a = np.array([[1.0], [-0.7]])
    m = 1 / (1 + (a.T @ a).item() / s**2)
    encoder, decoder = nn.Linear(2, 2), nn.Linear(1, 2, bias=False)
    encoder.load_state_dict({"weight": np.vstack([m * a.T / s**2, np.zeros((1, 2))]), "bias": [0, np.log(m)]})
    decoder.load_state_dict({"weight": a})
    x = RNG.normal(size=(6, 2))
    exact = stats.multivariate_normal(np.zeros(2), a @ a.T + s**2 * np.eye(2)).logpdf(x)
    for k in (1, 3):
        np.testing.assert_allclose(nn.importance_bound(nn.VAE(encoder, decoder), x, k, likelihood).data, exact, rtol=1e-10)


def test_the_bound_survives_tiny_likelihoods():
    """e⁻²⁰⁰⁰ is 0 in floating point, its logarithm is a number."""
    vae = linear_gaussian(np.log(np.diag(M)))
    far = X[:3] + 40.0
    bound = nn.importance_bound(vae, far, 200, likelihood, 0).data
    exact = stats.multivariate_normal(b, A @ A.T + s**2 * np.eye(3)).logpdf(far)
    assert (exact < -1000).all()
    np.testing.assert_allclose(bound, exact, atol=0.5)


def test_the_bound_can_be_trained():
    vae = linear_gaussian(np.log(np.diag(M)))

    def bound(W, c):
        vae.encoder = lambda x: x @ W + c
        return nn.importance_bound(vae, X[:3], 4, likelihood, 2)
    tn.check_gradients(bound, RNG.normal(size=(3, 4)), RNG.normal(size=4))


def test_fit_finds_the_likelihood():
    """Trained from scratch on the linear Gaussian data, the ELBO comes close to the likelihood of the truth."""
    rng = np.random.default_rng(0)
    vae = nn.VAE(nn.Linear(3, 4, rng=rng), nn.Linear(2, 3, rng=rng), rng)
    history = tn.fit(vae, X, X, loss=nn.ELBOLoss(likelihood), optimizer=optim.Adam(vae.parameters(), lr=0.03), epochs=60,
                     batch_size=50, rng=rng, progress=False, validation=(X, X))
    with tn.no_grad():
        bound = nn.importance_bound(vae, X, 300, likelihood, rng).data.mean()
    assert history.train_loss[0] > history.train_loss[-1] + 1
    assert EXACT.mean() - 0.05 < bound < EXACT.mean() + 0.05


def test_float32_stays_float32():
    vae = linear_gaussian(np.log(np.diag(M))).astype(np.float32)
    x = X.astype(np.float32)
    output = vae(x)
    loss = nn.ELBOLoss(nn.log_gaussian)(output, X)                # the float64 target does not promote it
    assert {loss.dtype, *(y.dtype for y in output), nn.importance_bound(vae, x, 2, nn.log_gaussian).dtype} == {np.dtype("f4")}
    assert all(g.dtype == np.float32 for g in tn.grad(loss, vae.parameters()))


def test_bad_input():
    vae = linear_gaussian(np.zeros(2))
    with pytest.raises(ValueError, match=r"kl_divergence: mu has shape \(3, 2\), log_var has \(3, 1\); expected equal shapes"):
        nn.kl_divergence(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"log_bernoulli: x has shape \(4, 1\), logits has \(4, 2\)"):
        nn.log_bernoulli(np.zeros((4, 1)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="log_gaussian: .* N at least 1"):
        nn.log_gaussian(np.zeros((0, 2)), np.zeros((0, 2)))
    for log_var in (np.zeros((3, 1)), np.zeros(2), tn.Tensor(np.zeros((4, 3, 2)))):
        with pytest.raises(ValueError, match=r"log_gaussian: log_var has shape \(.*\), x has \(3, 2\); expected a number"):
            nn.log_gaussian(np.zeros((3, 2)), np.zeros((3, 2)), log_var)
    for wrong in (lambda x, mu: tn.mean(likelihood(x, mu)), lambda x, mu: -(x - mu) ** 2, lambda x, mu: 0.0):
        with pytest.raises(ValueError, match=r"ELBOLoss: log_likelihood returned shape \(.*\); expected \(400,\), a numb"):
            nn.ELBOLoss(wrong)(vae(X), X)
        with pytest.raises(ValueError, match=r"importance_bound: log_likelihood returned shape \(.*sum over an example's"):
            nn.importance_bound(vae, X, 2, wrong)
    for output in (vae(X)[0], vae(X)[:2], None):
        with pytest.raises(TypeError, match="ELBOLoss: output is a .*; expected the triple that a VAE returns"):
            nn.ELBOLoss(likelihood)(output, X)
    for k in (0, 1.5, True):
        with pytest.raises(ValueError, match="importance_bound: k is"):
            nn.importance_bound(vae, X, k)
    with pytest.raises(ValueError, match=r"VAE: the encoder returned shape \(400, 3\); expected \(N, 2L\)"):
        nn.VAE(nn.Linear(3, 3), nn.Linear(1, 3))(X)
