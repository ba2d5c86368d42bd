"""conv_arithmetic: the worked example and AlexNet's sizes against SciPy, the published numbers, and gradients."""
from dataclasses import replace

import numpy as np
import pytest
from scipy import signal

import tinynn as tn
from exercises.__main__ import run_one
from exercises.features import conv_arithmetic
from exercises.features.conv_arithmetic import ASYMMETRIC, CONFIG, IDENTITY, REPORT, STRIDE, X, Grouped, convolve, walk
from tinynn import nn


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    return run_one(conv_arithmetic, replace(CONFIG, out=tmp_path_factory.mktemp("results")))


def test_the_worked_example():
    np.testing.assert_array_equal(convolve(X, IDENTITY), REPORT)
    correlated = signal.correlate2d(X, ASYMMETRIC, mode="valid")[::STRIDE, ::STRIDE]
    convolved = signal.convolve2d(X, ASYMMETRIC, mode="valid")[::STRIDE, ::STRIDE]
    np.testing.assert_array_equal(convolve(X, ASYMMETRIC), correlated)
    np.testing.assert_array_equal(convolve(X, ASYMMETRIC[::-1, ::-1]), convolved)
    assert (correlated != convolved).all()


def test_alexnet_has_the_published_sizes(card):
    """Krizhevsky, Sutskever & Hinton 2012, figure 2: neurons 253,440 – 186,624 – 64,896 – 64,896 – 43,264 – 4096 – 4096 –
    1000, of which the first is 290,400 in truth; and 60 million parameters."""
    rows = {row.quantity: row for row in card.rows}
    numbers = [rows[f"AlexNet, numbers after {name}"].median for name in (
        "image", "conv 1", "conv 2", "conv 3", "conv 4", "conv 5", "pool 3", "dense 1", "dense 2", "dense 3")]
    assert numbers == [154587, 290400, 186624, 64896, 64896, 43264, 9216, 4096, 4096, 1000]
    parameters = [rows[f"AlexNet, parameters of {name}"].median for name in (
        "conv 1", "conv 2", "conv 3", "conv 4", "conv 5", "dense 1", "dense 2", "dense 3")]
    assert parameters == [11 * 11 * 3 * 96 + 96, 5 * 5 * 48 * 256 + 256, 3 * 3 * 256 * 384 + 384, 3 * 3 * 192 * 384 + 384,
                          3 * 3 * 192 * 256 + 256, 9217 * 4096, 4097 * 4096, 4097 * 1000]
    assert rows["AlexNet, parameters"].median == sum(parameters) == 60965224
    assert "62,378,344" in card.pitfalls[3] and "5.96 %" in card.pitfalls[3]


def test_the_card_has_the_reports_numbers(card):
    compared = {row.quantity: row for row in card.rows if row.report is not None}
    slip = compared.pop("MNIST network, parameters of dense 1")
    assert (slip.report, slip.median, slip.verdict) == (31750, 31370, "not comparable")
    assert len(compared) == 12 and all(row.verdict == "match" for row in compared.values())
    assert compared["MNIST network, parameters of conv 1"].median == 320
    assert compared["MNIST network, parameters of conv 2"].median == 18496
    assert {figure.file for figure in card.figures} == {"example.png", "sizes.png", "fields.png", "table.png"}


def test_a_receptive_field_is_where_the_gradient_is():
    """AlexNet's windows, strides and paddings with all weights 1 and means instead of maxima: every pixel seen counts."""
    windows = [(11, 4, 0), (3, 2, None), (5, 1, 2), (3, 2, None), (3, 1, 1), (3, 1, 1), (3, 1, 1), (3, 2, None)]
    layers, found = [], []
    for size, stride, padding in windows:
        layers.append(nn.AvgPool2d(size, stride) if padding is None else nn.Conv2d(1, 1, size, stride, padding))
        if padding is not None:
            layers[-1].weight.data = np.ones((1, 1, size, size))
        x = tn.Tensor(np.zeros((1, 1, 227, 227)), requires_grad=True)
        y = nn.Sequential(*layers)(x)
        middle = y.shape[2] // 2
        y[0, 0, middle, middle].backward()
        found.append(np.ptp(np.flatnonzero(x.grad.any(axis=(0, 1, 2)))) + 1)
    assert found == [11, 19, 51, 67, 99, 131, 163, 195]
    stages = walk(nn.Sequential(*layers), np.zeros((1, 1, 227, 227)))
    assert [stage.field for stage in stages[1:]] == found


def test_groups_do_not_see_each_other():
    layer = Grouped(4, 6, 3, 1, 2, np.random.default_rng(0))
    x = tn.Tensor(np.random.default_rng(1).standard_normal((1, 4, 5, 5)), requires_grad=True)
    y = layer(x)
    assert y.shape == (1, 6, 5, 5)
    y[:, :3].sum().backward()
    assert x.grad[:, :2].all() and not x.grad[:, 2:].any()
