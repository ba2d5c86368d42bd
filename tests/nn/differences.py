"""Central differences, the independent check of gradients and Hessians in these tests."""
import numpy as np


def differences(closure, params, h=1e-5) -> np.ndarray:
    """d closure() / d params by central differences: (outputs, parameters). closure() returns an array."""
    columns = []
    for p in params:
        start = p.data.copy()
        for i in range(p.size):
            step = np.zeros(p.size)
            step[i] = h
            step = step.reshape(p.shape)
            p.data = start + step
            above = np.ravel(closure())
            p.data = start - step
            columns.append((above - np.ravel(closure())) / (2 * h))
        p.data = start
    return np.stack(columns, axis=1)
