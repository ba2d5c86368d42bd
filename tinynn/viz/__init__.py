"""Figures, without importing matplotlib. style.py: the look that they share; graph.py: the computation graph as a picture;
notebook.py: how Tensors and Modules show themselves in a notebook."""
from . import notebook  # noqa: F401  (gives Tensor and Module their _repr_html_)
from .graph import graph
from .style import COLOURS, caption, look, plain_numbers

__all__ = ["COLOURS", "caption", "graph", "look", "plain_numbers"]
