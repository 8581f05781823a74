"""The card shows what was counted."""

from __future__ import annotations

import cv2
import numpy as np

from model.card import BLUE, ORANGE, draw_confusion, draw_reliability, draw_training
from model.evaluation import judge, reliability

LABELS = np.repeat(np.arange(3), 10)
RIGHT = np.eye(3, dtype=np.float32)[LABELS] * 0.7 + 0.1


def test_a_perfect_matrix_has_a_dark_diagonal_and_a_white_rest() -> None:
    """Each cell is as dark as its share of the row."""
    picture = draw_confusion(judge(RIGHT, LABELS, ("a", "b", "c")))

    assert tuple(picture[110 + 2, 110 + 2]) == BLUE
    assert tuple(picture[110 + 44 + 2, 110 + 2]) == (255, 255, 255)


def test_the_reliability_bar_is_as_high_as_the_accuracy() -> None:
    """One bin in which all answers are right reaches the top."""
    picture = draw_reliability(reliability(RIGHT, LABELS))
    blue = np.flatnonzero((picture == BLUE).all(axis=2).any(axis=1))

    assert (blue[0], blue[-1]) == (30, 340 - 45)


def test_the_training_curve_rises_with_the_accuracy() -> None:
    """The curve's last point lies above its first."""
    picture = draw_training([{"validation_accuracy": value} for value in (0.5, 0.6, 0.9)])
    rows, columns = np.nonzero((picture == BLUE).all(axis=2))

    assert rows[columns.argmax()] < rows[columns.argmin()]
    assert picture.shape == (340, 460, 3)
    assert cv2.imencode(".png", picture)[0]


def test_a_training_that_was_always_right_is_drawn() -> None:
    """A small and easy set: the axis has a height all the same."""
    assert (draw_training([{"validation_accuracy": 1.0}] * 2) == BLUE).all(axis=2).any()


def test_each_network_has_a_curve_of_its_own() -> None:
    """They do not go on from each other."""
    falling = [{"network": "first", "validation_accuracy": value} for value in (0.9, 0.5)]
    rising = [{"network": "second", "validation_accuracy": value} for value in (0.5, 0.9)]
    picture = draw_training([*falling, *rising])
    for colour, ends_higher in ((BLUE, False), (ORANGE, True)):
        rows, columns = np.nonzero((picture == colour).all(axis=2))
        assert ends_higher == (rows[columns.argmax()] < rows[columns.argmin()])
