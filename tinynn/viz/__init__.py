"""Figures. style.py: the look that they share. Importing this package does not import matplotlib."""
from .style import COLOURS, caption, look

__all__ = ["COLOURS", "caption", "look"]
