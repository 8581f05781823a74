"""Figures and times as the page writes them: each with its unit, times in UTC."""

from datetime import datetime

from broker.durations import span

NONE = "\N{EN DASH}"
ROOT = "(the root of the inbox)"
"""What stands for the folder of a job of loose photos."""
SPACE = "\N{NO-BREAK SPACE}"


def count(number: int, unit: str = "") -> str:
    """Return `1,234 images`; one of a thing is `1 image`."""
    word = unit[:-1] if number == 1 and unit.endswith("s") else unit
    return f"{number:,}{SPACE}{word}" if word else f"{number:,}"


def percent(share: float | None) -> str:
    """Return a share 0..1 in percent."""
    return NONE if share is None else f"{100 * share:.1f}{SPACE}%"


def lasting(seconds: float | None) -> str:
    """Return a duration; below a second in milliseconds."""
    if seconds is None:
        return NONE
    return f"{1000 * seconds:.0f}{SPACE}ms" if seconds < 1 else span(seconds)


def at(stamp: str | None, now: datetime) -> str:
    """Return a time from the database as `18:40:12`, of another day than `now` with its date."""
    if not stamp:
        return NONE
    date, _, time = stamp.partition("T")
    return time[:8] if date == now.date().isoformat() else f"{date} {time[:8]}"
