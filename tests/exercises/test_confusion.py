"""What the exercises on digits share: the confusion matrix, its most frequent mistakes, and the figure of both."""
import numpy as np

from exercises.card import Card
from exercises.features._confusion import EACH, confusion_matrix, draw_confusion, most_confused

TRUTH = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2])
PREDICTED = np.array([0, 1, 1, 2, 2, 2, 0, 0, 0])


def test_rows_are_the_truth():
    np.testing.assert_array_equal(confusion_matrix(TRUTH, PREDICTED, 3), [[1, 1, 0], [0, 1, 2], [3, 0, 1]])


def test_the_most_frequent_mistakes_come_first_and_right_answers_never():
    matrix = confusion_matrix(TRUTH, PREDICTED, 3)
    assert most_confused(matrix) == [(2, 0), (1, 2), (0, 1)]
    assert most_confused(matrix, 2) == [(2, 0), (1, 2)]
    assert most_confused(np.diag([5, 4, 3])) == []


def test_the_figure_is_drawn_for_few_mistakes_for_many_and_for_none():
    rng, card = np.random.default_rng(0), Card("digits", "title", quick=True, seed=0)
    for truth, predicted in ((TRUTH, PREDICTED), (TRUTH, TRUTH), (rng.integers(10, size=500), rng.integers(10, size=500)),
                             (np.zeros(2 * EACH, int), np.ones(2 * EACH, int))):
        draw_confusion(card, "confusion", truth, predicted, np.zeros((len(truth), 4, 4)), "Some network.")
    assert len(card.figures) == 4
    assert "6 of 9 are wrong" in card.figures[0].caption and "0 of 9 are wrong" in card.figures[1].caption
