"""What goes wrong: each fault does its harm once and says whether it could."""

import contextlib
import ctypes
import os
import random
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.chaos.world import World

PIDFD_GETFD = 438
"""The number of pidfd_getfd(2), the same on every architecture of Linux 5.6 and later."""
INPUT_TOPICS = {
    "pixels/shop": "ingest_agent",
    "failures/shop": "ingest_agent",
    "jobs/shop": "ingest_agent",
    "predictions/shop": "predictor_service",
    "shadows/shop": "predictor_service",
    "model": "predictor_service",
    "receipts/shop": "store",
    "events/store": "store",
    "rejects/store": "store",
}
"""Every topic that some service reads, and the account that may publish on it."""


class Faults:
    """Harms a world at random; `counts` by kind is what the table shows."""

    def __init__(self, world: World, *, seed: int, disk: bool) -> None:
        self._world = world
        self._rng = random.Random(seed)
        self.kinds: dict[str, Callable[[], bool]] = {
            "kill a service": self.kill,
            "kill the broker": self.kill_broker,
            "kill the broker, wipe its disk": self.wipe,
            "freeze for 5 s": self.freeze,
            "cut a connection": self.cut,
            "garbage on every topic": self.garbage,
        }
        if disk:
            self.kinds["fill the disk for 3 s"] = self.fill
        self._weights = [6, 2, 1, 1, 2, 2, 1][: len(self.kinds)]

    def one(self) -> str:
        """Do one fault and return its kind, or "" when its victim was just away."""
        kind = self._rng.choices(list(self.kinds), self._weights)[0]
        return kind if self.kinds[kind]() else ""

    def _victim(self, *, broker: bool = False) -> int | None:
        found = [pid for name, pid in self._world.pids().items() if name.startswith("broker") == broker]
        return self._rng.choice(found) if found else None

    def _signal(self, pid: int | None, number: signal.Signals) -> bool:
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
        return False

    def kill(self) -> bool:
        """Kill -9 one of the services."""
        return self._signal(self._victim(), signal.SIGKILL)

    def kill_broker(self) -> bool:
        """Kill -9 the broker."""
        return self._signal(self._victim(broker=True), signal.SIGKILL)

    def wipe(self) -> bool:
        """Kill -9 the broker and remove whatever it has kept."""
        done = self.kill_broker()
        for file in (self._world.state / "broker").glob("*.db*"):
            file.unlink(missing_ok=True)
        return done

    def freeze(self) -> bool:
        """Stop one process for 5 s, then let it go on."""
        pid = self._victim(broker=self._rng.random() < 0.2)
        done = self._signal(pid, signal.SIGSTOP)
        time.sleep(5.0)
        self._signal(pid, signal.SIGCONT)
        return done

    def cut(self) -> bool:
        """Shut the TCP connection of one service from outside, behind its back."""
        pid = self._victim()
        return pid is not None and shut_connections(pid, self._world.port)

    def garbage(self) -> bool:
        """Publish bytes that mean nothing on every topic that somebody reads, with the rights to do so."""
        done = False
        for topic, account in INPUT_TOPICS.items():
            payload = self._rng.choice([b"", b"\xff\x00\x01", b"{}", b"[" * 5000, self._rng.randbytes(2000)])
            done |= self._publish(topic, account, payload)
        return done

    def _publish(self, topic: str, account: str, payload: bytes) -> bool:
        try:
            user, _, password = (
                (self._world.state / "credentials" / account).read_text().strip().partition(":")
            )
            client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
            client.username_pw_set(user, password)
            client.connect("127.0.0.1", self._world.port)
        except OSError:
            return False
        client.loop_start()
        message = client.publish(f"tailorbird/v1/{topic}", payload, qos=1)
        with contextlib.suppress(RuntimeError, ValueError):
            message.wait_for_publish(2.0)
        client.disconnect()
        client.loop_stop()
        return True

    def fill(self) -> bool:
        """Fill the file system of the state for 3 s."""
        ballast = self._world.state / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                while file.write(b"\0" * (1 << 20)):
                    pass
        except OSError:
            pass  # full, as it should be
        time.sleep(3.0)
        ballast.unlink(missing_ok=True)
        return True


def shut_connections(pid: int, port: int) -> bool:
    """Shut down every TCP socket of a process that leads to `port`; needs Linux 5.6 and the same user."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = False
    try:
        handle = os.pidfd_open(pid)
        numbers = [int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except (ProcessLookupError, FileNotFoundError):
        return False
    for number in numbers:
        copy = libc.syscall(PIDFD_GETFD, handle, number, 0)
        if copy < 0:
            continue
        if not stat.S_ISSOCK(os.fstat(copy).st_mode):
            os.close(copy)  # keeping it would keep the file's locks
            continue
        with socket.socket(fileno=copy) as peer, contextlib.suppress(OSError):
            if peer.family == socket.AF_INET and peer.getpeername()[1] == port:
                peer.shutdown(socket.SHUT_RDWR)
                done = True
    os.close(handle)
    return done


@contextlib.contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[bool]:
    """Mount a small tmpfs on `folder`, in a mount namespace of our own; yields whether that was allowed."""
    clone_newns, recursive_private, detach = 0x00020000, 0x4000 | 0x40000, 2
    libc = ctypes.CDLL(None, use_errno=True)
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size_mb}m".encode()
    mounted = (
        libc.unshare(clone_newns) == 0
        and libc.mount(b"none", b"/", None, recursive_private, None) == 0
        and libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, options) == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            libc.umount2(str(folder).encode(), detach)
