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


def size(number: float | None) -> str:
    """Return bytes as `512 bytes`, `12 kB`, `12.3 MB` or `1.2 GB`."""
    if number is None:
        return NONE
    if number < 1e3:
        return count(round(number), "bytes")
    if number < 1e6:
        return f"{number / 1e3:,.0f}{SPACE}kB"
    giga = number >= 1e9
    return f"{number / (1e9 if giga else 1e6):,.1f}{SPACE}{'GB' if giga else 'MB'}"


def rough(seconds: float) -> str:
    """Return a duration of which the largest unit is enough: `5 min`, `7 h`, `12 days`."""
    if seconds < 60:
        return f"under 1{SPACE}min"
    units = (("min", 60, 5400.0), ("h", 3600, 172_800.0), ("days", 86_400, float("inf")))
    unit, lasts = next((unit, lasts) for unit, lasts, most in units if seconds < most)
    return f"{seconds // lasts:.0f}{SPACE}{unit}"


def ago(then: datetime | None, now: datetime) -> str:
    """Return how long ago something was; a clock that runs ahead counts as now."""
    if then is None:
        return "never"
    seconds = max(0.0, (now - then).total_seconds())
    return "just now" if seconds < 60 else f"{rough(seconds)} ago"
