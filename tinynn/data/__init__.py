"""The data sets: a loader for each, and a generated stand-in for when the files are not there.

    problem = tn.data.regression_problem(digits=(8, 8, 7, 5, 1))
    problem.x_train, problem.y_train, problem.real

A loader looks in the folder $TINYNN_DATA, then in the user's cache, and else generates a stand-in, with a warning and
with `real=False`: a stand-in lets everything run, and is never passed off as the data set.
`python -m tinynn data` says what would be used. Read dataset.py first, then any loader.
"""
from .dataset import Dataset, disjoint_samples, find
from .hopfield_digits import hopfield_digits
from .laser import santa_fe_laser
from .regression import regression_problem

__all__ = ["Dataset", "disjoint_samples", "find", "hopfield_digits", "regression_problem", "santa_fe_laser"]
