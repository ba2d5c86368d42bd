"""The workloads of session 4: restricted Boltzmann machines. See workloads.py."""
import numpy as np

from tinynn.energy import RBM

from .workloads import has


def rbm(batch_size):
    """784 visible and 100 hidden units; scikit-learn's learning is persistent, which takes as many products and draws."""
    X = (np.random.default_rng(0).random((60_000, 784)) < 0.13).astype(np.float32)
    contestants = {"tinynn": lambda: RBM(784, 100, rng=0).fit(X, 1, 0.01, batch_size=batch_size, progress=False)}
    if has("sklearn"):
        from sklearn.neural_network import BernoulliRBM
        contestants["scikit-learn"] = lambda: BernoulliRBM(100, learning_rate=0.01, batch_size=batch_size, n_iter=1,
                                                           random_state=0).fit(X)
    return contestants


def rbm_batch_64():
    """RBM 784–100, one epoch of CD-1 over 60,000 images, batch 64, float32."""
    return rbm(64)


def rbm_batch_10():
    """RBM 784–100, one epoch of CD-1 over 60,000 images, batch 10, float32."""
    return rbm(10)


TABLE = [(rbm_batch_64, {"scikit-learn": 0.6}, {"rounds": 3}), (rbm_batch_10, {"scikit-learn": 0.5}, {"rounds": 3})]
