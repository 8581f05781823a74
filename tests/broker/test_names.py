"""Names: bytes to text and back."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.messages import MAX_NAME_CHARS
from broker.names import bytes_of, is_too_long, shortened, text_of


@given(st.binary())
@example(b"\\x41")
@example(b"\\")
@example("\u2028\x85".encode())
def test_any_bytes_come_back(name: bytes) -> None:
    """The text of a name leads back to its bytes."""
    assert name == bytes_of(text_of(name))


@given(st.binary())
def test_text_has_no_control_character_and_can_be_encoded(name: bytes) -> None:
    """The text is one line of valid UTF-8, whatever the bytes."""
    text = text_of(name)
    assert text == text.encode().decode()
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in text)


@given(st.binary(), st.binary())
def test_different_names_have_different_texts(one: bytes, other: bytes) -> None:
    """No two files share a text."""
    assert (one == other) == (text_of(one) == text_of(other))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"plain.png", "plain.png"),
        ("grün/\U0001f457.png".encode(), "grün/\U0001f457.png"),
        (b"na\xffme", "na\\xffme"),
        (b"a\nb\tc", "a\\x0ab\\x09c"),
        (b"back\\slash", "back\\x5cslash"),
        ("\x85".encode(), "\\xc2\\x85"),
        ("photo\u202egpj.exe".encode(), "photo\\xe2\\x80\\xaegpj.exe"),
        ("a\u2028b".encode(), "a\\xe2\\x80\\xa8b"),
        ("\u05e9\u05de\u05dc\u05d4.png".encode(), "\u05e9\u05de\u05dc\u05d4.png"),
        (b"", ""),
    ],
)
def test_text_of_a_name(name: bytes, text: str) -> None:
    """What is plain stays as it is; the rest stands as hexadecimal."""
    assert text == text_of(name)


@given(st.text())
def test_any_text_becomes_bytes(text: str) -> None:
    """A stranger's text never fails."""
    assert isinstance(bytes_of(text.encode("utf-8", "replace").decode()), bytes)


def test_shortened_name_fits_and_stays_unique() -> None:
    """A name that is too long keeps its beginning and tells itself from others by its digest."""
    one, other = "a" * 5000, "a" * 5000 + "b"
    assert is_too_long(one)
    assert len(shortened(one)) <= MAX_NAME_CHARS
    assert shortened(one) != shortened(other)
    assert "short" == shortened("short")
