r"""File names are bytes, the wire and CSV want text: a reversible way between the two.

A byte that is no UTF-8, a control character (those that end a line or turn the direction of writing included)
and the backslash stand as `\xNN`; everything else stands for itself. So no two files share a text, and the
text of a file leads back to its bytes.
"""

import hashlib
import re

from broker.messages import MAX_NAME_CHARS

_TO_ESCAPE = re.compile("[\x00-\x1f\x7f-\x9f\\\\\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\udc80-\udcff]")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


def text_of(name: bytes) -> str:
    """Return the text of a file name or of a path with `/`."""
    text = name.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return _TO_ESCAPE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in match[0].encode("utf-8", "surrogateescape"))


def bytes_of(text: str) -> bytes:
    """Return the bytes that `text_of` made the text of."""
    name = text.encode("utf-8", "surrogateescape")
    return _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), name) if b"\\" in name else name


def is_too_long(text: str) -> bool:
    """Tell whether a name does not fit into a message; such a file can only become a failure."""
    return len(text) > MAX_NAME_CHARS


def shortened(text: str) -> str:
    """Return a name that fits and is still unique: its beginning and its SHA-256."""
    if not is_too_long(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{text[: MAX_NAME_CHARS - 100]}...{digest}"
