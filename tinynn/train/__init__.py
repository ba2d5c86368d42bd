"""Training: fit.py is the loop; history.py, checkpoint.py, files.py (weights on disk) and sweep.py (many runs) serve it.

series.py is for time series: windows, closed-loop forecasts, their errors.
"""
from .files import load, save
from .fit import batches, evaluate, fit
from .history import History
from .series import blocked_folds, forecast, hold_out, horizon, mse, nmse, windows
from .sweep import cross_validate, grid, k_fold, sweep

__all__ = ["History", "batches", "blocked_folds", "cross_validate", "evaluate", "fit", "forecast", "grid", "hold_out",
           "horizon", "k_fold", "load", "mse", "nmse", "save", "sweep", "windows"]
