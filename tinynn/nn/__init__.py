"""Layers, losses and initialisation. Read module.py first, then layers.py, losses.py, init.py, recurrent.py."""
from . import init
from .activations import GELU, LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from .attention import MultiheadAttention, PatchEmbedding, TransformerBlock
from .convolution import AvgPool2d, Conv2d, ConvTranspose2d, MaxPool2d
from .layers import Dropout, Flatten, Linear, Sequential
from .losses import BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, cross_entropy, l1_penalty, l2_penalty
from .module import Module, Parameter, as_input
from .normalization import BatchNorm1d, BatchNorm2d, LayerNorm, LocalResponseNorm
from .recurrent import GRU, LSTM, RNN
from .summary import summary

__all__ = [
    "AvgPool2d", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "Conv2d", "ConvTranspose2d", "CrossEntropyLoss",
    "Dropout", "Flatten", "GELU", "GRU", "L1Loss", "LSTM", "LayerNorm", "LeakyReLU", "Linear", "LocalResponseNorm",
    "MSELoss", "MaxPool2d", "Module", "MultiheadAttention", "Parameter", "PatchEmbedding", "RNN", "ReLU", "Sequential",
    "Sigmoid", "Softmax", "Tanh", "TransformerBlock", "as_input", "cross_entropy", "init", "l1_penalty", "l2_penalty",
    "summary",
]
