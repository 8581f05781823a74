"""How the page writes figures and times."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.words import NONE, ago, at, count, lasting, percent, rough, size

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


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "under 1 min"), (60, "1 min"), (5399, "89 min"), (7200, "2 h"), (200_000, "2 days")],
)
def test_rough_durations_have_one_unit(seconds: float, expected: str) -> None:
    """The largest that says enough."""
    assert expected == rough(seconds).replace("\N{NO-BREAK SPACE}", " ")


def test_what_was_is_so_long_ago() -> None:
    """Never in the future."""
    assert ["never", "just now", "3 h ago"] == [
        ago(then, NOW).replace("\N{NO-BREAK SPACE}", " ")
        for then in (None, NOW + timedelta(seconds=5), NOW - timedelta(hours=3))
    ]


def test_sizes_have_the_unit_that_fits() -> None:
    """Thousands of bytes, as a disk's maker counts."""
    assert ["1 byte", "999 bytes", "4 kB", "12.3 MB", "1.2 GB", NONE] == [
        size(number).replace("\N{NO-BREAK SPACE}", " ") for number in (1, 999, 4096, 12.3e6, 1.2e9, None)
    ]
