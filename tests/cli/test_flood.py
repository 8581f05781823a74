"""Tests of how many warnings of one kind reach the terminal."""

from cli.flood import SHOWN, WITHIN_S, Flood


def test_first_few_of_a_kind_are_shown_and_the_rest_is_counted() -> None:
    """A thousand broken files are five lines and a number."""
    flood = Flood()
    shown = sum(flood.let_through("image-failed", 0.0) for _ in range(1000))
    assert (SHOWN, [("image-failed", 1000 - SHOWN)]) == (shown, flood.over(WITHIN_S))


def test_kinds_do_not_hide_each_other() -> None:
    """One flood leaves room for another warning."""
    flood = Flood()
    for _ in range(1000):
        flood.let_through("image-failed", 0.0)
    assert flood.let_through("disk-low", 0.0)


def test_kind_begins_anew_when_its_time_is_over() -> None:
    """A warning a minute is always shown."""
    flood = Flood()
    for minute in range(20):
        assert flood.let_through("disk-low", 60.0 * minute)
        assert [] == flood.over(60.0 * minute + WITHIN_S)
