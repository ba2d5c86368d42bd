"""Training: fit.py is the loop; history.py, checkpoint.py, files.py (weights on disk) and sweep.py (many runs) serve it."""
from .files import load, save
from .fit import batches, evaluate, fit
from .history import History
from .sweep import cross_validate, grid, k_fold, sweep

__all__ = ["History", "batches", "cross_validate", "evaluate", "fit", "grid", "k_fold", "load", "save", "sweep"]
