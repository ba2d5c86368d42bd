"""Restricted Boltzmann machines: a probability for every picture, from an energy (Smolensky 1986; Hinton 2002).

V visible units v, the data, and H hidden units h in {0, 1}, with a weight between each visible and each hidden unit, and
none within a layer, "restricted". Low energy is high probability:

    p(v, h) = e^(−E(v, h))/Z,   Z = Σ over all v and h of e^(−E(v, h))
    binary visible units, v in {0, 1}:              E(v, h) = −vᵀWh − aᵀv − bᵀh
    Gaussian visible units with variance 1, v real: E(v, h) = ½|v − a|² − vᵀWh − bᵀh         (and Z an integral over v)

As there is nothing within a layer, given one layer the units of the other are independent, and are drawn all at once:

    p(hⱼ = 1 | v) = σ(b + Wᵀv)ⱼ,     p(vᵢ = 1 | h) = σ(a + Wh)ᵢ,     or     v | h normal with mean a + Wh, variance 1

Drawn in turn, again and again (Gibbs sampling), v and h come to be distributed as p, wherever they started. The hidden
units can be summed out, which leaves the free energy F:

    p(v) = e^(−F(v))/Z,     F(v) = −aᵀv − Σⱼ softplus(b + Wᵀv)ⱼ,     or     F(v) = ½|v − a|² − Σⱼ softplus(b + Wᵀv)ⱼ

The one thing that is hard is Z: 2^min(V, H) terms. partition.py estimates it; learning.py does without it.

    rbm = RBM(784, 100, rng=0)
    history = rbm.fit(X, epochs=10, lr=0.05, k=1, batch_size=64, binarise=True)         # X (N, 784), in [0, 1]
    rbm.reconstruct(X[:5], known, steps=100)

Read learning.py next, then partition.py, then dbm.py.
"""
import numpy as np

from ..arguments import check_count
from ..autograd.settings import default_rng, settings
from ..autograd.tensor import Tensor
from ..kernels.sampling import fire, logistic
from ..ops import softplus
from .learning import LearningHistory, draw, learn
from .partition import log_partition

FEW = 32            # for no more rows than this h Wᵀ is up to 1.7 times faster as (W hᵀ)ᵀ: BLAS has less to rearrange


class RBM:
    """A restricted Boltzmann machine of n_visible and n_hidden units.

    visible: "binary" (default), for data in {0, 1}, or in [0, 1], read as probabilities; or "gaussian", with variance 1, for
    real data: scale each column to mean 0 and variance 1. rng: Generator, seed, or None for the default Generator; of the
    first weights, and of all that is drawn.
    Attributes: W (V, H), normal with deviation 0.01 at first (Hinton 2010, section 8), a (V,) and b (H,), 0 at first; chains,
    (batch_size, H), the hidden states where persistent learning goes on, or None.
    """

    def __init__(self, n_visible: int, n_hidden: int, rng=None, visible: str = "binary"):
        for name, n in (("n_visible", n_visible), ("n_hidden", n_hidden)):
            check_count(f"RBM: {name}", n)
        if visible not in ("binary", "gaussian"):
            raise ValueError(f'RBM: visible is {visible!r}; expected "binary" or "gaussian"')
        self.rng, self.gaussian, self.chains = default_rng(rng), visible == "gaussian", None
        self.W = (0.01 * self.rng.standard_normal((n_visible, n_hidden))).astype(settings.dtype)
        self.a, self.b = np.zeros(n_visible, settings.dtype), np.zeros(n_hidden, settings.dtype)

    def fit(self, X, epochs: int, lr, k: int = 1, persistent: bool = False, batch_size: int = 64, momentum: float = 0.0,
            weight_decay: float = 0.0, binarise: bool = False, progress: bool = True) -> LearningHistory:
        """Learn from X (N, V) by contrastive divergence (see learning.py), from where the weights are; returns the history.

        X: binary units: in [0, 1]; Gaussian: any finite numbers. float32 or float64: the machine takes on its dtype.
        epochs: passes over the data, in a new order each time. lr: the learning rate, a number or a function of the epoch
            (optim.schedules); 0.01 to 0.1 for binary, 0.001 to 0.01 for Gaussian units.
        k: Gibbs steps an update, default 1. persistent: the chains go on from update to update (PCD), one an example of the
            batch. batch_size: default 64; 10 to 100 is usual.
        momentum: default 0; weight_decay: λ of a penalty ½λ|W|², default 0; 1e-5 to 1e-3 is usual (Hinton 2010).
        binarise: True: draw X from {0, 1} with the probabilities X, anew in each epoch; default: take X as it is.

        Ctrl-C ends learning and keeps what there is. ValueError: X has another shape or values, or a setting makes no sense.
        """
        if binarise and self.gaussian:
            raise ValueError("RBM.fit: binarise is for binary visible units, and these are Gaussian")
        X = self._data("RBM.fit", X)
        return learn(self, X, self._hidden, self._watch, epochs=epochs, lr=lr, k=k, persistent=persistent, momentum=momentum,
                     batch_size=batch_size, weight_decay=weight_decay, binarise=binarise, progress=progress)

    def hidden(self, v) -> np.ndarray:
        """The probabilities that hidden units are 1: (..., V) -> (..., H)."""
        return self._hidden(self._rows("RBM.hidden", v))

    def visible(self, h) -> np.ndarray:
        """The means of the visible units, given hidden states or probabilities: (..., H) -> (..., V)."""
        return self._visible(as_units("RBM.visible", "h", h, len(self.b), 0, 1, self.b.dtype))

    def free_energy(self, v):
        """F(v) = −ln Σₕ e^(−E(v, h)), in nats: (..., V) -> (...). Takes Tensors, too, also as W, a, b.

        Its gradient is the positive phase of learning: −dF/dW = v hᵀ, −dF/da = v (Gaussian units: v − a),
        −dF/db = h, with h = σ(b + Wᵀv).
        """
        return self._free_energy(v if isinstance(v, Tensor) else self._rows("RBM.free_energy", v))

    def log_likelihood(self, v, log_z: float | None = None) -> np.ndarray:
        """ln p(v) = −F(v) − ln Z, in nats: (..., V) -> (...). log_z: default exact, for up to 25 units in the smaller layer;
        for a larger machine log_partition(rbm, "ais").log_z."""
        return -self.free_energy(v) - as_log_z("RBM.log_likelihood", log_partition(self).log_z if log_z is None else log_z)

    def pseudo_likelihood(self, v, bits: int | None = None, rng=None) -> np.ndarray:
        """Σᵢ ln p(vᵢ | all other visible units), in nats: (N, V) -> (N,). Needs no Z (Besag 1975).

        With d = F(v with vᵢ = 0) − F(v with vᵢ = 1), p(vᵢ = 1 | others) = σ(d). Values between 0 and 1 count as shares.
        bits: None (default): all i, V times the work of F; or so many drawn for each row, of which the mean is taken V times:
        an unbiased estimate, with bits=1 the one of scikit-learn's BernoulliRBM. rng: for the draws; default: the machine's.
        ValueError: Gaussian visible units, where it is a density without a closed form.
        """
        if self.gaussian:
            raise ValueError("RBM.pseudo_likelihood: is for binary visible units, and these are Gaussian")
        if bits is not None:
            check_count("RBM.pseudo_likelihood: bits", bits)
        v, rng = self._rows("RBM.pseudo_likelihood", v), self.rng if rng is None else default_rng(rng)
        if v.ndim != 2:
            raise ValueError(f"RBM.pseudo_likelihood: v has shape {v.shape}; expected (N, {len(self.a)})")
        x, rows, total = v @ self.W + self.b, np.arange(len(v)), np.zeros(len(v), v.dtype)
        for i in range(len(self.a)) if bits is None else rng.integers(0, len(self.a), (bits, len(v))):
            vi, Wi = v[rows, i], self.W[i]                                  # (N,), (N, H); for one i for all rows, (H,)
            off = x - vi[:, None] * Wi                                      # (N, H): input of the hidden units with vᵢ = 0
            d = self.a[i] + (softplus(off + Wi) - softplus(off)).sum(axis=-1)
            total += vi * d - softplus(d)                                   # vᵢ ln σ(d) + (1 − vᵢ) ln(1 − σ(d))
        return total if bits is None else total * (len(self.a) / bits)

    def reconstruction_error(self, v) -> float:
        """The mean squared difference between v (..., V) and visible(hidden(v)): of a visible unit."""
        v = self._rows("RBM.reconstruction_error", v)
        return float(np.square(v - self._visible(self._hidden(v))).mean())

    def gibbs(self, v, steps: int = 1, trajectory: bool = False) -> np.ndarray:
        """The visible units after `steps` Gibbs steps from v (..., V); trajectory: all on the way, (steps + 1, ..., V)."""
        check_count("RBM.gibbs: steps", steps)
        v = self._rows("RBM.gibbs", v)
        path = [v]
        for _ in range(steps):
            v = self._draw_visible(draw(self._hidden(v), self.rng))
            if trajectory:
                path.append(v)
        return np.array(path) if trajectory else v

    def reconstruct(self, v, known, steps: int = 100) -> np.ndarray:
        """Fill in what is missing: a Gibbs chain in which the known units are put back at every step.

        v: (..., V); unknown values may be anything, also NaN. known: bools, (V,) or like v. Unknown units start as drawn from
        the visible biases alone; returned are their means in the last step, beside the known values: (..., V).
        """
        known, v = np.asarray(known), np.asarray(v)
        if known.dtype != bool or known.shape not in (v.shape, v.shape[-1:]):
            raise ValueError(f"RBM.reconstruct: known has shape {known.shape} and dtype {known.dtype}; expected bools, "
                             f"like v, {v.shape}, or ({len(self.a)},)")
        check_count("RBM.reconstruct: steps", steps)
        v = self._rows("RBM.reconstruct", np.where(known, v, 0))
        now = np.where(known, v, self._draw_visible(np.zeros((*v.shape[:-1], len(self.b)), v.dtype)))
        for _ in range(steps):
            h = draw(self._hidden(now), self.rng)
            now = np.where(known, v, self._draw_visible(h))
        return np.where(known, v, self._visible(h))

    def astype(self, dtype) -> "RBM":
        """Turn the parameters into float32 or float64; returns self."""
        self.W, self.a, self.b = (np.ascontiguousarray(w, dtype) for w in (self.W, self.a, self.b))
        self.chains = None if self.chains is None else np.ascontiguousarray(self.chains, dtype)
        return self

    # --- the same without checks, where `out` is given in place, and with a factor on what comes from the other layer -----

    def _hidden(self, v, out=None, factor=1):
        return logistic(np.matmul(v, self.W, out=out), factor, self.b)      # (..., V) @ (V, H) -> (..., H)

    def _visible(self, h, factor=1):
        x = self._to_visible(h)
        return factor * x + self.a if self.gaussian else logistic(x, factor, self.a)

    def _to_visible(self, h, out=None):
        if h.ndim == 2 and len(h) <= FEW:
            return np.positive((self.W @ h.T).T, out=out, order="C")        # (V, H) @ (H, N) -> (V, N) -> (N, V)
        return np.matmul(h, self.W.T, out=out, order="C")                   # (..., H) @ (H, V) -> (..., V)

    def _draw_visible(self, h, out=None, factor=1, noise=None):
        x = self._to_visible(h, out)
        noise = self._noise(np.empty_like(x)) if noise is None else noise
        if self.gaussian:
            x *= factor
            x += self.a
            x += noise
        else:
            fire(x, factor, self.a, noise)
        return x

    def _noise(self, out):
        """What drawing visible units takes: normal random numbers for Gaussian units, uniform ones for binary units."""
        (self.rng.standard_normal if self.gaussian else self.rng.random)(dtype=out.dtype, out=out)
        return out

    def _visible_energy(self, v, a):
        """The part of the energy that v has by itself: (..., V) -> (...)."""
        return ((v - a) ** 2).sum(-1) / 2 if self.gaussian else -(v @ a)

    def _free_energy(self, v):
        return self._visible_energy(v, self.a) - softplus(v @ self.W + self.b).sum(-1)

    def _watch(self, X, rng):
        error = self.reconstruction_error(X) if np.isfinite(self.W).all() else np.nan
        return error, None if self.gaussian else float(self.pseudo_likelihood(X, 10, rng).mean())

    def _data(self, name, X):
        """X (N, V), checked; the machine takes on its dtype."""
        X = np.asarray(X)
        if X.ndim != 2 or len(X) == 0:
            raise ValueError(f"{name}: X has shape {X.shape}; expected (N, {len(self.a)}), an example in each row; images "
                             "need reshape(N, -1)")
        if X.dtype in (np.float32, np.float64):
            self.astype(X.dtype)
        return self._rows(name, X, "X")

    def _rows(self, name, v, which="v"):
        """v as visible units, checked."""
        low, high = (-np.finfo(self.W.dtype).max, np.finfo(self.W.dtype).max) if self.gaussian else (0, 1)
        return as_units(name, which, v, len(self.a), low, high, self.W.dtype)


def as_units(name, which, x, n, low, high, dtype) -> np.ndarray:
    """x as an array (..., n) of that dtype with values from low to high, or a ValueError."""
    x = np.asarray(x)
    if x.ndim == 0 or x.shape[-1] != n or x.dtype.kind not in "biuf":
        raise ValueError(f"{name}: {which} has shape {x.shape} and dtype {x.dtype}; expected numbers (..., {n}), as the "
                         f"machine has {n} such units")
    x = x.astype(dtype, copy=False)
    if x.size and not (low <= x.min() and x.max() <= high):                 # NaN is neither
        at = tuple(int(i) for i in np.argwhere(~((low <= x) & (x <= high)))[0])
        expected = "values in [0, 1]; divide grey values by 255" if high == 1 else "finite numbers"
        raise ValueError(f"{name}: {which}[{', '.join(map(str, at))}] is {x[at]}; expected {expected}")
    return x


def as_log_z(name, log_z):
    """log_z, if it is one number."""
    if np.ndim(log_z) != 0:
        raise ValueError(f"{name}: log_z is {log_z!r}; expected a number, such as log_partition(...).log_z")
    return log_z
