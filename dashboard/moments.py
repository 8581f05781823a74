"""Times that people choose on a page: fields for a moment in UTC, and what an address says of it."""

from collections.abc import Callable
from datetime import UTC, datetime

from nicegui import events, html

from store.times import moment

VALUE = "(event) => emit(event.target.value)"
BEGINS = "^value"
"""What a field holds at first: `value` itself Vue would set again, over what is typed, at every change."""


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


def moment_field(name: str, value: str, changed: Callable[[events.GenericEventArguments], object]) -> None:
    """Make a labelled field for a time."""
    with html.label().classes("moment"):
        html.span(name)
        box = html.input_(**{"type": "datetime-local", BEGINS: value[:16]}).classes("plain")
        box.on("change", changed, js_handler=VALUE)
