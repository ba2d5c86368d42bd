"""mnist_optimizers: the report's network; the same start for all optimizers; a tiny run has its rows."""
from dataclasses import replace

import numpy as np
import pytest
from few_digits import few_digits

from exercises.__main__ import run_one
from exercises.features import _digits, mnist_optimizers
from exercises.features.mnist_optimizers import CHAIN, CONFIG, OPTIMIZERS, QUICK, build, learn, sequences
from tinynn import nn, optim


def setting(sequence, run=0):
    return {"data": few_digits(), "counts": (30, 4, 20), "seed": 0, "run": run, "epochs": 1, "batch": 10, "dropout": 0.25,
            "sequence": sequence}


def test_the_configuration_is_the_reports():
    assert (CONFIG.images + CONFIG.validation, CONFIG.test) == (60000, 10000) and CONFIG.runs >= 3
    assert [OPTIMIZERS[name][0] for name in ("Adam", "SGD", "Adadelta")] == [optim.Adam, optim.GD, optim.Adadelta]
    counts = [sum(p.size for p in layer.parameters()) for layer in build() if layer.parameters()]
    assert counts == [3 * 3 * 32 + 32, 3 * 3 * 32 * 64 + 64, 7 * 7 * 64 * 10 + 10] == [320, 18496, 31370]
    assert all(p.dtype == np.float32 for p in build().parameters())


def test_pooling_before_relu_is_the_same():
    model, x = build(rng=np.random.default_rng(0)).eval(), few_digits().x_train
    conv1, pool, relu, conv2, *_, dense = model
    maps = pool(relu(conv2(pool(relu(conv1(x))))))
    np.testing.assert_array_equal(model(x).numpy(), dense(nn.Flatten()(maps)).numpy())


def test_all_optimizers_have_the_same_start(monkeypatch):
    """And in a chain each goes on where the one before stopped."""
    starts, ends = [], []

    def watched(model, optimizer, *arguments):
        starts.append(model.state_dict())
        result = _digits.train(model, optimizer, *arguments)
        ends.append(model.state_dict())
        return result
    monkeypatch.setattr(mnist_optimizers, "train", watched)
    for sequence, run in sequences(replace(CONFIG, runs=1)):
        learn(setting(sequence, run), None)
    learn(setting(CHAIN[:1], run=1), None)

    def same(one, other):
        return all(np.array_equal(one[name], other[name]) for name in one)
    first, second, third, sgd, adadelta, another = starts
    assert same(first, sgd) and same(first, adadelta) and not same(first, another)
    assert same(second, ends[0]) and same(third, ends[1]) and not same(first, second)


@pytest.mark.parametrize("chains", [1, 3])
def test_every_optimizer_starts_from_random_weights_in_every_run(chains):
    found = sequences(replace(CONFIG, chains=chains))
    assert sorted((sequence[0], run) for sequence, run in found) == sorted((name, run) for name in CHAIN for run in range(3))
    assert [sequence for sequence, _ in found[:chains]] == [CHAIN] * chains
    assert all(len(sequence) == 1 for sequence, _ in found[chains:])


def test_validation_images_are_no_training_images():
    data = few_digits()
    (x, _), (x_validation, _), (x_test, _) = _digits.split(data, 36, 4, 10)
    assert len(x) == 36 and len(x_validation) == 4 and len(x_test) == 10
    sums = {image.sum().item() for image in x} & {image.sum().item() for image in x_validation}
    assert not sums
    few, fewer, _ = _digits.split(data, 55000, 5000, 10)                        # more than there are
    assert len(few[0]) == 36 and len(fewer[0]) == 4


def test_scores_are_those_of_evaluation():
    data, model = few_digits(), build(0.9, np.random.default_rng(0))
    outputs = _digits.logits(model, data.x_train, size=7)
    assert all(module.training for module in model.modules())
    np.testing.assert_allclose(outputs, model.eval()(data.x_train).numpy(), atol=1e-6)
    loss, accuracy = _digits.score(outputs, data.y_train)
    p = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(loss, -np.log(p[np.arange(40), data.y_train]).mean(), rtol=1e-5)
    assert accuracy == np.mean(p.argmax(axis=1) == data.y_train)


def test_a_tiny_run_has_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist_optimizers, "mnist", few_digits)
    card = run_one(mnist_optimizers, replace(QUICK, images=30, validation=4, test=20, epochs=1, jobs=1, out=tmp_path))
    rows = {row.quantity: row for row in card.rows}
    assert rows["test loss, Adam"].report == .025648 and rows["test accuracy, Adadelta"].report == .9918
    assert rows["parameters of Linear(3136, 10)"].median == 31370
    assert 0 < rows["test loss, SGD going on from Adam"].median < np.inf
    assert all(row.verdict == "not comparable" for row in card.rows)
    assert {figure.file for figure in card.figures} == {"progress.png", "chain.png"} and len(card.pitfalls) == 4
    card.save(tmp_path)
    assert not card.unfinished(tmp_path).exists()
