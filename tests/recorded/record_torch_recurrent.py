"""Records PyTorch's recurrent layers into torch_recurrent.npz, which tests/nn/test_recurrent.py reads.

    pip install -e ".[peers]" && python tests/recorded/record_torch_recurrent.py

In float64: 3 inputs, 5 units, 4 examples, 6 steps. Keys: CASE/x, CASE/s0.. (first states), CASE/y, CASE/end0.. (last states),
CASE/g, CASE/g0.. (upstream gradients of y and of the last states), CASE/dx, CASE/ds0.., CASE/state/NAME, CASE/grad/NAME.
CASE is NAME-LAYERS-WAYS: "LSTM-2-1" has two layers and one direction.
"""
from pathlib import Path

import numpy as np
import torch

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
record = {}

for name, states in (("RNN", 1), ("GRU", 1), ("LSTM", 2)):
    for layers, ways in ((1, 1), (2, 1), (2, 2)):
        layer = getattr(torch.nn, name)(3, 5, num_layers=layers, bidirectional=ways == 2, batch_first=True)
        x = torch.randn(4, 6, 3, requires_grad=True)
        start = [torch.randn(layers * ways, 4, 5, requires_grad=True) for _ in range(states)]
        y, end = layer(x, tuple(start) if states > 1 else start[0])
        end = end if states > 1 else (end,)
        g, *gs = [torch.randn_like(a) for a in (y, *end)]
        torch.autograd.backward([y, *end], [g, *gs])
        values = {"x": x, "y": y, "g": g, "dx": x.grad}
        for i in range(states):
            values |= {f"s{i}": start[i], f"end{i}": end[i], f"g{i}": gs[i], f"ds{i}": start[i].grad}
        values |= {f"state/{key}": value for key, value in layer.state_dict().items()}
        values |= {f"grad/{key}": p.grad for key, p in layer.named_parameters()}
        record |= {f"{name}-{layers}-{ways}/{key}": value.detach().numpy() for key, value in values.items()}

np.savez_compressed(Path(__file__).with_name("torch_recurrent.npz"), **record)
