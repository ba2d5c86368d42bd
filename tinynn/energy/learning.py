"""How Boltzmann machines learn: contrastive divergence. Read rbm.py first.

L, the mean log-likelihood, is to rise, so steps go along its gradient, a difference of two averages. As ln p(v) is
−F(v) − ln Z, with −dF/dW = v hᵀ, h at its probabilities, and d ln Z/dW = Σ p(v, h) v hᵀ over all states,

    dL/dW = ⟨v hᵀ⟩ data − ⟨v hᵀ⟩ machine,    dL/da = ⟨v⟩ data − ⟨v⟩ machine,    dL/db = ⟨h⟩ data − ⟨h⟩ machine

The positive phase is a product. The negative phase needs samples of the machine, from a Gibbs chain: v given h, h given v.
- CD-k (Hinton 2002): start the chain at the data, stop after k steps. Biased, as the chain has not forgotten where it
  started: valleys that the machine has far from all data are never seen, and stay. The bias goes to 0 as k grows.
- PCD (Tieleman 2008): a chain for each example of a batch that goes on from update to update, as the machine changes little.

Where speed comes from: both phases lie on top of each other in one array, so that the difference of two products is one
product with signs; arrays are reused from batch to batch; visible units are drawn in one pass (kernels/sampling.py); and a
second thread gathers examples and draws random numbers for the next batches while the first learns from these.
"""
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, cycle, islice
from queue import SimpleQueue
from threading import Thread

import numpy as np

from ..arguments import check_count, check_fraction, check_positive
from ..kernels.threads import one_blas_thread

AHEAD = 2 ** 18         # so many random numbers are drawn ahead, or as many as a Gibbs step of a batch takes
WATCHED = 1000          # so many rows of the data are measured after each epoch


@dataclass
class LearningHistory:
    """What learning tells, an entry an epoch, measured afterwards on the same 1000 rows of the data (all, if there are less).

    reconstruction_error: the mean squared difference between a visible unit and its mean given the hidden probabilities.
    pseudo_likelihood: in nats a row, estimated from the same ten bits of a row each time; empty where it is not defined.
    seconds: so far. stop_reason: "all epochs done", "interrupted" (Ctrl-C), or "the weights are not finite".
    """
    reconstruction_error: list = field(default_factory=list)
    pseudo_likelihood: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    stop_reason: str | None = None

    def __len__(self):
        return len(self.seconds)


def learn(rbm, X, positive, watch, *, epochs, lr, batch_size, k=1, persistent=False, momentum=0.0, weight_decay=0.0,
          binarise=False, progress=True, up=1, down=1) -> LearningHistory:
    """Train `rbm` on X (N, n), n <= visible units; the arguments are those of RBM.fit, and:

    positive(v, p): write the hidden probabilities of the rows v (m, V) into p (m, H), and v's columns from n on, if any.
    watch(X, rng): (reconstruction error, pseudo-likelihood or None) of some rows.
    up, down: factors on what units get from below, and from above (2: pre-training of a deep machine, see dbm.py).
    """
    from tqdm import tqdm
    check_options(epochs, lr, batch_size, k, momentum, weight_decay)
    rng, history, start = rbm.rng, LearningHistory(), time.perf_counter()
    size = min(batch_size, len(X))
    batches = Batches(rbm, X, positive, size, k, persistent, momentum, weight_decay, binarise, up, down)
    watched, seed = X[rng.permutation(len(X))[:WATCHED]], int(rng.integers(2 ** 62))
    if binarise:
        watched = draw(watched, rng)
    try:
        # Where learning diverges numbers overflow, and the history says so.
        with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"), second_thread() as ahead, \
                tqdm(total=epochs, unit="epoch", leave=False, mininterval=0.2, disable=not progress) as bar:
            for epoch in range(epochs):
                rate, order = rate_of(lr, epoch), rng.permutation(len(X))
                batches.learn(ahead(batches.pieces(order)), rate)
                error, likelihood = watch(watched, np.random.default_rng(seed))
                history.reconstruction_error.append(error)
                if likelihood is not None:
                    history.pseudo_likelihood.append(likelihood)
                history.seconds.append(time.perf_counter() - start)
                if not np.isfinite(error):
                    history.stop_reason = "the weights are not finite"
                    break
                bar.set_postfix(error=f"{error:.3g}", refresh=False)
                bar.update()
        history.stop_reason = history.stop_reason or "all epochs done"
    except KeyboardInterrupt:
        history.stop_reason = "interrupted"
    return history


class Batches:
    """Updates from batches, in memory that is used again and again."""

    def __init__(self, rbm, X, positive, size, k, persistent, momentum, weight_decay, binarise, up, down):
        self.rbm, self.X, self.positive, self.size, self.k, self.persistent = rbm, X, positive, size, k, persistent
        self.momentum, self.weight_decay, self.binarise, self.up, self.down = momentum, weight_decay, binarise, up, down
        (V, H), dtype = rbm.W.shape, rbm.W.dtype
        # Rows 0 to m are the data's, m to 2m the chains'.
        self.v, self.p, self.signed = (np.empty((2 * size, n), dtype) for n in (V, H, H))
        self.signs, self.gradient = np.empty(2 * size, dtype), np.empty_like(rbm.W)
        self.parameters = rbm.W, rbm.a, rbm.b
        self.velocities = [np.zeros_like(w) for w in self.parameters]
        self.h = np.empty((size, H), dtype)
        if persistent:
            if rbm.chains is None or rbm.chains.shape != self.h.shape:      # small weights: hidden units are fair coins
                rbm.chains = draw(np.full_like(self.h, 0.5), rbm.rng)
            self.h = rbm.chains
        # A piece: the examples of one or more batches, and random numbers for all k Gibbs steps, or for some from one batch.
        fit = max(1, AHEAD // (size * (V + H)))                             # so many Gibbs steps of a batch
        self.steps, self.rows = min(k, fit), size * min(max(1, fit // k), -(-len(X) // size))
        shapes = [(self.rows, X.shape[1]), (self.steps * self.rows * H,), (self.steps * self.rows * V,)]
        self.memories = [[np.empty(shape, dtype) for shape in shapes] for _ in range(2)]

    def pieces(self, order):
        """What an epoch takes: examples (M, n), and random numbers for some of their Gibbs steps, (s, M, H) and (s, M, V)."""
        rng, examples, numbers = self.rbm.rng, cycle(x for x, *_ in self.memories), cycle(u for _, *u in self.memories)
        for i in range(0, len(order), self.rows):
            rows = order[i:i + self.rows]
            x = next(examples)[:len(rows)]
            np.take(self.X, rows, axis=0, out=x, mode="clip")
            if self.binarise:
                draw(x, rng, out=x)
            for t in range(0, self.k, self.steps):
                shape = min(self.steps, self.k - t), len(rows), -1
                for_h, for_v = (u[:len(u) // self.steps // self.rows * shape[0] * shape[1]].reshape(shape)
                                for u in next(numbers))
                rng.random(dtype=x.dtype, out=for_h)
                yield x, for_h, self.rbm._noise(for_v)

    def learn(self, pieces, rate):
        """Learn from all batches of `pieces`, at the learning rate `rate`."""
        more = (self.k - 1) // self.steps                                   # pieces with more random numbers for a batch
        for x, for_h, for_v in pieces:
            for i in range(0, len(x), self.size):
                batch = slice(i, i + self.size)
                others = (pair for _, *u in islice(pieces, more) for pair in zip(*u))
                self.step(x[batch], chain(zip(for_h[:, batch], for_v[:, batch]), others), rate)

    def step(self, x, numbers, rate):
        """Learn from a batch x (m, n), with k pairs of random numbers (m, H), (m, V)."""
        rbm, m, n = self.rbm, len(x), x.shape[1]
        v, p, h = self.v[:2 * m], self.p[:2 * m], self.h[:m]
        v[:m, :n] = x
        self.positive(v[:m], p[:m])
        now = p[:m]                                                         # CD: the chain starts at the data
        for for_h, for_v in numbers:
            if not self.persistent:
                np.less(for_h, now, out=h)
            rbm._draw_visible(h, v[m:], self.down, for_v)
            now = rbm._hidden(v[m:], p[m:], self.up)
            if self.persistent:
                np.less(for_h, now, out=h)
        self.update(v, p, rate)

    def update(self, v, p, rate):
        """W, a, b += rate · (positive − negative phase), with momentum and weight decay. v: (2m, V), p: (2m, H)."""
        m = len(v) // 2
        signs, signed = self.signs[:2 * m], self.signed[:2 * m]
        signs[:m], signs[m:] = rate / m, -rate / m
        np.multiply(p, signs[:, None], out=signed)
        np.matmul(v.T, signed, out=self.gradient)                           # (V, 2m) @ (2m, H) -> (V, H)
        if self.weight_decay:
            self.gradient -= rate * self.weight_decay * self.parameters[0]
        for w, g, velocity in zip(self.parameters, (self.gradient, signs @ v, signs @ p), self.velocities):
            if self.momentum:
                velocity *= self.momentum
                velocity += g
                g = velocity
            w += g


@contextmanager
def second_thread():
    """A context that gives a function: ahead(items) are the items of an iterator, each computed by a second thread while
    the first works with the one before. Never two of them ahead, so memory for two, in turn, is enough."""
    wanted, found = SimpleQueue(), SimpleQueue()

    def work():
        for items in iter(wanted.get, None):
            try:
                found.put((next(items), None))
            except BaseException as error:                                  # StopIteration, too
                found.put((None, error))

    def ahead(items):
        wanted.put(items)
        while True:
            item, error = found.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            wanted.put(items)
            yield item
    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield ahead
    finally:
        wanted.put(None)
        thread.join()


def draw(p, rng, out=None):
    """Ones with probability p, else zeros, of p's shape and dtype. out: may be p."""
    return np.less(rng.random(p.shape, dtype=p.dtype), p, out=np.empty_like(p) if out is None else out)


def rate_of(lr, epoch):
    """The learning rate of an epoch; ValueError: a schedule returned something else."""
    rate = lr(epoch) if callable(lr) else lr
    if not isinstance(rate, (int, float, np.number)) or not 0 <= rate < np.inf:
        raise ValueError(f"fit: lr is a function that returned {rate!r} for epoch {epoch}; expected a finite number >= 0")
    return rate


def check_options(epochs, lr, batch_size, k, momentum, weight_decay):
    """Raise ValueError for settings of `fit` that make no sense."""
    for name, value, least in (("epochs", epochs, 0), ("batch_size", batch_size, 1), ("k", k, 1)):
        check_count(f"fit: {name}", value, least)
    if not callable(lr):
        check_positive("fit: lr", lr)
    check_fraction("fit: momentum", momentum)
    if not isinstance(weight_decay, (int, float, np.number)) or not 0 <= weight_decay < np.inf:
        raise ValueError(f"fit: weight_decay is {weight_decay!r}; expected a number >= 0; 1e-4 is usual")
