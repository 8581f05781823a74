"""A broker that says what a test wants it to say, byte for byte; for what no real one can be made to say."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 14
RECEIVE_MAXIMUM = 0x21
RETAIN_AVAILABLE = 0x25
MAXIMUM_PACKET_SIZE = 0x27
SHARED_AVAILABLE = 0x2A


class Visit:
    """One client's connection, seen from the broker."""

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self.stream = opened.makefile("rb")

    def read(self) -> tuple[int, int, bytes]:
        """Return the next packet's type, flags and body."""
        first = self._byte()
        length = shift = 0
        while True:
            byte = self._byte()
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return first >> 4, first & 15, self.stream.read(length)

    def _byte(self) -> int:
        found = self.stream.read(1)
        if not found:
            raise ConnectionError("the client is gone")
        return int(found[0])

    def expect(self, kind: int) -> tuple[int, bytes]:
        """Return the flags and body of the next packet of a kind; pings are passed over."""
        while True:
            found, flags, body = self.read()
            if found != PINGREQ:
                assert kind == found
                return flags, body

    def send(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Send one packet (bodies up to 127 bytes are enough here)."""
        self.socket.sendall(bytes([kind << 4 | flags, len(body)]) + body)

    def raw(self, data: bytes) -> None:
        """Send bytes that are no packet."""
        self.socket.sendall(data)

    def welcome(self, reason: int = 0, properties: bytes = b"") -> None:
        """Read CONNECT and answer it."""
        self.expect(CONNECT)
        self.send(CONNACK, bytes([0, reason, len(properties)]) + properties)

    def subscribed(self, reason: int = 1) -> bytes:
        """Read SUBSCRIBE, answer it, and return its first filter."""
        _flags, body = self.expect(SUBSCRIBE)
        self.send(SUBACK, body[:2] + bytes([0, reason]))
        length = struct.unpack("!H", body[3:5])[0]
        return body[5 : 5 + length]

    def published(self) -> tuple[int, int]:
        """Read PUBLISH and return its flags and packet id."""
        flags, body = self.expect(PUBLISH)
        length = struct.unpack("!H", body[:2])[0]
        return flags, struct.unpack("!H", body[2 + length : 4 + length])[0]

    def answer(self, packet_id: int, reason: int = 0) -> None:
        """Send PUBACK."""
        self.send(PUBACK, struct.pack("!HBB", packet_id, reason, 0))

    def until_left(self) -> int:
        """Read until the client goes; return how many messages it published meanwhile."""
        published = 0
        with contextlib.suppress(ConnectionError, OSError):
            while True:
                kind, _flags, _body = self.read()
                published += kind == PUBLISH
                if kind == DISCONNECT:
                    break
        return published


class ScriptedBroker:
    """Plays one scene for each connection, in turn; the last one is played again for all that follow."""

    def __init__(self, *scenes: Callable[[Visit], object]) -> None:
        self._scenes = scenes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.visits = 0
        self.results: list[object] = []
        self._present: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and cut off whoever is there."""
        for one in (self._listener, self._present):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self._thread.join(60)
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the listener has been shut down
            while True:
                self._present, _address = self._listener.accept()
                with self._present, contextlib.suppress(ConnectionError, TimeoutError):
                    self._play(self._present)

    def _play(self, opened: socket.socket) -> None:
        opened.settimeout(20)
        scene = self._scenes[min(self.visits, len(self._scenes) - 1)]
        self.visits += 1
        visit = Visit(opened)
        with visit.stream:
            self.results.append(scene(visit))
