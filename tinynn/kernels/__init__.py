"""Hot loops. registry.py says how a NumPy reference and its Numba twin belong together; the other files hold pairs."""
from .registry import use

__all__ = ["use"]
