"""Somebody who listens where systemd would: a real datagram socket as NOTIFY_SOCKET."""

import socket
from pathlib import Path
from typing import Self


class Listening:
    """What a service tells systemd; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.words: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._socket.bind(f"\0{self.address[1:]}" if self.address.startswith("@") else self.address)
        self._socket.settimeout(0)
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._socket.close()

    def hear(self) -> list[tuple[str, str]]:
        """Return every name and value told so far."""
        while True:
            try:
                told = self._socket.recv(65536).decode()
            except BlockingIOError:
                return self.words
            pairs = [line.partition("=") for line in told.splitlines()]
            self.words.extend((name, value) for name, _, value in pairs)

    def names(self) -> list[str]:
        """Return every name told so far."""
        return [name for name, _ in self.hear()]

    def statuses(self) -> list[str]:
        """Return every STATUS told so far."""
        return [value for name, value in self.hear() if name == "STATUS"]

    def is_fed(self) -> bool:
        """Tell whether the watchdog was fed since the last question."""
        fed = "WATCHDOG" in self.names()
        self.words.clear()
        return fed
