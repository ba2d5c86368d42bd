"""Optimizers, one algorithm per file.

Start with gd.py and optimizer.py; then momentum.py, adaptive.py, adam.py. A gradient alone is not all there is:
line_search.py, descent.py, conjugate_gradient.py, bfgs.py and lbfgs.py use how it changes, levenberg_marquardt.py and
bayesian_regularization.py the structure of a sum of squares.
"""
from . import schedules
from .adam import Adam, AdamW
from .adaptive import Adadelta, Adagrad, RMSprop
from .bayesian_regularization import BayesianRegularization
from .bfgs import BFGS
from .conjugate_gradient import ConjugateGradient
from .gd import GD
from .gdx import GDX
from .lbfgs import LBFGS
from .levenberg_marquardt import LevenbergMarquardt
from .momentum import Momentum

__all__ = ["Adadelta", "Adagrad", "Adam", "AdamW", "BFGS", "BayesianRegularization", "ConjugateGradient", "GD", "GDX",
           "LBFGS", "LevenbergMarquardt", "Momentum", "RMSprop", "schedules"]
