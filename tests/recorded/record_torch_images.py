"""Write torch_images.npz: convolution and pooling by PyTorch, float64, for tests/nn/test_convolution.py.

    python tests/recorded/record_torch_images.py            (needs torch)
"""
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from nn.test_convolution import LAYERS  # noqa: E402

record, rng = {}, np.random.default_rng(0)
torch.manual_seed(0)
for name, (kind, args, settings) in LAYERS.items():
    layer = getattr(torch.nn, kind)(*args, **settings).double()
    x = torch.tensor(rng.standard_normal((3, 2, 9, 8)), requires_grad=True)
    y = layer(x)
    g = torch.tensor(rng.standard_normal(y.shape))
    y.backward(g)
    record |= {f"{name}/{key}": value.detach().numpy() for key, value in {"x": x, "y": y, "g": g, "dx": x.grad}.items()}
    record |= {f"{name}/state/{key}": value.detach().numpy() for key, value in layer.state_dict().items()}
    record |= {f"{name}/grad/{key}": value.grad.numpy() for key, value in layer.named_parameters()}
np.savez_compressed(Path(__file__).with_name("torch_images.npz"), **record)
