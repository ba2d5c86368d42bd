"""Variational autoencoders (Kingma & Welling 2014): a model with latents z, trained by a bound on ln p(x).

    vae = nn.VAE(encoder, decoder)                      # encoder: x -> (N, 2L); decoder: (N, L) -> logits like x
    tn.fit(vae, x, x, loss=nn.ELBOLoss(), ...)

The model: z ~ N(0, I), x ~ p(x|z), which the decoder describes. ln p(x) = ln ∫ p(x|z) p(z) dz cannot be computed, but for any
q(z|x), here N(μ, σ²) with μ and ln σ² from the encoder,

    ln p(x) ≥ E_q ln p(x|z) − KL(q(z|x) ‖ p(z))         the ELBO; the gap is KL(q(z|x) ‖ p(z|x))
    ln p(x) ≥ E ln 1/k Σᵢ p(x|zᵢ) p(zᵢ) / q(zᵢ|x)       with k draws zᵢ ~ q: tighter, and exact as k → ∞

All terms are *sums* over the numbers of an example, in nats, and averages over examples. To average the reconstruction over
pixels, too, would weigh it 784 times less against the KL, and the latents would go unused.

Shapes: x (N, ...), z, mean and log_var (N, L). Read losses.py first, and train/adversarial.py for the other way.
"""
import math
from typing import Callable

import numpy as np

from ..arguments import check_count
from ..autograd.settings import default_rng
from ..autograd.tensor import Tensor
from ..ops import exp, logsumexp, mean, softplus, stack, sum
from .module import Array, Module, as_input


def reparameterize(mu: Array, log_var: Array, rng=None) -> Tensor:
    """z = μ + σ ε with ε ~ N(0, I): a draw from N(μ, σ²) through which gradients flow to μ and σ. All (N, L).

    log_var: ln σ². rng: default None, the default Generator.
    """
    mu, log_var = same_shape("reparameterize", mu=mu, log_var=log_var)
    return mu + exp(0.5 * log_var) * default_rng(rng).standard_normal(mu.shape, mu.dtype)


def kl_divergence(mu: Array, log_var: Array) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, I)) = −½ Σ (1 + ln σ² − μ² − σ²): summed over the L latents, averaged over the N examples; ()."""
    mu, log_var = same_shape("kl_divergence", mu=mu, log_var=log_var)
    return mean(-0.5 * sum(1 + log_var - mu * mu - exp(log_var), axis=rest(mu)))            # (N, L) -> (N,) -> ()


def log_bernoulli(x: Array, logits: Array) -> Tensor:
    """ln p(x) = Σ [x ln σ(a) + (1 − x) ln(1 − σ(a))] = Σ [x a − softplus(a)] for logits a; (N, ...) -> (N,).

    x: 0 or 1. For grey values between, a common stand-in, it is no likelihood: draw them as bits before you compare nats.
    ValueError: x lies outside [0, 1], where the sum would have no bound.
    """
    x, a = same_shape("log_bernoulli", x=x, logits=logits)
    low, high = x.data.real.min(), x.data.real.max()
    if not 0 <= low <= high <= 1:                                                           # NaN is not, either
        raise ValueError(f"log_bernoulli: x has values from {low} to {high}; expected values in [0, 1]; of pictures in "
                         "[-1, 1] take (x + 1) / 2")
    return sum(x * a - softplus(a), axis=rest(a))                                           # (N, ...) -> (N,)


def log_gaussian(x: Array, mu: Array, log_var=0.0) -> Tensor:
    """ln N(x; μ, σ²) = −½ Σ [ln 2π + ln σ² + (x − μ)²/σ²]; (N, ...) -> (N,). log_var: ln σ², a number or like x."""
    x, mu = same_shape("log_gaussian", x=x, mu=mu)
    if not isinstance(log_var, Tensor):
        log_var = np.asarray(log_var, mu.dtype)
    if log_var.shape not in ((), x.shape):
        raise ValueError(f"log_gaussian: log_var has shape {log_var.shape}, x has {x.shape}; expected a number, or the same "
                         "shape; np.broadcast_to(log_var, x.shape) repeats one for each column")
    error = x - mu
    return -0.5 * sum(math.log(2 * math.pi) + log_var + error * error * exp(-log_var), axis=rest(error))


class VAE(Module):
    """x -> (what the decoder makes of z, μ, ln σ²), with z drawn from N(μ, σ²).

    encoder: (N, ...) -> (N, 2L), first the means, then ln σ². decoder: (N, L) -> the likelihood's parameters, (N, ...).
    rng: draws z; None (default): the default Generator.
    """

    def __init__(self, encoder: Module, decoder: Module, rng=None):
        self.encoder, self.decoder, self.rng = encoder, decoder, None if rng is None else default_rng(rng)

    def encode(self, x: Array) -> tuple:
        """(μ, ln σ²) of q(z|x)."""
        h = self.encoder(x)                                                                 # (N, ...) -> (N, 2L)
        if h.ndim != 2 or h.shape[1] % 2 or not h.size:
            raise ValueError(f"VAE: the encoder returned shape {h.shape}; expected (N, 2L): a mean and a log variance for "
                             "each of L latents")
        half = h.shape[1] // 2
        return h[:, :half], h[:, half:]                                                     # (N, 2L) -> 2 × (N, L)

    def forward(self, x: Array) -> tuple:
        mu, log_var = self.encode(x)
        return self.decoder(reparameterize(mu, log_var, self.rng)), mu, log_var


class ELBOLoss(Module):
    """L = −E_q ln p(x|z) + KL: the negative ELBO of a VAE's output, from one draw of z; ().

    log_likelihood: a function of (x, decoder's output) -> (N,); default: log_bernoulli.
    """

    def __init__(self, log_likelihood: Callable = log_bernoulli):
        self.log_likelihood = log_likelihood

    def terms(self, output: tuple, target: Array) -> tuple:
        """(reconstruction, KL), two numbers (); their sum is the loss."""
        if not isinstance(output, (tuple, list)) or len(output) != 3:
            raise TypeError(f"ELBOLoss: output is a {type(output).__name__}; expected the triple that a VAE returns: what the "
                            "decoder made, μ, and ln σ²")
        decoded, mu, log_var = output
        log_p = per_example("ELBOLoss", self.log_likelihood(target, decoded), mu)
        return -mean(log_p), kl_divergence(mu, log_var)                                     # (N,) -> (); (N, L) -> ()

    def forward(self, output: tuple, target: Array) -> Tensor:
        reconstruction, kl = self.terms(output, target)
        return reconstruction + kl


def importance_bound(vae: VAE, x: Array, k: int, log_likelihood: Callable = log_bernoulli, rng=None) -> Tensor:
    """ln 1/k Σᵢ wᵢ with wᵢ = p(x|zᵢ) p(zᵢ) / q(zᵢ|x), zᵢ ~ q(z|x): a bound on ln p(x) for each example; (N,).

    k: draws, at least 1 (the ELBO); 5000 are usual for test numbers. The bound rises with k, in expectation. rng: for the
    draws; default: the VAE's.
    Call it in evaluation mode and inside `tn.no_grad()`, or it keeps k graphs; with them it is a loss to train with, too.
    The wᵢ themselves underflow (e⁻⁸⁰⁰ is 0), so it is computed from their logarithms.
    Source: Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders, eq. 8.
    """
    check_count("importance_bound: k", k)
    rng, log_w = default_rng(vae.rng if rng is None else rng), []
    mu, log_var = vae.encode(x)                                                             # (N, ...) -> 2 × (N, L)
    zero = np.zeros(mu.shape, mu.dtype)
    for _ in range(k):
        z = reparameterize(mu, log_var, rng)
        log_p = per_example("importance_bound", log_likelihood(x, vae.decoder(z)), mu)      # (N,)
        log_w.append(log_p + log_gaussian(z, zero) - log_gaussian(z, mu, log_var))
    return logsumexp(stack(log_w), axis=0) - math.log(k)                                    # (k, N) -> (N,)


def per_example(function, log_p, mu):
    """What a log_likelihood returned, if it is a number for each example of mu (N, L)."""
    if np.shape(log_p) != mu.shape[:1]:
        raise ValueError(f"{function}: log_likelihood returned shape {np.shape(log_p)}; expected {mu.shape[:1]}, a number for "
                         "each example: sum over an example's numbers, and average over nothing")
    return log_p


def rest(x) -> tuple:
    """All axes but the first."""
    return tuple(range(1, x.ndim))


def same_shape(function, **named) -> tuple:
    """Two arguments as Tensors of one dtype; raises ValueError unless they have one shape (N, ...), N at least 1."""
    (a, x), (b, y) = named.items()
    y = as_input(y)
    x = as_input(x if isinstance(x, Tensor) else np.asarray(x, y.dtype), y.dtype)
    if x.shape != y.shape or x.ndim < 1 or not x.size:
        raise ValueError(f"{function}: {a} has shape {x.shape}, {b} has {y.shape}; expected equal shapes (N, ...), N at least "
                         "1")
    return x, y
