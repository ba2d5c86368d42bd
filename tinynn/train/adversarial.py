"""Two networks that train each other: the losses of GANs and Wasserstein GANs, and the loop that alternates.

A generator G turns noise z into samples, a critic D (a GAN's discriminator) tells them from the data x. `fit` cannot do this:
there are two losses and two optimizers, and each player's step changes the other's problem. By hand the loop reads

    for x, _ in batches(data, data, size, rng):
        fake = G(rng.standard_normal((len(x), latent)))
        critic_step(D, critic_optimizer, GAN, x, fake)              # n_critic times with fresh x and z, then once
        generator_step(D, generator_optimizer, GAN, fake)

D(x) is a number without bounds here: for a GAN the logit of "x is real", P(real) = σ(D(x)), so that no logarithm of 0 can
occur (softplus(−D) = −ln σ(D), softplus(D) = −ln(1 − σ(D))); for a WGAN a score.

Where nobody can win, P(real) = ½, and both losses of the GAN are ln 2 = 0.693. A generator's loss that climbs to 3 while the
critic's falls to 0.25 has not converged: the critic is winning. Read fit.py first, and nn/variational.py for the other way
to a generative model.
"""
import math
import time
from contextlib import contextmanager
from typing import Callable, NamedTuple

import numpy as np

from ..arguments import check_count, check_positive
from ..autograd.backward import grad
from ..autograd.settings import default_rng, no_grad, settings, switched
from ..autograd.tensor import Tensor, as_array
from ..nn.module import Array, Module, as_input, evaluating, train_unless_set
from ..ops import mean, relu, softplus, sqrt, sum
from ..optim.optimizer import FirstOrder
from .checkpoint import Checkpoint
from .fit import Bar, as_functions, batches
from .history import AdversarialHistory


# --- losses: real = D(x), fake = D(G(z)), any shapes with at least one number; each returns () --------------


def discriminator_loss(real: Array, fake: Array) -> Tensor:
    """L_D = −½ [E ln σ(real) + E ln(1 − σ(fake))]: binary cross-entropy over both halves (Goodfellow et al. 2014, eq. 1)."""
    return 0.5 * (mean(softplus(-numbers("discriminator_loss", real))) + mean(softplus(numbers("discriminator_loss", fake))))


def non_saturating_loss(fake: Array) -> Tensor:
    """L_G = −E ln σ(fake): steep where the critic is sure that a sample is fake, so a losing generator learns."""
    return mean(softplus(-numbers("non_saturating_loss", fake)))


def saturating_loss(fake: Array) -> Tensor:
    """L_G = E ln(1 − σ(fake)), the minimax game as it stands: flat where the critic is sure that a sample is fake."""
    return -mean(softplus(numbers("saturating_loss", fake)))


def wasserstein_critic_loss(real: Array, fake: Array) -> Tensor:
    """L_D = E fake − E real (Arjovsky et al. 2017). Over all D of slope ≤ 1 its least value is minus the distance W₁ between
    data and samples; that of any other such D says that they are at least so far apart."""
    return mean(numbers("wasserstein_critic_loss", fake)) - mean(numbers("wasserstein_critic_loss", real))


def wasserstein_generator_loss(fake: Array) -> Tensor:
    """L_G = −E fake."""
    return -mean(numbers("wasserstein_generator_loss", fake))


class Game(NamedTuple):
    """What the players minimise: critic(D(x), D(G(z))) and generator(D(G(z)))."""
    critic: Callable
    generator: Callable


GAN = Game(discriminator_loss, non_saturating_loss)
SATURATING_GAN = Game(discriminator_loss, saturating_loss)
WGAN = Game(wasserstein_critic_loss, wasserstein_generator_loss)


def gradient_penalty(critic: Callable, real: Array, fake: Array, rng=None, one_sided: bool = False) -> Tensor:
    """E (‖∇D(x̂)‖ − 1)² at random points x̂ between data and samples; (). Its weight in the loss is usually 10.

    one_sided: slopes below 1, which a critic that measures a distance may have, cost nothing: E max(0, ‖∇D(x̂)‖ − 1)² (Petzka,
    Fischer & Lukovnikov 2018, On the regularization of Wasserstein GANs). On a line there is no other way: a slope that is 1
    and should be −1 has to pass 0, where the two-sided penalty is largest. In the plane a gradient can turn round.

    The gradient by x̂ stays part of the graph, so the penalty's own gradient is a second derivative of the critic.
    real, fake: (N, ...), constants here. critic: maps (N, ...) to N numbers, each of its own row only: batch norm in it
    would couple them, so leave it out. Source: Gulrajani et al. 2017, Improved training of Wasserstein GANs, algorithm 1.
    """
    real, fake = np.asarray(as_array(real)), np.asarray(as_array(fake))
    if real.shape != fake.shape or not fake.ndim or not fake.size or not real.dtype.kind == fake.dtype.kind == "f":
        raise ValueError(f"gradient_penalty: real has shape {real.shape} and dtype {real.dtype}, fake has {fake.shape} and "
                         f"{fake.dtype}; expected floats (N, ...) of one shape, N at least 1")
    rest = tuple(range(1, fake.ndim))
    e = default_rng(rng).random((len(fake), *(1 for _ in rest)), dtype=fake.dtype)          # (N, 1, ...)
    x = Tensor(e * real.astype(fake.dtype, copy=False) + (1 - e) * fake, requires_grad=True)
    with switched(settings, "record", True):            # also under no_grad: without a graph there is no gradient
        g, = grad(sum(critic(x)), [x], create_graph=True)
        norm = sqrt(sum(g * g, axis=rest) + 1e-30)      # (N, ...) -> (N,); the root has no derivative at 0
        return mean((relu(norm - 1) if one_sided else norm - 1) ** 2)


def clip_weights(params: list, c: float):
    """Clip all numbers in `params` to [−c, c]: so a WGAN's critic keeps a bounded slope; 0.01 in Arjovsky et al. 2017."""
    for p in params:
        p.data = np.clip(p.data, -c, c)


# --- steps ----------------------------------------------------------------------------------------------


def critic_step(critic: Module, optimizer, game: Game, real: Array, fake: Tensor, clip=None, penalty=None, rng=None,
                one_sided=False) -> tuple:
    """One step of the critic; (the loss before it, the share of its decisions that were right).

    real: data (N, ...). fake: samples of that shape, taken as constants. clip, penalty, one_sided: see `fit_adversarial`.
    """
    on_real, on_fake = critic(real), critic(fake.detach())
    if on_real.size != len(real):
        raise ValueError(f"critic_step: of {len(real)} examples the critic makes shape {on_real.shape}; expected a number for "
                         f"each, ({len(real)}, 1)")
    loss = game.critic(on_real, on_fake)
    if penalty:
        loss = loss + penalty * gradient_penalty(critic, real, fake, rng, one_sided)
    value = optimizer.step(lambda: loss)
    if clip:
        clip_weights(critic.parameters(), clip)
    return value, float((np.mean(on_real.data > 0) + np.mean(on_fake.data <= 0)) / 2)


def generator_step(critic: Module, optimizer, game: Game, fake: Tensor) -> float:
    """One step of the generator, from samples `fake` that it has just made; the loss before it."""
    with frozen(critic):
        return optimizer.step(lambda: game.generator(critic(fake)))


@contextmanager
def frozen(model):
    """The model's parameters are constants in this block: a third of the backward pass through it is saved."""
    params = model.parameters()
    nodes = [p._node for p in params]
    for p in params:
        p._node = None
    try:
        yield
    finally:
        for p, node in zip(params, nodes):
            p._node = node


def generate(generator: Module, z: np.ndarray, batch_size: int = 1000) -> np.ndarray:
    """What the generator makes of latents z (N, ...), N ≥ 1: in evaluation mode, without a graph, batch_size at once."""
    check_count("generate: len(z)", len(z))
    check_count("generate: batch_size", batch_size)
    with evaluating(generator), no_grad():
        return np.concatenate([as_array(generator(z[start:start + batch_size])) for start in range(0, len(z), batch_size)])


# --- the loop -------------------------------------------------------------------------------------------


def fit_adversarial(generator: Module, critic: Module, x, *, game: Game, generator_optimizer, critic_optimizer, latent,
                    epochs, batch_size=None, n_critic=1, clip=None, penalty=None, one_sided=False, samples=16, checkpoint=None,
                    rng=None, progress=True, callbacks=()) -> AdversarialHistory:
    """Train a generator of data like x against a critic; returns the AdversarialHistory.

    generator: maps z (N, *latent), standard normal, to (N, ...) like x. critic: maps those to N numbers (N, 1).
    x: (M, ...) floats. game: GAN, SATURATING_GAN or WGAN. latent: the size of z, an int or a shape, as (100, 1, 1).
    generator_optimizer, critic_optimizer: first order, each made from its own player's parameters().
    epochs: passes of the critic over x. batch_size: default (None): all of x.
    n_critic: critic steps for each of the generator's, counted on from epoch to epoch; default 1, for a WGAN usually 5.
    clip: after each of its steps the critic's weights are clipped to [−clip, clip]; default None: not.
    penalty: weight of `gradient_penalty` in the critic's loss, default None: without; one_sided: which one.
    samples: how many fixed latents to follow through time, default 16; history.samples keeps what became of them.
    checkpoint, rng, progress, callbacks: as for `fit`; the rng also draws z.

    GAN: Adam(lr=2e-4, betas=(0.5, 0.999)) is usual (Radford et al. 2016). WGAN: RMSprop(lr=5e-5), clip 0.01, n_critic 5
    (Arjovsky et al. 2017); or Adam(lr=1e-4, betas=(0, 0.9)), penalty 10, n_critic 5 (Gulrajani et al. 2017).
    Ctrl-C ends training and returns what there is. Raises TypeError and ValueError for arguments that don't fit together.
    """
    x, callbacks = np.asarray(as_array(x)), as_functions(callbacks)
    shape = tuple(latent) if isinstance(latent, (tuple, list)) else (latent,)
    if not isinstance(game, Game):
        raise TypeError(f"fit_adversarial: game is {game!r}; expected a Game: GAN, SATURATING_GAN or WGAN")
    check(x, (generator, generator_optimizer), (critic, critic_optimizer), shape, clip, penalty, epochs=(epochs, 0),
          n_critic=(n_critic, 1), samples=(samples, 1), batch_size=(1 if batch_size is None else batch_size, 1))
    total = epochs * math.ceil(len(x) / (batch_size or len(x)))                             # critic steps
    if 0 < total < n_critic:
        raise ValueError(f"fit_adversarial: n_critic is {n_critic}, but epochs={epochs}, batch_size={batch_size} make {total} "
                         "critic steps, so the generator would make none; take more epochs, smaller batches or n_critic")
    rng, dtype = default_rng(rng), generator_optimizer.flat.w.dtype

    def draw(n):
        return rng.standard_normal((n, *shape), dtype)                                  # (n, *latent)

    history = AdversarialHistory(latents=draw(samples))
    saved = None
    if checkpoint:
        saved = Checkpoint(checkpoint, Players(generator, critic), Optimizers(generator_optimizer, critic_optimizer), rng)
        history, _ = saved.resume(history, callbacks)
    before, start = history.seconds[-1] if len(history) else 0.0, time.perf_counter()
    bar = Bar(epochs, len(history), progress)
    train_unless_set(generator)
    train_unless_set(critic)
    try:
        while not history.stop_reason and len(history) < epochs:
            generator_optimizer.epoch = critic_optimizer.epoch = len(history)
            steps, done = {"critic_loss": [], "generator_loss": [], "accuracy": []}, len(history.steps["critic_loss"])
            for real, rows in batches(x, np.arange(len(x)), batch_size, rng):
                fake = generator(draw(len(rows)))                                       # (N, *latent) -> (N, ...)
                loss, accuracy = critic_step(critic, critic_optimizer, game, real, fake, clip, penalty, rng, one_sided)
                steps["critic_loss"].append(loss)
                steps["accuracy"].append(accuracy)
                if (done + len(steps["critic_loss"])) % n_critic == 0:
                    steps["generator_loss"].append(generator_step(critic, generator_optimizer, game, fake))
                if not math.isfinite(loss) or not all(map(math.isfinite, steps["generator_loss"][-1:])):
                    history.stop_reason = "the loss is not finite"
                    break
            history.add(steps, before + time.perf_counter() - start, generate(generator, history.latents))
            watching = time.perf_counter()
            if any([callback(history) for callback in callbacks]) and not history.stop_reason:
                history.stop_reason = "a callback asked to stop"
            start += time.perf_counter() - watching                 # callbacks' time is not training's
            bar.update({"critic": history.critic_loss, "generator": history.generator_loss})
            if saved:
                saved.write_if_due(history, None)
        history.stop_reason = history.stop_reason or "all epochs done"
    except KeyboardInterrupt:
        history.stop_reason = "interrupted"
    finally:
        bar.close()
    try:
        if saved and history.stop_reason != "interrupted":      # an interrupted epoch is repeated from the last file
            saved.write(history, None)
    except KeyboardInterrupt:                                   # what was written before is still there
        history.stop_reason = "interrupted"
    return history


class Players(Module):
    """Both networks as one, for the checkpoint."""

    def __init__(self, generator, critic):
        self.generator, self.critic = generator, critic


class Optimizers:
    """Both optimizers' states as one, for the checkpoint."""

    def __init__(self, generator, critic):
        self.of = {"generator": generator, "critic": critic}

    def state_dict(self) -> dict:
        return {f"{player}.{name}": value for player, optimizer in self.of.items()
                for name, value in optimizer.state_dict().items()}

    def load_state_dict(self, state: dict):
        before = self.state_dict()
        try:
            self.load(state)
        except ValueError:
            self.load(before)                                       # all or nothing
            raise

    def load(self, state):
        for player, optimizer in self.of.items():
            prefix = f"{player}."
            optimizer.load_state_dict({name.removeprefix(prefix): value for name, value in state.items()
                                       if name.startswith(prefix)})


def numbers(name, logits) -> Tensor:
    """The critic's outputs as a Tensor; raises ValueError if there are none."""
    logits = as_input(logits)
    if logits.size == 0:
        raise ValueError(f"{name}: the critic's outputs have shape {logits.shape}; expected at least one number")
    return logits


def check(x, generating, judging, shape, clip, penalty, **counts):
    """Raise for arguments of fit_adversarial that don't fit together; counts: name = (value, least)."""
    if x.ndim == 0 or len(x) == 0 or x.dtype.kind != "f":
        raise ValueError(f"fit_adversarial: x has shape {x.shape} and dtype {x.dtype}; expected floats (M, ...), M at least 1")
    for name, (value, least) in (counts | {f"latent[{i}]": (n, 1) for i, n in enumerate(shape)}).items():
        check_count(f"fit_adversarial: {name}", value, least)
    for name, value in (("clip", clip), ("penalty", penalty)):
        if value is not None:
            check_positive(f"fit_adversarial: {name}", value)
    for name, (player, optimizer) in (("generator", generating), ("critic", judging)):
        if not isinstance(optimizer, FirstOrder):
            raise TypeError(f"fit_adversarial: {name}_optimizer is a {type(optimizer).__name__}; expected a first-order one, "
                            "such as Adam: the other player moves the loss between its steps")
        own = {id(p) for p in player.parameters()}
        if not all(id(p) in own for p in optimizer.flat.params):
            raise ValueError(f"fit_adversarial: {name}_optimizer trains parameters that are not the {name}'s; make it from "
                             f"{name}.parameters() alone")
