"""Layers and losses against PyTorch: values, gradients, state dicts; recorded by tests/recorded/record_torch_nn.py."""
from pathlib import Path

import numpy as np
import pytest

import tinynn as tn
from tinynn import nn

RECORD = dict(np.load(Path(__file__).parents[1] / "recorded" / "torch_nn.npz"))
LAYERS = {
    "Linear": lambda: nn.Linear(3, 4), "Linear-3d": lambda: nn.Linear(3, 4),
    "Linear-no-bias": lambda: nn.Linear(3, 4, bias=False),
    "LayerNorm": lambda: nn.LayerNorm(6), "LayerNorm-2d": lambda: nn.LayerNorm((3, 4)),
    "Tanh": nn.Tanh, "ReLU": nn.ReLU, "LeakyReLU": nn.LeakyReLU, "Sigmoid": nn.Sigmoid, "GELU": nn.GELU,
    "Softmax": nn.Softmax,
    "LocalResponseNorm": lambda: nn.LocalResponseNorm(5, alpha=0.3, beta=0.6, k=2),
    "LocalResponseNorm-even": lambda: nn.LocalResponseNorm(4),
    "LocalResponseNorm-wide": lambda: nn.LocalResponseNorm(9, alpha=0.1),
    "TransformerBlock": lambda: nn.TransformerBlock(6, 3, 8),
    "MLP": lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.LayerNorm(5),
                                 nn.Linear(5, 2)),
}


def under(prefix) -> dict:
    """The part of the record below prefix."""
    return {key.removeprefix(prefix): value for key, value in RECORD.items() if key.startswith(prefix)}


def equal(ours, theirs, what=""):
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10, err_msg=what)


def check_pass(module, name):
    """One forward and backward pass of a module, from the recorded state."""
    module.load_state_dict(under(f"{name}/state/"))
    module.zero_grad()
    x = tn.Tensor(RECORD[f"{name}/x"], requires_grad=True)
    y = module(x)
    y.backward(RECORD[f"{name}/g"])
    equal(y.data, RECORD[f"{name}/y"])
    equal(x.grad, RECORD[f"{name}/dx"])
    gradients = under(f"{name}/grad/")
    assert gradients.keys() == dict(module.named_parameters()).keys()
    for key, p in module.named_parameters():
        equal(p.grad, gradients[key], key)


def test_every_recorded_case_is_used():
    others = {"BatchNorm1d", "BatchNorm1d-3d", "BatchNorm2d", "MSELoss", "L1Loss", "BCEWithLogitsLoss", "CrossEntropyLoss"}
    attention = {key.split("/")[0] for key in RECORD if key.startswith("Attention")}        # tests/nn/test_attention.py
    assert {key.split("/")[0] for key in RECORD} == LAYERS.keys() | others | attention


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, backend):
    with tn.kernels.use(backend):
        check_pass(LAYERS[name](), name)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm1d-3d", "BatchNorm2d"])
def test_batch_norm(name, backend):
    module = getattr(nn, name.partition("-")[0])(3)
    with tn.kernels.use(backend):
        for i in range(3):
            check_pass(module, f"{name}/{i}")
    running = module.state_dict()
    check_pass(module.eval(), f"{name}/3")
    after = under(f"{name}/after/")
    assert running.keys() == after.keys()
    for key in after:
        equal(running[key], after[key], key)
        equal(module.state_dict()[key], after[key], key)


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "BCEWithLogitsLoss", "CrossEntropyLoss"])
def test_loss(name):
    x = tn.Tensor(RECORD[f"{name}/x"], requires_grad=True)
    loss = getattr(nn, name)()(x, RECORD[f"{name}/target"])
    loss.backward()
    equal(loss.data, RECORD[f"{name}/y"])
    equal(x.grad, RECORD[f"{name}/dx"])


def test_state_dict_has_pytorch_names_in_its_order():
    ours = LAYERS["MLP"]().state_dict()
    theirs = under("MLP/state/")
    assert list(ours) == list(theirs)
    assert all(ours[key].shape == theirs[key].shape and ours[key].dtype == theirs[key].dtype for key in ours)
