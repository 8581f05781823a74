"""`<state>/upkeep.json`: when the latest backup and the latest check were, for `doctor` and for `up`."""

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NAME = "upkeep.json"


def read(state: Path) -> dict[str, Any]:
    """Return what is known: `backup_at`, `backup`, `check_at`; nothing where there is no such file."""
    try:
        found = json.loads((state / NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(state: Path, **facts: str) -> None:
    """Add facts; a state that cannot be written is what `doctor` tells, and no reason to fail here."""
    file = state / NAME
    unfinished = file.with_name(f".{NAME}.unfinished")
    with contextlib.suppress(OSError):
        unfinished.unlink(missing_ok=True)
        with unfinished.open("x", encoding="utf-8") as opened:
            opened.write(json.dumps({**read(state), **facts}, indent=2) + "\n")
        unfinished.replace(file)


def moment(facts: dict[str, Any], name: str) -> datetime | None:
    """Return when something was, None where that is not known."""
    try:
        return datetime.fromisoformat(str(facts.get(name, "")))
    except ValueError:
        return None


def stamp() -> str:
    """Return the present moment."""
    return datetime.now(UTC).isoformat(timespec="seconds")
