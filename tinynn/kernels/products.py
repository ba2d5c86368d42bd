"""Products of two matrices, shared among threads.

np.dot has BLAS's threads, until a kernel with threads of its own needs the cores (threads.py). From then on large products
are cut into a part for each of Numba's threads, and BLAS computes a part on one. Small ones are not worth waking a thread.
"""
import numpy as np

from .registry import kernel, prange
from .threads import Always

LARGE = 2 ** 23         # multiplications: in float32, 100 µs of one core


def dot(a, b):
    """a b: (n, k) @ (k, m) -> (n, m)."""
    parts = parts_of(a, b)
    if parts == 1:
        return np.dot(a, b)                         # as np.matmul; for k = 1 that leaves BLAS, and takes 8 times as long
    return by_rows(a, b, parts) if a.flags.c_contiguous else by_columns(a.T, b, parts)


def parts_of(a, b) -> int:
    """In how many parts to compute a b: 1, or one for each thread. 1 also for what np.dot will refuse: where threads run Numba
    raises nothing, and leaves y as it was."""
    if not Always.one_thread or a.shape[0] * a.shape[1] * b.shape[1] < LARGE:
        return 1
    if not (a.flags.forc and b.flags.forc and a.dtype == b.dtype and a.dtype.char in "fd" and a.dtype.isnative):
        return 1
    if a.shape[1] != b.shape[0]:
        return 1
    from numba import get_num_threads
    return min(get_num_threads(), len(a))


@kernel
def by_rows(a, b, parts):
    """a b, the rows of a shared out."""
    return np.dot(a, b)


@by_rows.numba(parallel=True)
def _(a, b, parts):
    (n, _), (_, m) = a.shape, b.shape
    y = np.empty((n, m), a.dtype)
    for part in prange(parts):
        start, end = n * part // parts, n * (part + 1) // parts
        np.dot(a[start:end], b, y[start:end])
    return y


@kernel
def by_columns(a, b, parts):
    """aᵀ b, the columns of a shared out."""
    return np.dot(a.T, b)


@by_columns.numba(parallel=True)
def _(a, b, parts):
    (_, n), (_, m) = a.shape, b.shape
    y = np.empty((n, m), a.dtype)
    for part in prange(parts):
        start, end = n * part // parts, n * (part + 1) // parts
        np.dot(a[:, start:end].copy().T, b, y[start:end])
    return y
