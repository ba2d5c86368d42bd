"""Records PyTorch's values and gradients of layers and losses into torch_nn.npz, which tests/nn/test_nn_torch.py reads.

    pip install -e ".[peers]" && python tests/recorded/record_torch_nn.py

All in float64. Keys: CASE/x, CASE/g (the upstream gradient), CASE/y, CASE/dx, CASE/state/NAME, CASE/grad/NAME.
"""
from pathlib import Path

import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
record = {}


def store(key, values):
    record[key] = values.detach().numpy().copy() if isinstance(values, torch.Tensor) else np.array(values)


def shaken(module):
    """Normal parameters, so that no weight is at a special value such as 1 or 0."""
    for p in module.parameters():
        nn.init.normal_(p)
    return module


def layer(name, module, x):
    """One forward and backward pass with a random upstream gradient."""
    x = x.clone().requires_grad_()
    for key, value in module.state_dict().items():
        store(f"{name}/state/{key}", value)
    module.zero_grad()
    y = module(x)
    g = torch.randn_like(y)
    y.backward(g)
    for key, value in {"x": x, "g": g, "y": y, "dx": x.grad}.items():
        store(f"{name}/{key}", value)
    for key, p in module.named_parameters():
        store(f"{name}/grad/{key}", p.grad)


def loss(name, module, x, target):
    """A loss and its gradient with respect to its input."""
    x = x.clone().requires_grad_()
    y = module(x, target)
    y.backward()
    for key, value in {"x": x, "target": target, "y": y, "dx": x.grad}.items():
        store(f"{name}/{key}", value)


def batch_norm(name, x):
    """Three training batches, x[0] to x[2], one evaluation of x[3]; the state before and after."""
    module = shaken((nn.BatchNorm2d if x.ndim == 5 else nn.BatchNorm1d)(x.shape[2]))
    for i in range(3):
        layer(f"{name}/{i}", module, x[i])
    layer(f"{name}/3", module.eval(), x[3])
    for key, value in module.state_dict().items():
        store(f"{name}/after/{key}", value)


layer("Linear", shaken(nn.Linear(3, 4)), torch.randn(5, 3))
layer("Linear-3d", shaken(nn.Linear(3, 4)), torch.randn(2, 5, 3))
layer("Linear-no-bias", shaken(nn.Linear(3, 4, bias=False)), torch.randn(5, 3))
layer("LayerNorm", shaken(nn.LayerNorm(6)), torch.randn(4, 6))
layer("LayerNorm-2d", shaken(nn.LayerNorm((3, 4))), torch.randn(2, 3, 4))
for activation in (nn.Tanh(), nn.ReLU(), nn.LeakyReLU(), nn.Sigmoid(), nn.GELU(), nn.Softmax(dim=-1)):
    layer(type(activation).__name__, activation, 3 * torch.randn(6, 5))
batch_norm("BatchNorm1d", 2 + 3 * torch.randn(4, 7, 3))
batch_norm("BatchNorm1d-3d", 2 + 3 * torch.randn(4, 2, 3, 5))
layer("MLP", shaken(nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.LayerNorm(5),
                                  nn.Linear(5, 2))), torch.randn(8, 2, 3))

loss("MSELoss", nn.MSELoss(), torch.randn(5, 3), torch.randn(5, 3))
loss("L1Loss", nn.L1Loss(), torch.randn(5, 3), torch.randn(5, 3))
loss("BCEWithLogitsLoss", nn.BCEWithLogitsLoss(), 5 * torch.randn(6, 2), torch.rand(6, 2))
loss("CrossEntropyLoss", nn.CrossEntropyLoss(), 5 * torch.randn(7, 4), torch.tensor([0, 3, 1, 1, 2, 0, 3]))

batch_norm("BatchNorm2d", 2 + 3 * torch.randn(4, 4, 3, 5, 2))
layer("LocalResponseNorm", nn.LocalResponseNorm(5, alpha=0.3, beta=0.6, k=2.0), 3 * torch.randn(2, 7, 3, 2))
layer("LocalResponseNorm-even", nn.LocalResponseNorm(4), 30 * torch.randn(3, 6, 5))
layer("LocalResponseNorm-wide", nn.LocalResponseNorm(9, alpha=0.1), 3 * torch.randn(2, 3, 4, 1))
layer("TransformerBlock", shaken(nn.TransformerEncoderLayer(6, 3, 8, dropout=0.0, activation="gelu", batch_first=True,
                                                            norm_first=True)), torch.randn(2, 5, 6))


def attention(name, query, key, value, mask):
    """Multi-head attention: values and gradients of the output and of the weights. query is key is value: self-attention."""
    module = shaken(nn.MultiheadAttention(query.shape[2], 3, batch_first=True))
    for key_, value_ in module.state_dict().items():
        store(f"{name}/state/{key_}", value_)
    xs = [x.requires_grad_() for x in ([query] if query is key else [query, key, value])]
    y, weights = module(query, key, value, attn_mask=mask)
    g, h = torch.randn_like(y), torch.randn_like(weights)
    (y * g).sum().backward(retain_graph=True)
    for key_, p in module.named_parameters():
        store(f"{name}/grad/{key_}", p.grad)
    for key_, value_ in {"g": g, "h": h, "y": y, "weights": weights}.items():
        store(f"{name}/{key_}", value_)
    for i, x in enumerate(xs):
        store(f"{name}/x{i}", x)
        store(f"{name}/dx{i}", x.grad)
        x.grad = None
    (weights * h).sum().backward()
    for i, x in enumerate(xs):
        if x.grad is not None:                                              # the weights don't depend on the values
            store(f"{name}/dweights{i}", x.grad)
    if mask is not None:
        store(f"{name}/mask", mask)


x, causal = torch.randn(2, 5, 6), torch.ones(5, 5).triu(1).bool()
attention("Attention-self", x, x, x, None)
y = torch.randn(2, 5, 6)
attention("Attention-causal", y, y, y, causal)
attention("Attention-cross", torch.randn(2, 4, 6), torch.randn(2, 5, 6), torch.randn(2, 5, 6), torch.randn(4, 5))

np.savez_compressed(Path(__file__).with_name("torch_nn.npz"), **record)
