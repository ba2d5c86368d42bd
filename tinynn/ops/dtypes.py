"""What kinds of numbers an op takes. Most take all that NumPy does; these are for those that cannot."""
import numpy as np

FLOATS = {np.dtype(np.float32)}, {np.dtype(np.float64)}         # the sets of dtypes that a kernel is compiled for


def as_floats(x, size=4):
    """x as floats of at least `size` bytes; of ints and bools at least 4. (Of an unsigned int, −x would wrap around.)"""
    x = np.asarray(x)
    return x if x.dtype.kind in "fc" and x.dtype.itemsize >= size else x.astype(np.result_type(x, np.float32))


def check_dtypes(lead, **arrays):
    """Raise TypeError, with `lead` in front, unless all arrays are float32, or all float64: a kernel is compiled for one
    dtype. Complex numbers may meet others: a gradient check by complex steps makes one argument complex."""
    dtypes = {a.dtype for a in arrays.values()}
    if dtypes not in FLOATS and not any(dtype.kind == "c" for dtype in dtypes):
        raise TypeError(lead + ", ".join(f"{name} has dtype {a.dtype}" for name, a in arrays.items())
                        + "; expected float32" + " for all" * (len(arrays) > 1) + ", or float64: convert with "
                        ".astype(np.float32) or .astype(np.float64)")
