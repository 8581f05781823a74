"""The process that decodes: `python -m ingest_agent.decoder_process FD SECONDS MB`.

Image libraries read what strangers wrote, and are where it goes wrong: a crash here costs one image. Code
that somebody smuggles in opens no file and no socket; where system calls are filtered (Linux on x86_64 and
aarch64) it renames, deletes and changes no file either, reads nobody else's memory and signals nobody. Where
they are not, it may do what the agent's user may and needs no new descriptor: rename, delete, chmod, kill.

Bytes come in and pixels go out by one socket, whose other end is the agent's; when that closes, this ends.

    request   images, length of the spec; the spec as JSON; the length of each image; the images
    answers   for each image: its kind, the seconds it took, length; then pixels, or the reason as JSON
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ingest_agent.preparing import Prepared, Unprepared, prepared
from ingest_agent.system_calls import filter_system_calls
from model.preprocessing import InputSpec

REQUEST = struct.Struct("<II")
ANSWER = struct.Struct("<BdI")
READY = b"ready"
PIXELS, REASON = 0, 1
# Answers gather so long: each message wakes the agent, and an image takes a fraction of a millisecond.
FLUSH_S = 0.01
FLUSH_BYTES = 65_536
# A gray PNG file of 2 x 2 pixels, which is made ready before anything of a stranger's comes.
SMALLEST = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000200000002080000000057dd52f80000000e4944415478da63f8"
    "cfc0c0f01f00060001ff6534f8f70000000049454e44ae426082"
)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38


def main() -> None:
    """Be a decoder until the agent closes its end."""
    descriptor, cpu_s, memory_mb = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the agent hears these, and ends this when it ends
    link = socket.socket(fileno=descriptor)
    with contextlib.suppress(OSError):  # where memory ends, this process goes before the agent does
        Path("/proc/self/oom_score_adj").write_text("500")
    prepared(SMALLEST, InputSpec())  # whatever is loaded at its first use is loaded before the doors close
    confine(memory_mb)
    found = prepared(SMALLEST, InputSpec())
    if isinstance(found, Unprepared):
        sys.exit(f"a sample picture cannot be decoded: {found.detail}")
    link.sendall(READY)
    os.close(2)  # nobody reads it any more
    serve(link, cpu_s)


def confine(memory_mb: int) -> None:
    """Give up what decoding does not need: files, sockets, processes, core dumps, all but some memory.

    Where there is a filter of system calls, it alone would do for most; the limits hold everywhere.

    RLIMIT_NOFILE 0 forbids every new descriptor, of a file or a socket; the open ones stay.
    """
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        for option, value in (
            (PR_SET_PDEATHSIG, signal.SIGKILL),
            (PR_SET_DUMPABLE, 0),
            (PR_SET_NO_NEW_PRIVS, 1),
        ):
            prctl(option, value, 0, 0, 0)
    limits = {
        resource.RLIMIT_DATA: memory_mb * 1_000_000,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_NOFILE: 0,
    }
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))
    filter_system_calls()


def serve(link: socket.socket, cpu_s: float) -> None:
    """Answer requests. An image that takes more than `cpu_s` of the processor's time ends this process.

    It is the processor's time that counts, so that no image pays for a machine that is busy or asleep.
    """
    known, spec = b"", InputSpec()
    while (head := receive(link, REQUEST.size)) is not None:
        count, size = REQUEST.unpack(head)
        told = demand(link, size)
        if told != known:
            known, spec = told, InputSpec.from_dict(json.loads(told))
        lengths = struct.unpack(f"<{count}Q", demand(link, 8 * count))
        images = [demand(link, length) for length in lengths]
        for answers in gathered(images, spec, cpu_s):
            link.sendall(answers)


def gathered(images: list[bytes], spec: InputSpec, cpu_s: float) -> Iterator[bytes]:
    """Yield the answers, several at a time."""
    answers, since = bytearray(), time.monotonic()
    for data in images:
        signal.setitimer(signal.ITIMER_PROF, cpu_s)  # SIGPROF, which nobody catches
        found = prepared(data, spec)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers += packed(found)
        if len(answers) >= FLUSH_BYTES or time.monotonic() - since >= FLUSH_S:
            yield bytes(answers)
            answers, since = bytearray(), time.monotonic()
    yield bytes(answers)


def packed(found: Prepared | Unprepared) -> bytes:
    """Return one answer's bytes."""
    if isinstance(found, Prepared):
        return ANSWER.pack(PIXELS, found.prepare_s, len(found.pixels)) + found.pixels
    reason = json.dumps([found.reason, found.detail]).encode()
    return ANSWER.pack(REASON, 0.0, len(reason)) + reason


def receive(link: socket.socket, size: int) -> bytes | None:
    """Return so many bytes, None when the other end was closed before the first."""
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        count = link.recv_into(view[at:])
        if not count:
            return None
        at += count
    return bytes(data)


def demand(link: socket.socket, size: int) -> bytes:
    """Return so many bytes; there is nothing left to do without them."""
    data = receive(link, size)
    if data is None:
        sys.exit(0)
    return data


if __name__ == "__main__":
    main()
