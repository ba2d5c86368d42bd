"""The workloads of session 3: convolution, t-SNE. See workloads.py."""
from functools import partial

import numpy as np

import tinynn as tn
from tinynn import nn, optim
from tinynn.projection import TSNE

from .workloads import has


def cnn_step():
    """CNN 32–64 on 28×28, batch 64, Adam step, float32 (conv 3×3, ReLU, pool, twice, and dense)."""
    return cnn_steps(64)


def cnn_memory():
    """Peak memory of a step of the CNN 32–64 on 28×28, batch 64, float32."""
    return {name: partial(cnn_steps, name=name) for name in cnn_steps(2)}


def cnn_steps(batch, name=None):
    """{contestant: a function that makes a step with so many images}; or the one of that name."""
    def network(layers):
        return layers.Sequential(
            layers.Conv2d(1, 32, 3, padding="same"), layers.ReLU(), layers.MaxPool2d(2),    # (N, 1, 28, 28) -> (N, 32, 14, 14)
            layers.Conv2d(32, 64, 3, padding="same"), layers.ReLU(), layers.MaxPool2d(2),   # -> (N, 64, 7, 7)
            layers.Flatten(), layers.Linear(64 * 7 * 7, 10))                                # -> (N, 10)
    rng = np.random.default_rng(0)
    x, labels = rng.random((batch, 1, 28, 28), dtype=np.float32), rng.integers(0, 10, batch)
    model, loss = network(nn).astype(np.float32), nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters())
    contestants = {"tinynn": lambda: optimizer.step(lambda: loss(model(x), labels))}
    if has("torch"):
        import torch
        net, tx, ty = network(torch.nn), torch.tensor(x), torch.tensor(labels)
        adam = torch.optim.Adam(net.parameters())

        def step():
            adam.zero_grad()
            torch.nn.functional.cross_entropy(net(tx), ty).backward()
            adam.step()
        contestants["PyTorch"] = step
    return contestants[name] if name else contestants


def convolution(channels, side, kernel_size, stride, padding):
    """Forward, and the gradients of input and weights, of a batch of 64, float32."""
    c_in, c_out = channels
    rng = np.random.default_rng(0)
    x, W = rng.random((64, c_in, side, side), dtype=np.float32), rng.random((c_out, c_in, *kernel_size), dtype=np.float32)
    tx, tW = tn.Tensor(x, requires_grad=True), tn.Tensor(W, requires_grad=True)
    g = np.ones(tn.conv2d(x, W, None, stride, padding).shape, np.float32)
    contestants = {"tinynn": lambda: tn.grad(tn.conv2d(tx, tW, None, stride, padding), (tx, tW), g)}
    if has("torch"):
        import torch
        px, pW, pg = torch.tensor(x, requires_grad=True), torch.tensor(W, requires_grad=True), torch.tensor(g)
        contestants["PyTorch"] = lambda: torch.autograd.grad(
            torch.nn.functional.conv2d(px, pW, None, stride, padding), (px, pW), pg)
    return contestants


def conv_3x3():
    """conv2d 32→64, 3×3, on 14×14, batch 64, forward + backward, float32."""
    return convolution((32, 64), 14, (3, 3), 1, 1)


def conv_5x5():
    """conv2d 32→64, 5×5, on 14×14, batch 64, forward + backward, float32."""
    return convolution((32, 64), 14, (5, 5), 1, 2)


def conv_strided():
    """conv2d 32→64, 3×3, stride 2, on 28×28, batch 64, forward + backward, float32."""
    return convolution((32, 64), 28, (3, 3), 2, 1)


def tsne():
    """t-SNE of 1000×256, exact, 250 steps, perplexity 30, from the principal components."""
    rng = np.random.default_rng(0)
    x = 3 * rng.standard_normal((10, 256))[rng.integers(0, 10, 1000)] + rng.standard_normal((1000, 256))
    contestants = {"tinynn": lambda: TSNE(max_iter=250).fit_transform(x, progress=False)}
    if has("sklearn"):
        from sklearn.manifold import TSNE as Peer
        contestants["scikit-learn"] = lambda: Peer(method="exact", max_iter=250).fit_transform(x)
    return contestants


TABLE = [(cnn_step, {"PyTorch": 0.8}, {}), (cnn_memory, {"PyTorch": 1.5}, None), (conv_3x3, {"PyTorch": 0.8}, {}),
         (conv_5x5, {"PyTorch": 1.6}, {}), (conv_strided, {"PyTorch": 1.6}, {}), (tsne, {"scikit-learn": 0.5}, {"rounds": 3})]
