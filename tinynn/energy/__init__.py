"""Energy-based models: memories that roll downhill, and machines that sample. Start with hopfield.py."""
from .hopfield import FixedPoint, Hopfield
from .hopfield_rules import hebb_capacity
from .modern_hopfield import ModernHopfield
from .recall import Recall

__all__ = ["FixedPoint", "Hopfield", "ModernHopfield", "Recall", "hebb_capacity"]
