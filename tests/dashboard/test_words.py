"""How the page writes figures and times."""

from datetime import UTC, datetime

import pytest

from dashboard.words import NONE, at, count, lasting, percent

NOW = datetime(2026, 11, 27, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(("number", "expected"), [(0, "0 images"), (1, "1 image"), (12345, "12,345 images")])
def test_numbers_have_their_unit(number: int, expected: str) -> None:
    """And one is one."""
    assert expected == count(number, "images").replace("\N{NO-BREAK SPACE}", " ")


def test_what_is_not_known_is_a_dash() -> None:
    """Never a zero."""
    assert [NONE] * 3 == [percent(None), lasting(None), at(None, NOW)]


def test_durations_below_a_second_are_milliseconds() -> None:
    """Others as people say them."""
    assert ["6 ms", "1 min 5 s"] == [lasting(s).replace("\N{NO-BREAK SPACE}", " ") for s in (0.0061, 65.0)]


def test_times_of_another_day_have_their_date() -> None:
    """Of today the time is enough."""
    assert "13:16:01" == at("2026-11-27T13:16:01.123Z", NOW)
    assert "2026-11-26 13:16:01" == at("2026-11-26T13:16:01.123Z", NOW)
