"""BLAS threads: one, where we have threads of our own, or where products are small.

NumPy and SciPy bring one BLAS each, with threads of their own, which wait busily for some 20 ms after a product, for more.
Whatever else needs the cores then must share them: on two cores, a step of least squares with both libraries took 18 ms
where one thread takes 1, and a training step of a convolutional network, whose kernels have threads of their own, 59 ms
instead of 35.
"""
from contextlib import contextmanager
from functools import cache


class Always:
    """one_thread: set once `one_blas_thread_from_now_on` was called."""
    one_thread = False


@contextmanager
def one_blas_thread(wanted: bool = True, sure: bool = False):
    """A context in which NumPy's and SciPy's BLAS run in one thread each; wanted=False: a context that does nothing.

    sure: also where that was set for good, which somebody may have changed since; it takes 15 µs.
    """
    if not wanted or Always.one_thread and not sure:
        yield
        return
    before = Always.one_thread
    try:
        with libraries().limit(limits=1, user_api="blas"):
            yield
    finally:
        if Always.one_thread and not before:        # a kernel with threads of its own has come meanwhile: it stays so
            libraries().limit(limits=1, user_api="blas")


def one_blas_thread_from_now_on():
    """BLAS keeps to one thread for the rest of the process: what a kernel with threads of its own needs, and its surroundings.

    Large products would lose by it: products.py shares out ours, and `threadpoolctl.threadpool_limits` gives those outside
    tinynn their threads back.
    """
    if not Always.one_thread:
        libraries().limit(limits=1, user_api="blas")
        Always.one_thread = True


@cache
def libraries():
    """All BLAS libraries of this process; finding them takes a millisecond, limiting them 15 µs."""
    import scipy.linalg  # noqa: F401  (its BLAS is only known once it is loaded)
    from threadpoolctl import ThreadpoolController
    return ThreadpoolController()
