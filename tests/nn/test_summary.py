"""summary: the table, and that looking changes nothing."""
import numpy as np

import tinynn as tn
from tinynn import nn


def test_table():
    shared = nn.Linear(8, 8)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.ReLU(), shared, shared, nn.BatchNorm1d(8))
    assert nn.summary(model, (1, 28, 28)) == """\
layer           output    parameters
Flatten()       (N, 784)           0
Linear(784, 8)  (N, 8)         6,280
ReLU()          (N, 8)             0
Linear(8, 8)    (N, 8)            72
Linear(8, 8)    (N, 8)             0
BatchNorm1d(8)  (N, 8)            16
total                          6,368"""


def test_changes_nothing():
    class Noisy(nn.Module):
        def forward(self, x):
            return x + tn.autograd.settings.settings.rng.normal(size=x.shape)

    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(rng=3), Noisy()).astype(np.float32)
    model[1].eval()
    before, modes = model.state_dict(), [module.training for module in model.modules()]
    tn.seed(0)
    nn.summary(model, (3,))
    after = tn.autograd.settings.settings.rng.random()
    tn.seed(0)
    assert after == tn.autograd.settings.settings.rng.random()
    assert modes == [module.training for module in model.modules()]
    assert all(np.array_equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters()) and "forward" not in vars(model[0])
    same = nn.Dropout(rng=3)
    assert np.array_equal(model[2](np.ones(99)).data, same(np.ones(99)).data)


def test_layers_with_several_outputs():
    class Split(nn.Module):
        def forward(self, x):
            return x[:, :1], x[:, 1:]

    assert "(N, 1), (N, 2)" in nn.summary(Split(), (3,))


def test_a_transformer_whose_attention_returns_no_weights():
    table = nn.summary(nn.Sequential(nn.PatchEmbedding(4, 2, 1, 8), nn.TransformerBlock(8, 2, 16)), (1, 4, 4))
    assert "(N, 5, 8)" in table and "MultiheadAttention" in table


def test_the_examples_need_not_be_in_front():
    text = tn.summary(nn.LSTM(3, 20, num_layers=2, rng=0), (5, 3))
    assert "(N, 5, 20), (2, N, 20), (2, N, 20)" in text


def test_axes_that_grow_with_the_examples():
    class Reshaped(nn.Module):
        def __init__(self, axes):
            self.axes = axes

        def forward(self, x):
            return tn.Tensor(np.zeros(self.axes(len(x))))
    for axes, told in ((lambda n: (16 * n, 4), "(16N, 4)"), (lambda n: (n + 1, n), "(N+1, N)"), (lambda n: (11, 1), "(11, 1)"),
                       (lambda n: (2 * n - 1,), "(2N-1)")):
        assert f" {told} " in tn.summary(Reshaped(axes), 3)
