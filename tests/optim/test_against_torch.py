"""First-order optimizers follow PyTorch's trajectories (recorded by tests/recorded/record_torch_optim.py)."""
from pathlib import Path

import numpy as np
import pytest

import tinynn as tn
from tinynn import optim

RECORDED = np.load(Path(__file__).parents[1] / "recorded" / "torch_optim.npz")
MAKERS = {
    "GD": lambda p: optim.GD(p, lr=0.01),
    "Momentum": lambda p: optim.Momentum(p, lr=0.01, mc=0.9),
    "Nesterov": lambda p: optim.Momentum(p, lr=0.01, mc=0.9, nesterov=True),
    "Adagrad": optim.Adagrad, "RMSprop": optim.RMSprop, "Adadelta": optim.Adadelta, "Adam": optim.Adam,
    "AdamW": optim.AdamW,
}


def start(dtype=float):
    return (tn.Tensor(np.array([[-1.2, 1.0, 0.3]], dtype), requires_grad=True),
            tn.Tensor(np.array([0.5, -0.7], dtype), requires_grad=True))


def loss(a, b):
    x = (a.reshape(-1)[:2] - b) ** 2
    return (100 * (a[0, 1] - a[0, 0] ** 2) ** 2 + (1 - a[0, 0]) ** 2) / 100 + (x * x).sum() + (a[0, 2] * b[1] - 0.2) ** 2


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", MAKERS)
def test_trajectory(name, backend):
    params = start()
    optimizer = MAKERS[name](params)
    with tn.kernels.use(backend):
        for expected in RECORDED[name]:
            optimizer.step(lambda: loss(*params))
            np.testing.assert_allclose(np.concatenate([p.data.ravel() for p in params]), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", MAKERS)
def test_a_step_from_grad_is_the_same_step(name):
    one, other = start(), start()
    first, second = MAKERS[name](one), MAKERS[name](other)
    for _ in range(3):
        first.step(lambda: loss(*one))
        for p in other:
            p.grad = None
        loss(*other).backward()
        assert second.step() is None
    assert all(np.array_equal(p.data, q.data) for p, q in zip(one, other))


@pytest.mark.parametrize("name", MAKERS)
def test_float32_stays_float32(name):
    params = start(np.float32)
    optimizer = MAKERS[name](params)
    for _ in range(3):
        optimizer.step(lambda: loss(*params))
    assert all(p.dtype == np.float32 for p in params)
    assert all(value.dtype == np.float32 for value in optimizer.state_dict().values() if isinstance(value, np.ndarray))
