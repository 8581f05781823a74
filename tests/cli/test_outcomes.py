"""Tests of the accuracy that folders named by class allow."""

from cli.outcomes import accuracy
from cli.watching import Outcome


def test_accuracy_of_folders_named_by_class() -> None:
    """Right, over all; a failure is not right."""
    outcomes = {
        "Bag/a.png": Outcome("Bag", 0.9),
        "T-shirt_top/b.png": Outcome("T-shirt/top", 0.9),
        "Coat/c.png": Outcome("Shirt", 0.9),
        "Coat/d.png": Outcome(reason="empty"),
    }
    assert (2, 4) == accuracy(outcomes)


def test_accuracy_is_not_known_for_other_folders() -> None:
    """One image in a folder of another name is enough."""
    assert accuracy({"Bag/a.png": Outcome("Bag", 0.9), "b.png": Outcome("Bag", 0.9)}) is None
    assert accuracy({}) is None
