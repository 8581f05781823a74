"""`<state>/upkeep.json`: when the latest backup and check were, for `doctor`, `up` and the page."""

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from broker.private_files import READABLE, write_private

NAME = "upkeep.json"
STALE_H = 48.0
"""A backup or a check that is older is a warning: `upkeep` is a matter of every day."""


def hours_since(then: datetime, now: datetime) -> float:
    """Return how long ago something was."""
    return (now - then).total_seconds() / 3600


def read(state: Path) -> dict[str, Any]:
    """Return what is known: `backup_at`, `backup`, `check_at`; nothing where there is no such file."""
    try:
        found = json.loads((state / NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(state: Path, **facts: str) -> None:
    """Add facts; a state that cannot be written is what `doctor` tells, and no reason to fail here."""
    with contextlib.suppress(OSError):
        write_private(state / NAME, json.dumps({**read(state), **facts}, indent=2) + "\n", READABLE)


def moment(facts: dict[str, Any], name: str) -> datetime | None:
    """Return when something was, None where that is not known."""
    try:
        return datetime.fromisoformat(str(facts.get(name, "")))
    except ValueError:
        return None


def stamp() -> str:
    """Return the present moment."""
    return datetime.now(UTC).isoformat(timespec="seconds")
