"""Layers, losses and initialisation. Read module.py first, then layers.py, losses.py, init.py; then
convolution.py, normalization.py, recurrent.py, attention.py, variational.py, in any order."""
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
from .variational import ELBOLoss, VAE, importance_bound, kl_divergence, log_bernoulli, log_gaussian, reparameterize

__all__ = [
    "AvgPool2d", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "Conv2d", "ConvTranspose2d", "CrossEntropyLoss",
    "Dropout", "ELBOLoss", "Flatten", "GELU", "GRU", "L1Loss", "LSTM", "LayerNorm", "LeakyReLU", "Linear",
    "LocalResponseNorm", "MSELoss", "MaxPool2d", "Module", "MultiheadAttention", "Parameter", "PatchEmbedding", "RNN",
    "ReLU", "Sequential", "Sigmoid", "Softmax", "Tanh", "TransformerBlock", "VAE", "as_input", "cross_entropy",
    "importance_bound", "init", "kl_divergence", "l1_penalty", "l2_penalty", "log_bernoulli", "log_gaussian",
    "reparameterize", "summary",
]
