"""Gradient descent: w ← w − lr · g. Everything else in this folder improves on this line. Read momentum.py next."""
from .optimizer import FirstOrder


class GD(FirstOrder):
    """Gradient descent (Cauchy 1847); on mini-batches it is SGD (Robbins & Monro 1951).

    lr: default 0.01. Too large diverges, too small crawls; 1e-3 to 1 for scaled data.
    """

    def __init__(self, params, lr=0.01, clip_norm=None):
        super().__init__(params, lr, clip_norm)

    def update(self, w, g):
        w -= w.dtype.type(self.rate) * g
