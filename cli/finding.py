"""What `doctor` finds: one line each, and what can be done about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "bad"]
GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class Mend:
    """Something safe that `--fix` does: no data is touched, and doing it twice does no harm."""

    said: str
    do: Callable[[], object]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `advice` is what to do about it, "" where nothing is."""

    about: str
    state: State
    said: str
    advice: str = ""
    mend: Mend | None = None


def ok(about: str, said: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(about, "ok", said)


def warn(about: str, said: str, advice: str = "", mend: Mend | None = None) -> Finding:
    """Return a finding that will, or may, become a trouble."""
    return Finding(about, "warn", said, advice, mend)


def bad(about: str, said: str, advice: str = "", mend: Mend | None = None) -> Finding:
    """Return a finding that keeps the line from working, or its secrets from being kept."""
    return Finding(about, "bad", said, advice, mend)


def size(count: float) -> str:
    """Return bytes for a person."""
    return f"{count / GIGABYTE:,.1f} GB" if count >= GIGABYTE else f"{count / 1e6:,.1f} MB"
