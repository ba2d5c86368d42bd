"""Training: fit.py is the loop; history.py, checkpoint.py, files.py (weights on disk) and sweep.py (many runs) serve it.

adversarial.py is the loop for two networks that train each other. series.py is for time series: windows, closed-loop
forecasts, their errors.
"""
from .adversarial import GAN, SATURATING_GAN, WGAN, fit_adversarial, generate, gradient_penalty
from .files import load, save
from .fit import batches, evaluate, fit
from .history import AdversarialHistory, History
from .series import blocked_folds, forecast, hold_out, horizon, mse, nmse, windows
from .sweep import cross_validate, grid, k_fold, sweep, uninterrupted

__all__ = ["AdversarialHistory", "GAN", "History", "SATURATING_GAN", "WGAN", "batches", "blocked_folds", "cross_validate",
           "evaluate", "fit", "fit_adversarial", "forecast", "generate", "gradient_penalty", "grid", "hold_out", "horizon",
           "k_fold", "load", "mse", "nmse", "save", "sweep", "uninterrupted",
           "windows"]
