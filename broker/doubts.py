"""How a verdict is put into words, wherever a person reads it."""

from collections.abc import Iterable

BETWEEN_REASONS = "; "


def doubt(verdict: str, reasons: Iterable[str]) -> str:
    """Return what a person should know of a verdict ("suspect: busy-ground"): nothing when all is well."""
    return "" if verdict == "ok" else ": ".join(filter(None, (verdict, BETWEEN_REASONS.join(reasons))))
