"""Values as compact bytes for a service's own files; this package is msgspec's only home."""

from typing import Generic, TypeVar

import msgspec

from broker.errors import MessageError

T = TypeVar("T")


class Packing(Generic[T]):
    """MessagePack of one type: `Packing(list[tuple[bytes, int]])`; what comes back is checked against it."""

    def __init__(self, kind: type[T]) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(kind).decode

    def pack(self, value: T) -> bytes:
        """Return the value's bytes."""
        return self._encode(value)

    def unpack(self, packed: bytes) -> T:
        """Return the value that `packed` holds, or raise MessageError."""
        try:
            return self._decode(packed)
        except (msgspec.MsgspecError, ValueError) as error:
            raise MessageError(" ".join(str(error).split())) from error
