"""What a setting may be, and what it is, in words: for error messages, the reference, and the screen."""

import re
from typing import Any

from msgspec import inspect

from broker.settings import HOST_NAME_PATTERN, NAME_CHARS, NAME_PATTERN, VERSION_PATTERN
from broker.topics import CANARY_PREFIX

NAMES = {
    NAME_PATTERN: f"1 to {NAME_CHARS} of A-Z a-z 0-9 _ -, no {CANARY_PREFIX} first",
    HOST_NAME_PATTERN: "a host name or an address, without a port",
    VERSION_PATTERN: "a bundle's version, or nothing",
}


def expected(kind: inspect.Type) -> str:  # noqa: PLR0911 - one line for each type
    """Return what a value of this type may be, as the end of the sentence "expected …"."""
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(gt=gt, ge=ge, lt=lt, le=le):
            return "a whole number" + _bounds(gt, ge, lt, le)
        case inspect.FloatType(gt=gt, ge=ge, lt=lt, le=le):
            return "a number" + _bounds(gt, ge, lt, le)
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(str(value) for value in values)
        case inspect.VarTupleType(item_type=item):
            return f"a list, each {expected(item)}"
        case inspect.StrType(pattern=pattern):
            return _text(pattern)
        case _:
            return "a path"


def _bounds(gt: float | None, ge: float | None, lt: float | None, le: float | None) -> str:
    parts = [
        f"{word} {bound:,}" if isinstance(bound, int) else f"{word} {bound:g}"
        for word, bound in (("above", gt), ("from", ge), ("below", lt), ("to", le))
        if bound is not None
    ]
    return "".join(f" {part}" for part in parts)


def _text(pattern: str | None) -> str:
    if pattern is None:
        return "a text"
    return NAMES.get(pattern, "names of A-Z a-z 0-9 _ - with / between them")


def shown(value: Any) -> str:
    """Return a setting's value for a person, without a password."""
    if isinstance(value, bool):
        return str(value).lower()
    return (", ".join(value) if isinstance(value, tuple) else without_password(str(value))) or "(empty)"


def without_password(text: str) -> str:
    """Return a text without the password of any URL in it: what is shown may be sent to others."""
    return re.sub(r"(://[^/:@\s]*:)[^/\s]*@", r"\1***@", text)
