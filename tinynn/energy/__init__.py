"""Energy-based models: memories that roll downhill, and machines that sample. Start with hopfield.py, then rbm.py."""
from .dbm import DBM
from .hopfield import FixedPoint, Hopfield
from .hopfield_rules import hebb_capacity
from .learning import LearningHistory
from .modern_hopfield import ModernHopfield
from .partition import LogPartition, log_partition
from .rbm import RBM
from .recall import Recall

__all__ = ["DBM", "FixedPoint", "Hopfield", "LearningHistory", "LogPartition", "ModernHopfield", "RBM", "Recall",
           "hebb_capacity", "log_partition"]
