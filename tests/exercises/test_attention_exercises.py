"""The exercises on attention: the report's configurations, tiny runs, what they show, and a run that is interrupted."""
from dataclasses import replace

import numpy as np
import pytest

import tinynn as tn
from exercises.__main__ import run_one
from exercises.features import attention, vit_mnist
from tinynn.data import Dataset

TINY_VIT = dict(depth=1, heads=2, epochs=2, batch=8, training=40, test=20)


@pytest.fixture(autouse=True)
def digits(monkeypatch):
    """Blobs at a place of their own for each class: enough to train on, and no file to read."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 10
    x = rng.random((60, 1, 28, 28), np.float32) * 0.1
    for image, label in zip(x, y):
        image[0, 2 * label:2 * label + 8, 8:20] = 1
    monkeypatch.setattr(vit_mnist.data, "mnist", lambda: Dataset(x[:40], y[:40], x[40:], y[40:], "blobs", False))


def test_the_configurations_are_the_report_s():
    model = vit_mnist.build(rng=0)
    block = model.blocks[0]
    assert len(model.blocks) == vit_mnist.CONFIG.depth == 6 and block.self_attn.heads == vit_mnist.CONFIG.heads == 8
    assert block.linear1.weight.shape == (128, 64) and model.head.weight.dtype == np.float32
    assert vit_mnist.NETWORKS == {"dim 64": dict(dim=64, mlp_dim=128), "dim 128": dict(dim=128, mlp_dim=256)}
    assert vit_mnist.REPORT == {"dim 64": 98.5, "dim 128": 98.48} and vit_mnist.REPORT_LOSS == 0.0698
    assert model(np.zeros((3, 1, 28, 28), np.float32)).shape == (3, 10)


def test_attention_by_hand_is_the_layer():
    differences = attention.compare(replace(attention.QUICK, d=12, heads=3, tokens=5))
    assert all(0 <= value <= 1e-12 for values in differences.values() for value in values)
    assert set(differences) == {"output", "weights", "gradient"}
    layer = attention.build(6, 2, rng=0)
    x, g = np.random.default_rng(0).standard_normal((2, 4, 6))
    numeric = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = 1e-6
        up, down = (attention.forward(x + s * step, layer.state_dict(), 2)[0] for s in (1, -1))
        numeric[i] = (g * (up - down)).sum() / 2e-6
    np.testing.assert_allclose(attention.backward(g, x, layer.state_dict(), 2), numeric, atol=1e-8)


def test_the_sample_can_be_answered():
    query, tokens, answer, asked = attention.sample(50, 6, 0.0, np.random.default_rng(0))
    nearest = (tokens[:, :, :-1] * query[:, :, :-1]).sum(axis=2).argmax(axis=1)
    assert np.array_equal(nearest, asked) and np.array_equal(tokens[np.arange(50), asked, -1:], answer)
    assert not query[..., -1].any()


def test_only_the_softmax_picks_a_token(tmp_path):
    card = run_one(attention, replace(attention.QUICK, steps=400, runs=1, jobs=1, out=tmp_path, lengths=(4, 16)))
    rows = {row.quantity: row.median for row in card.rows}
    assert rows["recall among 16 tokens, MSE, softmax"] < 0.2 < 0.5 < rows["recall among 16 tokens, MSE, no softmax"]
    assert all(rows[f"largest difference between layer and plain NumPy, {what}"] < 1e-12
               for what in ("output", "weights", "gradient"))
    assert {figure.file for figure in card.figures} == {"weights.png", "errors.png"} and len(card.pitfalls) == 4


def test_a_tiny_vit_has_every_row(tmp_path):
    card = run_one(vit_mnist, replace(vit_mnist.QUICK, **TINY_VIT | {"runs": (2, 1)}, jobs=1, out=tmp_path))
    rows = {row.quantity: row for row in card.rows}
    assert rows["test accuracy, dim 64"].report == 98.5 and rows["test loss, dim 64"].report == 0.0698
    losses = [rows[f"test loss, {name}"] for name in vit_mnist.NETWORKS]
    assert [row.n for row in losses] == [2, 1] and losses[0].min < losses[0].max
    assert rows["parameters, dim 128"].median > rows["parameters, dim 64"].median
    assert all(0 <= rows[f"test accuracy, {name}"].median <= 100 for name in vit_mnist.NETWORKS)
    assert {figure.file for figure in card.figures} == {"attention.png", "accuracy.png", "confusion.png"}
    card.save(tmp_path)
    assert not list((tmp_path / "vit_mnist").glob("jobs*"))                 # all done: nothing is left to resume


def test_attention_maps_are_weights():
    model = vit_mnist.build(dim=8, depth=2, heads=2, mlp_dim=8, rng=0)
    with tn.no_grad():
        maps = model.attention(np.random.default_rng(0).random((3, 1, 28, 28), np.float32))
    assert maps.shape == (2, 3, 16) and (maps > 0).all() and (maps.sum(axis=2) < 1).all()       # the rest: the token itself
