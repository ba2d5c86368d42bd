"""A deep Boltzmann machine: two layers of hidden units, one above the other (Salakhutdinov & Hinton 2009).

    E(v, h¹, h²) = −vᵀW₁h¹ − h¹ᵀW₂h² − aᵀv − b₁ᵀh¹ − b₂ᵀh²,     all units in {0, 1}

h¹ hears from both sides, v and h² only from h¹. So put v and h² side by side, and it is an RBM again, of visible units
(v, h²), hidden units h¹, weights W₁ on top of W₂ᵀ:

    h² ○ ○ ○                                    h¹ ○ ○ ○ ○
        W₂                                         W₁   W₂ᵀ
    h¹ ○ ○ ○ ○              is             v ○ ○ ○ ○ ○   ○ ○ ○ h²
        W₁
    v  ○ ○ ○ ○ ○

Gibbs sampling, Z and the update of the weights are that RBM's, `joint` here. What is new is that h² is not in the data:
given v the hidden units no longer are independent, and the positive phase needs an approximation, the mean field. Read
rbm.py and learning.py first.
"""
import numpy as np

from ..arguments import check_count
from ..kernels.sampling import logistic
from .learning import LearningHistory, draw, learn
from .partition import base_rates
from .rbm import RBM, as_log_z, as_units


class DBM:
    """A deep Boltzmann machine of n_visible, n_hidden1 and n_hidden2 binary units.

    rng: Generator, seed, or None for the default Generator. Attributes: joint, the RBM of (v, h²) and h¹; and views into its
    parameters, W1 (V, H₁), W2 (H₁, H₂), a (V,), b1 (H₁,), b2 (H₂,).

        dbm = DBM(784, 500, 1000, rng=0)
        dbm.pretrain(X, epochs=10, lr=0.05)
        dbm.fit(X, epochs=10, lr=0.01)
    """

    def __init__(self, n_visible: int, n_hidden1: int, n_hidden2: int, rng=None):
        for name, n in (("n_visible", n_visible), ("n_hidden1", n_hidden1), ("n_hidden2", n_hidden2)):
            check_count(f"DBM: {name}", n)
        self.n_visible, self.joint = n_visible, RBM(n_visible + n_hidden2, n_hidden1, rng)

    W1 = property(lambda self: self.joint.W[:self.n_visible])
    W2 = property(lambda self: self.joint.W[self.n_visible:].T)
    a = property(lambda self: self.joint.a[:self.n_visible])
    b1 = property(lambda self: self.joint.b)
    b2 = property(lambda self: self.joint.a[self.n_visible:])

    def pretrain(self, X, epochs: int, lr, k: int = 1, persistent: bool = False, batch_size: int = 64, momentum: float = 0.0,
                 weight_decay: float = 0.0, binarise: bool = False,
                 progress: bool = True) -> tuple[LearningHistory, LearningHistory]:
        """Start with two RBMs, one after the other, the second on the hidden probabilities of the first; their histories.

        In the deep machine h¹ hears from v and from h²; in an RBM from one of them only. So its input is doubled there, as
        if the other side said the same: p(h¹ | v) = σ(b + 2W₁ᵀv) in the lower, p(h¹ | h²) = σ(b' + 2W₂h²) in the upper RBM.
        Put together, half of each remains, and so h¹ keeps ½(b + b') as its bias. Arguments as of RBM.fit.

        The visible biases begin with the means of X, a = ln(p/(1 − p)) (Hinton 2010, section 8.1). From 0, hidden units learn
        to turn off the pixels that are never on, and where these are off themselves a valley of grey noise is left, which
        the chains of CD never see, and in which nearly all of the probability can lie.
        Ctrl-C keeps what there is: in the first machine it ends the second as well.
        """
        X, rng = self._data("DBM.pretrain", X), self.joint.rng
        lower, upper = (RBM(*W.shape, rng=rng).astype(X.dtype) for W in (self.W1, self.W2))
        options = {"epochs": epochs, "lr": lr, "k": k, "persistent": persistent, "batch_size": batch_size,
                   "momentum": momentum, "weight_decay": weight_decay, "binarise": binarise, "progress": progress}
        lower.a[:] = base_rates(lower, X)
        first = learn_doubled(lower, X, options, up=2)
        self.W1[:], self.a[:], self.b1[:] = lower.W, lower.a, lower.b / 2
        features = lower._hidden(X, factor=2)                                           # (N, V) -> (N, H₁)
        done = first.stop_reason == "all epochs done"                   # else the second would learn from half of the first
        second = learn_doubled(upper, features, {**options, "binarise": True, "epochs": epochs if done else 0}, down=2)
        if not done:
            second.stop_reason = first.stop_reason
        self.W2[:], self.b2[:] = upper.W, upper.b
        self.b1[:] += upper.a / 2
        return first, second

    def fit(self, X, epochs: int, lr, k: int = 5, batch_size: int = 64, momentum: float = 0.0, weight_decay: float = 0.0,
            binarise: bool = False, progress: bool = True) -> LearningHistory:
        """Learn from X (N, V), all layers together: mean field for the positive phase, persistent chains for the negative one.

        The arguments are those of RBM.fit; k: default 5. Learning rates are smaller than an RBM's, 0.001 to 0.01, and fall.
        What rises is a lower bound of the likelihood, see `lower_bound`. Ctrl-C keeps what there is.
        """
        X, n = self._data("DBM.fit", X), self.n_visible

        def positive(v, p):
            p[:], v[:, n:] = self._mean_field(v[:, :n], steps=10, tolerance=1e-3)

        def watch(X, rng):
            h1, _ = self._mean_field(X, steps=10, tolerance=1e-3)
            return float(np.square(X - self.joint._visible(h1)[:, :n]).mean()), None
        return learn(self.joint, X, positive, watch, epochs=epochs, lr=lr, k=k, persistent=True, batch_size=batch_size,
                     momentum=momentum, weight_decay=weight_decay, binarise=binarise, progress=progress)

    def mean_field(self, v, steps: int = 100, tolerance: float = 1e-6) -> tuple[np.ndarray, np.ndarray]:
        """Approximate p(h¹, h² | v) by independent units with means μ¹, μ²: v (..., V) -> (..., H₁), (..., H₂).

            μ¹ ← σ(b₁ + W₁ᵀv + W₂μ²),   μ² ← σ(b₂ + W₂ᵀμ¹)
        until no mean of h¹ moves by more than `tolerance`, at most `steps` times. Each update raises `lower_bound`.
        """
        check_count("DBM.mean_field: steps", steps)
        return self._mean_field(self._rows("DBM.mean_field", v), steps, tolerance)

    def lower_bound(self, v, log_z: float) -> np.ndarray:
        """A lower bound of ln p(v), in nats, (..., V) -> (...), exact if the hidden units were independent given v:

            ln p(v) >= −E(v, μ¹, μ²) + H(μ¹) + H(μ²) − ln Z,     H the entropy, μ the mean field

        log_z: log_partition(dbm).log_z for small machines, log_partition(dbm, "ais", data=X).log_z for larger ones.
        """
        from scipy.special import entr                                                  # −p ln p
        v = self._rows("DBM.lower_bound", v)
        h1, h2 = self._mean_field(v, 100, 1e-6)
        energy = -v @ self.a - h1 @ self.b1 - h2 @ self.b2 - ((v @ self.W1 + h2 @ self.W2.T) * h1).sum(-1)
        return sum((entr(h) + entr(1 - h)).sum(-1) for h in (h1, h2)) - energy - as_log_z("DBM.lower_bound", log_z)

    def gibbs(self, v, steps: int = 1, trajectory: bool = False) -> np.ndarray:
        """The visible units after `steps` Gibbs steps from v (..., V), and h² drawn from the mean field; see RBM.gibbs."""
        v = self._rows("DBM.gibbs", v)
        _, h2 = self._mean_field(v, 10, 1e-3)
        start = np.concatenate([v, draw(h2, self.joint.rng)], axis=-1)                  # (..., V), (..., H₂) -> (..., V + H₂)
        return self.joint.gibbs(start, steps, trajectory)[..., :self.n_visible]

    def reconstruct(self, v, known, steps: int = 100) -> np.ndarray:
        """Fill in what is not known of v (..., V); see RBM.reconstruct. h² is unknown, too."""
        v, known = np.asarray(v), np.asarray(known)
        if v.ndim == 0 or v.shape[-1] != self.n_visible or known.dtype != bool or known.shape not in (v.shape, v.shape[-1:]):
            raise ValueError(f"DBM.reconstruct: v has shape {v.shape}, known has {known.shape} and dtype {known.dtype}; "
                             f"expected (..., {self.n_visible}), and bools, like v or ({self.n_visible},)")
        more = self.joint.W.shape[0] - self.n_visible
        v, known = (np.concatenate([x, np.zeros((*x.shape[:-1], more), x.dtype)], axis=-1) for x in (v, known))
        return self.joint.reconstruct(v, known, steps)[..., :self.n_visible]

    def _mean_field(self, v, steps, tolerance):
        fixed = v @ self.W1                                                             # (..., V) @ (V, H₁) -> (..., H₁)
        h1 = logistic(fixed.copy(), 2, self.b1)                                         # a first guess, as in pre-training
        for _ in range(steps):
            h2 = logistic(h1 @ self.W2, 1, self.b2)                                     # (..., H₁) @ (H₁, H₂) -> (..., H₂)
            before, h1 = h1, logistic(fixed + h2 @ self.W2.T, 1, self.b1)
            if np.abs(h1 - before).max(initial=0) <= tolerance:
                break
        return h1, logistic(h1 @ self.W2, 1, self.b2)

    def _data(self, name, X):
        X = np.asarray(X)
        if X.ndim != 2 or len(X) == 0:
            raise ValueError(f"{name}: X has shape {X.shape}; expected (N, {self.n_visible}), an example in each row")
        if X.dtype in (np.float32, np.float64):
            self.joint.astype(X.dtype)
        return self._rows(name, X, "X")

    def _rows(self, name, v, which="v"):
        return as_units(name, which, v, self.n_visible, 0, 1, self.joint.W.dtype)


def learn_doubled(rbm, X, options, up=1, down=1) -> LearningHistory:
    """Train one of the RBMs of `pretrain` on X, with input doubled on the way up, or on the way down."""
    def watch(X, rng):
        return float(np.square(X - rbm._visible(rbm._hidden(X, factor=up), factor=down)).mean()), None
    return learn(rbm, X, lambda v, p: rbm._hidden(v, p, up), watch, up=up, down=down, **options)
