"""The laser of the Santa Fe time-series competition, data set A: forecast its next 100 values from 1000.

The intensity of a far-infrared NH₃ laser near chaos, as an 8-bit reading (0 to 255, no units), about 8 values a pulse: pulses
that grow for a while, and then collapse. Huebner, Abraham and Weiss (1989, Physical Review A 40, 6354) found it close to
the Lorenz–Haken equations for a laser of one mode,
    x' = σ(y − x),   y' = (r − z)x − y,   z' = xy − bz,   intensity x²,
with field x, polarisation y, inversion z (as deviations), and σ = 2, r = 15, b = 1/4. The stand-in solves these, with
r = 14.2, nearer to where chaos begins at r = 14, so that pulses grow as long as in the real series.
"""
import numpy as np

from .dataset import Dataset, find
from .reading import read_table

STEPS = 1000, 100
SIGMA, R, B = 2, 14.2, 0.25


def santa_fe_laser() -> Dataset:
    """The series: x_train (1000,), x_test (100,), the values that follow; float64, not scaled; y_train, y_test None.

    ValueError: a damaged file, which is named.
    """
    files = find("santa_fe_laser")
    x_train, x_test = [read(file) for file in files] if files else stand_in()
    return Dataset(x_train, None, x_test, None, name="santa fe laser", real=files is not None)


def read(path):
    """The values in a file, one to a line: (T,). ValueError, naming the file: it is damaged."""
    return read_table(path, columns=1, low=0, high=255)[:, 0]


def stand_in():
    """x_train (1000,) and x_test (100,) from the equations, scaled and rounded as the real ones.

    The same every time on one machine; on another, chaos may make of a rounding error another series of the same kind.
    """
    from scipy.integrate import solve_ivp

    def laser(t, state):
        x, y, z = state
        return SIGMA * (y - x), (R - z) * x - y, x * y - B * z

    t = 60 + 0.46 * np.arange(sum(STEPS))                       # after 60 units the start is forgotten
    x, _, _ = solve_ivp(laser, (0, t[-1]), (1, 1, R - 1), t_eval=t, method="LSODA", rtol=1e-8).y        # (3, 1100)
    series = np.round(255 * x**2 / np.max(x**2))
    return series[:STEPS[0]], series[STEPS[0]:]
