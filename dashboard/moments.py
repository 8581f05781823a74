"""Times that people choose on a page: fields for a moment in UTC, and what an address says of it."""

from datetime import UTC, datetime

from nicegui import html

from dashboard.fields import BEGINS, VALUE, Changed
from store.times import moment


def moment_of(text: str) -> datetime | None:
    """Return the moment that an address names, None for none. Raises ValueError with one sentence."""
    if not text:
        return None
    try:
        found = moment(text)
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"expected a time such as 2026-11-22 or 2026-11-22T13:00, not {text[:40]!r}"
        ) from error


def moment_field(name: str, value: str, changed: Changed) -> None:
    """Make a labelled field for a time."""
    with html.label().classes("moment"):
        html.span(name)
        box = html.input_(**{"type": "datetime-local", BEGINS: value[:16]}).classes("plain")
        box.on("change", changed, js_handler=VALUE)
