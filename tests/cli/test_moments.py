"""Tests of times that people type and read."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from broker.durations import span
from cli.moments import moment


def test_moment_of_a_day_is_its_midnight_in_utc() -> None:
    """A date without a zone is UTC."""
    assert datetime(2026, 11, 22, tzinfo=UTC) == moment("2026-11-22")


def test_moment_with_a_zone_is_moved_to_utc() -> None:
    """The store compares UTC."""
    assert datetime(2026, 11, 22, 11, tzinfo=UTC) == moment("2026-11-22T13:00:00+02:00")


def test_moment_of_an_age_lies_that_long_ago() -> None:
    """`2h` is two hours before now."""
    before = datetime.now(UTC) - timedelta(hours=2)
    assert before <= moment("2h") <= datetime.now(UTC) - timedelta(hours=2)


@pytest.mark.parametrize("text", ["yesterday", "", "2x", "99999999d", "22.11.2026"])
def test_moment_of_anything_else_is_refused(text: str) -> None:
    """The message names what was typed."""
    with pytest.raises(typer.BadParameter, match="expected a time"):
        moment(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (3.44, "3.4 s"), (125, "2 min 5 s"), (3840, "1 h 4 min")]
)
def test_span_reads_as_people_say_it(seconds: float | None, text: str) -> None:
    """Seconds, minutes and hours."""
    assert text == span(seconds)
