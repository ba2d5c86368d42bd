"""Units of a Boltzmann machine, given their input: their probabilities, and draws in one pass, where NumPy takes six."""
import numpy as np

from .registry import helper, kernel


def logistic(x, factor, bias):
    """x ← σ(factor · x + bias), in place, and returned. σ(x) = (1 + tanh(x/2))/2 cannot overflow, and NumPy's tanh is fast."""
    x *= factor / 2
    x += bias / 2
    np.tanh(x, out=x)
    x *= 0.5
    x += 0.5
    return x


def fire(x, factor, bias, u):
    """x ← 1 where u < σ(factor · x + bias), else 0, in place, and returned.

    x, u: (..., n), C-contiguous, u uniform random numbers from [0, 1); bias (n,), all of one dtype.
    """
    run = fire_rows if x.dtype == np.float32 else fire_rows.reference       # in float64 a loop would be the slower one
    run(x.reshape(-1, len(bias)), x.dtype.type(factor), bias, u.reshape(-1, len(bias)))
    return x


@kernel
def fire_rows(x, factor, bias, u):
    """`fire` for x, u (m, n), in float32. The loop's σ is off by up to 2e-7: it draws otherwise once in ten million times."""
    np.less(u, logistic(x, factor, bias), out=x)


@fire_rows.numba(fastmath={"contract"})
def _(x, factor, bias, u):
    half, one, zero = np.float32(0.5), np.float32(1), np.float32(0)
    for i in range(len(x)):
        row, random = x[i], u[i]
        for j in range(len(row)):
            p = half + half * tanh(half * (factor * row[j] + bias[j]))
            row[j] = one if random[j] < p else zero


@helper
def tanh(y):
    """tanh(y) in float32, off by at most 4e-7, as in recurrent.py, where it says why; here of one number."""
    a = min(max(y, np.float32(-9)), np.float32(9))
    u = a * a
    p = np.float32(2.0609077e-5) + u * np.float32(1.3354651e-8)
    p = np.float32(1) + u * (np.float32(0.13381025) + u * (np.float32(3.4955880e-3) + u * p))
    q = np.float32(3.2856345e-4) + u * np.float32(7.7765549e-7)
    q = np.float32(1) + u * (np.float32(0.46714342) + u * (np.float32(0.025876982) + u * q))
    return a * p / q
