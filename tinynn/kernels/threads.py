"""BLAS threads: one, where we have threads of our own, or where products are small."""
from contextlib import nullcontext
from functools import cache


def one_blas_thread(wanted: bool = True):
    """A context in which NumPy's and SciPy's BLAS run in one thread each; wanted=False: a context that does nothing.

    NumPy and SciPy bring one BLAS each, with threads of their own. If both take turns, their threads fight over the cores
    (on two cores a step of least squares took 18 ms where one thread takes 1), and so do those of a product inside a loop
    of ours that is parallel already. For large products threads pay, whoever waits.
    """
    return libraries().limit(limits=1, user_api="blas") if wanted else nullcontext()


@cache
def libraries():
    """All BLAS libraries of this process; finding them takes a millisecond, limiting them 15 µs."""
    import scipy.linalg  # noqa: F401  (its BLAS is only known once it is loaded)
    from threadpoolctl import ThreadpoolController
    return ThreadpoolController()
