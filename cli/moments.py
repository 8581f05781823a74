"""Times that people type: ISO 8601 dates and times, or an age such as `2h`."""

import re
from datetime import UTC, datetime, timedelta

import typer

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str) -> datetime:
    """Return the moment that a text names; without a zone it is UTC. Raises typer.BadParameter."""
    age = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip())
    if age is not None:
        return datetime.now(UTC) - timedelta(**{UNITS[age[2]]: int(age[1])})
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise typer.BadParameter(
            f"expected a time such as 2026-11-22, 2026-11-22T13:00 or 2h (ago), not {text!r}"
        ) from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
