"""Values as compact bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import MessageError
from broker.packing import Packing

NAMED = Packing(list[tuple[bytes, int]])


@given(st.lists(st.tuples(st.binary(), st.integers(-(2**63), 2**63))))
def test_packed_value_comes_back(value: list[tuple[bytes, int]]) -> None:
    """Any value of the type survives, names that are not UTF-8 included."""
    assert value == NAMED.unpack(NAMED.pack(value))


@pytest.mark.parametrize("packed", [b"", b"\xc1", b"\x91\x01", b"\x91\x92\xa1a\xa1b"])
def test_other_bytes_are_a_message_error(packed: bytes) -> None:
    """A damaged file is the one documented error."""
    with pytest.raises(MessageError):
        NAMED.unpack(packed)
