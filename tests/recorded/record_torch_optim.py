"""Record 100 steps of PyTorch's optimizers, for tests/optim/test_against_torch.py. Run it where PyTorch is installed:

    python tests/recorded/record_torch_optim.py
"""
from pathlib import Path

import numpy as np
import torch

START = {"a": [[-1.2, 1.0, 0.3]], "b": [0.5, -0.7]}


def loss(a, b):
    """A crooked valley with every parameter in it; the same formula as in the test."""
    x = (a.reshape(-1)[:2] - b) ** 2
    return (100 * (a[0, 1] - a[0, 0] ** 2) ** 2 + (1 - a[0, 0]) ** 2) / 100 + (x * x).sum() + (a[0, 2] * b[1] - 0.2) ** 2


MAKERS = {
    "GD": lambda p: torch.optim.SGD(p, lr=0.01),
    "Momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    "Nesterov": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
    "Adagrad": lambda p: torch.optim.Adagrad(p),
    "RMSprop": lambda p: torch.optim.RMSprop(p),
    "Adadelta": lambda p: torch.optim.Adadelta(p),
    "Adam": lambda p: torch.optim.Adam(p),
    "AdamW": lambda p: torch.optim.AdamW(p),
}

if __name__ == "__main__":
    recorded = {}
    for name, make in MAKERS.items():
        params = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in START.values()]
        optimizer, path = make(params), []
        for _ in range(100):
            optimizer.zero_grad()
            loss(*params).backward()
            optimizer.step()
            path.append(np.concatenate([p.detach().numpy().ravel() for p in params]))
        recorded[name] = np.array(path)                                     # (steps, parameters)
    np.savez_compressed(Path(__file__).with_name("torch_optim.npz"), **recorded)
