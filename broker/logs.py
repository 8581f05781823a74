"""The log: one line for each thing that happened, as `key=value` or as JSON, that no value can forge.

    2026-11-27T17:20:00.089Z INFO store batch-stored batch_id=b1 job_id=shop-1 images=256 commit_s=0.0121

Under journald each line begins with its priority, `<6>` (sd-daemon(3)).
"""

import json
import logging
import math
import os
import re
import sys
import time
from collections.abc import Mapping
from typing import Any, Literal, TextIO

from broker.settings import Log

Level = Literal["debug", "info", "warning", "error"]

DETAIL_CHARS = 1000
VALUE_CHARS = 4000
TRACEBACK_CHARS = 12_000
FOREIGN = "log"
"""The event of a line that a library wrote, whose words stand in `message`."""
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@+,%~()-]+\Z")
# What ends a line, moves a cursor or turns the direction of a text around: C0, DEL, C1, line and paragraph
# separators, bidirectional controls, and halves of characters (names that are not UTF-8).
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def log_line(log: logging.Logger, level: Level, event: str, **fields: Any) -> None:
    """Write one line: what happened, and its fields; those that are None or "" are left out."""
    number = getattr(logging, level.upper())
    if log.isEnabledFor(number):
        log.log(number, event, extra={"fields": fields})


class KeyValue(logging.Formatter):
    """Time, level, who, what happened, and `key=value` for the rest."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        event, fields = _parts(record)
        words = [_time(record), record.levelname, record.name, event]
        words += _pairs(fields)
        return " ".join(words)


class Json(logging.Formatter):
    """One JSON object a line: `time`, `level`, `service`, `event` and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        event, fields = _parts(record)
        head = {"time": _time(record), "level": record.levelname.lower(), "service": record.name}
        return json.dumps({**head, "event": event, **{key: _json(one) for key, one in fields.items()}})


class Prefixed(logging.Formatter):
    """Another formatter's line behind its priority."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        return f"<{PRIORITIES.get(record.levelno, 6)}>{self._inner.format(record)}"


def as_text(fields: Mapping[str, Any]) -> str:
    """Return a line's fields as one text, as the event log has them: the detail as it is, if it is alone."""
    found = _said(fields)
    return _text(found["detail"]) if list(found) == ["detail"] else " ".join(_pairs(found))


def for_the_wire(text: str) -> str:
    """Make any text fit for a message: no lone surrogates (names that are not UTF-8), no NUL, not endless."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")[:DETAIL_CHARS]


def _parts(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """Return a record's event and its fields, whoever wrote it."""
    fields: Mapping[str, Any] | None = getattr(record, "fields", None)
    event = record.msg if fields is not None else FOREIGN
    found = _said({"message": record.getMessage()} if fields is None else fields)
    if record.exc_info:
        trace = logging.Formatter().formatException(record.exc_info)
        found["traceback"] = " | ".join(line.strip() for line in trace.splitlines() if line.strip())
    return event, found


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None and value != ""}


def _pairs(fields: Mapping[str, Any]) -> list[str]:
    return [f"{key}={_shown(value)}" for key, value in fields.items()]


def _time(record: logging.LogRecord) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{moment}.{int(record.msecs):03d}Z"


def _shown(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.6f}".rstrip("0").rstrip(".") if math.isfinite(value) else str(value)
        case int():
            return str(value)
    text = _cut(_text(value))
    if _PLAIN.match(text):
        return text
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _UNSAFE.sub(_escaped, quoted) + '"'


def _escaped(found: re.Match[str]) -> str:
    char = found.group()
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char, f"\\u{ord(char):04x}")


def _text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _cut(text: str) -> str:
    limit = TRACEBACK_CHARS if text.startswith("Traceback ") else VALUE_CHARS
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more)"


def _json(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value if isinstance(value, bool | int) else _cut(_text(value))


def set_up_logging(settings: Log, environ: Mapping[str, str], stream: TextIO | None = None) -> None:
    """Write log records to `stream` (stderr) as the settings say; done again it replaces what was."""
    out = stream or sys.stderr
    formatter: logging.Formatter = Json() if settings.format == "json" else KeyValue()
    if settings.prefix == "always" or (settings.prefix == "auto" and is_journal(out, environ)):
        formatter = Prefixed(formatter)
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)


def last_word(text: str, environ: Mapping[str, str]) -> None:
    """Say in one line on stderr why a process cannot run; to the journal as an error."""
    prefix = "<3>" if is_journal(sys.stderr, environ) else ""
    sys.stderr.write(f"{prefix}{' '.join(text.split())}\n")


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether a stream leads to the journal: JOURNAL_STREAM names its device and inode.

    The variable alone says little: children whose output goes to a file inherit it.
    """
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file at all
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
