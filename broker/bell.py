"""A bell that one thread rings and another hears in its `poll`, beside its sockets."""

import contextlib
import select
import socket


class Bell:
    """Two connected sockets; ringing twice before it is heard counts once."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        self._near.settimeout(0)
        self._far.settimeout(0)
        self._rung = False

    def fileno(self) -> int:
        """Return what to poll for reading."""
        return self._near.fileno()

    def ring(self) -> None:
        """Wake whoever polls; nothing happens when nobody is left to hear it."""
        if not self._rung:
            self._rung = True
            with contextlib.suppress(OSError):
                self._far.send(b"1")

    def hear(self) -> None:
        """Silence the bell, before looking at what it was rung for."""
        with contextlib.suppress(BlockingIOError):
            self._near.recv(4096)
        self._rung = False

    def wait(self, timeout_s: float) -> None:
        """Wait for a ring, at most `timeout_s`."""
        poll = select.poll()
        poll.register(self._near, select.POLLIN)
        if poll.poll(timeout_s * 1000):
            self.hear()

    def close(self) -> None:
        """Free both sockets."""
        self._near.close()
        self._far.close()
