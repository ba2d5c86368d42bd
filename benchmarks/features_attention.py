"""The workload of session 3's transformers: a training step of a vision transformer. See workloads.py."""
import itertools

import numpy as np

from tinynn import nn, optim

from .workloads import has

D, DEPTH, HEADS, MLP, PATCH, BATCH = 64, 6, 8, 128, 7, 64


class ViT(nn.Module):
    """A vision transformer for 28 × 28 images (Dosovitskiy et al. 2021)."""

    def __init__(self):
        self.embedding = nn.PatchEmbedding(28, PATCH, 1, D)
        self.blocks = nn.Sequential(*[nn.TransformerBlock(D, HEADS, MLP) for _ in range(DEPTH)])
        self.norm, self.head = nn.LayerNorm(D), nn.Linear(D, 10)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.embedding(x))[:, 0]))       # (N, 1, 28, 28) -> (N, 17, D) -> (N, 10)


def batches(n=20) -> list:
    """n batches of noise, which take turns: one alone would soon be learned, and its gradients be denormal numbers."""
    rng = np.random.default_rng(0)
    return [(rng.random((BATCH, 1, 28, 28), dtype=np.float32), rng.integers(0, 10, BATCH)) for _ in range(n)]


def vit_step():
    """ViT dim 64, depth 6, heads 8, mlp 128, 16 patches, batch 64, forward + backward + Adam, float32."""
    data, model, loss = batches(), ViT().astype(np.float32), nn.CrossEntropyLoss()
    optimizer, turns = optim.Adam(model.parameters()), itertools.cycle(data)

    def ours():
        x, labels = next(turns)
        optimizer.step(lambda: loss(model(x), labels))
    contestants = {"tinynn": ours}
    if has("torch"):
        contestants["PyTorch"] = torch_vit_step(data, model)
    return contestants


def torch_vit_step(data, model):
    """The same in PyTorch, from the same weights."""
    import torch
    from torch.nn import functional as F

    class TorchViT(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Module()
            self.embedding.proj = torch.nn.Linear(PATCH * PATCH, D)
            self.embedding.class_token = torch.nn.Parameter(torch.empty(1, 1, D))
            self.embedding.positions = torch.nn.Parameter(torch.empty(1, 1 + (28 // PATCH) ** 2, D))
            self.blocks = torch.nn.Sequential(*[torch.nn.TransformerEncoderLayer(
                D, HEADS, MLP, dropout=0, activation="gelu", batch_first=True, norm_first=True) for _ in range(DEPTH)])
            self.norm, self.head = torch.nn.LayerNorm(D), torch.nn.Linear(D, 10)

        def forward(self, x):
            x = F.unfold(x, PATCH, stride=PATCH).transpose(1, 2)                # (N, 1, 28, 28) -> (N, 49, 16) -> (N, 16, 49)
            first = self.embedding.class_token.expand(len(x), 1, D)
            x = torch.cat([first, self.embedding.proj(x)], 1) + self.embedding.positions
            return self.head(self.norm(self.blocks(x)[:, 0]))

    net = TorchViT()
    net.load_state_dict({name: torch.tensor(value) for name, value in model.state_dict().items()})
    adam, turns = torch.optim.Adam(net.parameters()), itertools.cycle([tuple(map(torch.tensor, batch)) for batch in data])

    def step():
        x, labels = next(turns)
        adam.zero_grad()
        F.cross_entropy(net(x), labels).backward()
        adam.step()
    return step


TABLE = [(vit_step, {"PyTorch": 0.8}, {})]
