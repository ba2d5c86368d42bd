"""Checks that many parts make of what they are given: each raises a ValueError that names the argument, and says what it was
and what was expected."""
import numpy as np


def check_count(name: str, value, least: int = 1):
    """Raise ValueError unless value is an int of at least `least`; True and False are none."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} is {value!r}; expected an int >= {least}")


def check_positive(name: str, value):
    """Raise ValueError unless value is a finite number > 0."""
    if not (isinstance(value, (int, float, np.number)) and 0 < value < float("inf")):
        raise ValueError(f"{name} is {value!r}; expected a number > 0")


def check_fraction(name: str, value):
    """Raise ValueError unless 0 <= value < 1."""
    if not (isinstance(value, (int, float, np.number)) and 0 <= value < 1):
        raise ValueError(f"{name} is {value!r}; expected a number in [0, 1)")
