"""The judge of made digits: its distances against closed forms; what a perfect, a lazy and a dull maker are told."""
import numpy as np
import pytest
from few_digits import few_digits

from exercises.generative import _judge as judge


def test_frechet_of_shifted_and_stretched_normals():
    """|μ₁ − μ₂|² + Σ (σ₁ − σ₂)², for independent coordinates."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((200000, 3)), rng.standard_normal((200000, 3)) * [1, 2, 0.5] + [3, 0, 0]
    assert judge.frechet(a, b) == pytest.approx(9 + 1 + 0.25, rel=0.02)
    assert judge.frechet(a, a) == pytest.approx(0, abs=1e-9)


def test_frechet_of_correlated_normals_is_scipys_root():
    from scipy.linalg import sqrtm
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal((500, 4)) @ rng.standard_normal((4, 4)) for _ in range(2))
    S, T = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(S + T - 2 * sqrtm(S @ T).real)
    assert judge.frechet(a, b) == pytest.approx(expected)


def test_precision_and_recall_of_three_makers():
    rng = np.random.default_rng(2)
    real = np.concatenate([rng.standard_normal((300, 2)), rng.standard_normal((300, 2)) + 20])        # two kinds
    perfect = np.concatenate([rng.standard_normal((300, 2)), rng.standard_normal((300, 2)) + 20])
    lazy, dull = rng.standard_normal((600, 2)), rng.standard_normal((600, 2)) + 10         # one kind; what does not exist
    precision, recall = judge.precision_recall(real, perfect)
    assert precision > 0.9 and recall > 0.9
    precision, recall = judge.precision_recall(real, lazy)
    assert precision > 0.9 and 0.4 < recall < 0.55
    assert judge.precision_recall(real, dull) == (0, 0)


def test_neighbours_by_hand():
    x = np.array([[0.0], [1], [3], [7]])
    np.testing.assert_allclose(judge.kth_distance(x, 2), [9, 4, 9, 36])
    np.testing.assert_allclose(judge.squared_distances(x, x[:2]), [[0, 1], [1, 0], [9, 4], [49, 36]])


def test_shares_are_of_what_the_judge_is_sure_of():
    outputs = 20 * np.eye(10)[[3, 3, 7, 0]]
    np.testing.assert_allclose(judge.shares(outputs), [.25, 0, 0, .5, 0, 0, 0, .25, 0, 0])
    unsure, sure = (np.log([[p, *[(1 - p) / 9] * 9]]) for p in (0.89, 0.91))
    assert judge.shares(unsure).sum() == judge.shares(np.full((1, 10), np.nan)).sum() == 0 and judge.shares(sure)[0] == 1
    np.testing.assert_allclose(judge.shares(outputs + 1e4), judge.shares(outputs))


def test_the_reference_and_others_share_no_digit():
    data = few_digits()
    real, others = judge.reference(data, 7)
    assert real.shape == others.shape == (7, 784)
    rows = [np.flatnonzero((data.x_test.reshape(20, 784) == digit).all(axis=1)) for digit in (*real, *others)]
    assert len({int(row) for row, in rows}) == 14                       # test digits, none twice
    assert np.array_equal(judge.reference(data, 7)[0], real)            # the same for all exercises and seeds
    assert [len(lot) for lot in judge.reference(data, 5000)] == [10, 10]


def test_the_judge_is_trained_once(tmp_path, monkeypatch):
    data = few_digits()
    model, accuracy = judge.appoint(data, (30, 4, 20), 1, 0, tmp_path)
    monkeypatch.setattr(judge, "train", lambda *_: 1 / 0)
    again, same = judge.appoint(data, (30, 4, 20), 1, 0, tmp_path)
    outputs, features = judge.read(model, data.x_test)
    assert same == accuracy == np.mean(outputs.argmax(axis=1) == data.y_test)
    assert outputs.shape == (20, 10) and features.shape == (20, 192)
    np.testing.assert_array_equal(judge.read(again, data.x_test.reshape(20, 784), size=7)[0].argmax(axis=1),
                                  outputs.argmax(axis=1))


def test_assessment_of_pictures_that_are_the_real_ones():
    rng = np.random.default_rng(0)
    features, outputs = rng.standard_normal((50, 3)), 20 * np.eye(10)[np.arange(50) % 10]
    of = judge.assess(outputs, features, features)
    assert of["precision"] == of["recall"] == 1 and of["Fréchet distance"] == pytest.approx(0, abs=1e-9)
    assert of["shares"].min() == of["shares"].max() == 0.1


def test_of_what_diverged_there_is_no_distance():
    x = np.random.default_rng(0).standard_normal((20, 4))
    broken = np.where(np.arange(20)[:, None] == 3, np.nan, x)
    verdict = judge.assess(np.zeros((20, 10)), broken, x)
    assert np.isnan(verdict["Fréchet distance"]) and verdict["precision"] == verdict["recall"] == 0
    assert np.isnan(judge.frechet(x, broken * np.inf)) and judge.frechet(x, x) == pytest.approx(0, abs=1e-9)


def test_rank_correlation_of_losses_and_of_mere_time():
    assert judge.rank_correlation([1, 2, 3, 4], [1, 10, 100, 99]) == pytest.approx(0.8)
    assert judge.with_time([5, 3, 2.9, 0.1]) == pytest.approx(1) and judge.with_time([1, 2, 3]) == pytest.approx(-1)
