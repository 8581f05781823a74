"""A child process that decodes, seen from the agent: started once, used again, replaced when it dies.

A death is an image's fault only when it was the only one there: after the first death, images go one at a
time, and one during which the process dies twice in a row has crashed it; once may be anybody's kill. A
process that cannot even begin is the world's trouble, and no image's.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from broker.backoff import Backoff
from broker.settings import DECODE_PATIENCE
from broker.settings_reader import PROJECT
from ingest_agent.decoder_process import ANSWER, PIXELS, READY, REASON, REQUEST
from ingest_agent.preparing import MAX_DETAIL_CHARS, CannotPrepare, Prepared, Unprepared
from model.preprocessing import InputSpec

START_S = 30.0
GRACE_S = 1.0
DEATHS = 2
"""In a row, while an image was alone: then it is the image's fault."""
RECEIVE_BYTES = 1 << 18
COMMAND = (sys.executable, "-m", "ingest_agent.decoder_process")
_REASON = re.compile(r"[a-z][a-z-]{0,39}")


class _Died(Exception):  # noqa: N818 - what happened
    """The process ended, or was ended, before all answers were there; `too_slow` when one took too long."""

    def __init__(self, how: str, *, too_slow: bool = False) -> None:
        super().__init__(how)
        self.too_slow = too_slow


@dataclass(frozen=True)
class Bounds:
    """What a decoder is given: seconds of the processor's time an image, and megabytes in all."""

    cpu_s: float
    memory_mb: int


class _Process:
    """One life of the process: alive from construction to `end`."""

    def __init__(self, bounds: Bounds) -> None:
        """Start it. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                    [*COMMAND, str(theirs.fileno()), str(bounds.cpu_s), str(bounds.memory_mb)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=[theirs.fileno()],
                    cwd=PROJECT,
                    env=_environment(),
                )
            except BaseException:
                ours.close()
                raise
        self._link = ours
        self._patience_s = DECODE_PATIENCE * bounds.cpu_s
        self._cpu_s = bounds.cpu_s
        self._buffer = b""

    def until_ready(self) -> None:
        """Wait until it can work. Raises CannotPrepare, with its last words."""
        self._link.settimeout(START_S)
        try:
            is_ready = self._link.recv(len(READY)) == READY
        except OSError:
            is_ready = False
        stderr = self._process.stderr
        assert stderr is not None  # noqa: S101 - for the type checker: it is a pipe
        if is_ready:
            stderr.close()
            return
        self.end(GRACE_S)
        said = stderr.read().decode(errors="replace").strip().splitlines()
        stderr.close()
        why = said[-1][:200] if said else self._how_it_ended()
        raise CannotPrepare(f"The decoder does not start: {why}.".replace("..", "."))

    def ask(self, images: Sequence[bytes], spec: InputSpec) -> Iterator[Prepared | Unprepared]:
        """Yield the answers, in order. Raises _Died."""
        told = json.dumps(spec.to_dict()).encode()
        lengths = b"".join(len(data).to_bytes(8, "little") for data in images)
        self._link.settimeout(self._patience_s)
        try:
            self._link.sendall(b"".join([REQUEST.pack(len(images), len(told)), told, lengths, *images]))
            for _ in images:
                yield self._answer(spec)
        except TimeoutError as error:
            self.end()
            raise _Died(f"gave no answer for {self._patience_s:g} s") from error
        except ValueError as error:
            self.end()
            raise _Died("answered nonsense") from error
        except (OSError, EOFError) as error:
            self.end(GRACE_S)
            slow = self._process.returncode == -signal.SIGPROF
            how = f"took more than {self._cpu_s:g} s" if slow else self._how_it_ended()
            raise _Died(how, too_slow=slow) from error

    def _answer(self, spec: InputSpec) -> Prepared | Unprepared:
        """Take one answer in and believe nothing: the process may have fallen into a stranger's hands.

        Raises OSError, EOFError and ValueError.
        """
        kind, prepare_s, length = ANSWER.unpack(self._take(ANSWER.size))
        if kind == PIXELS and length == spec.height * spec.width and 0 <= prepare_s < 1e6:
            return Prepared(self._take(length), prepare_s)
        if kind != REASON or length > 8 * MAX_DETAIL_CHARS:
            raise ValueError("no answer")
        reason, detail = json.loads(self._take(length))
        if not (isinstance(reason, str) and isinstance(detail, str) and _REASON.fullmatch(reason)):
            raise ValueError("no reason")
        return Unprepared(reason, "".join(filter(str.isprintable, detail))[:MAX_DETAIL_CHARS])

    def _take(self, size: int) -> bytes:
        parts, there = [self._buffer], len(self._buffer)
        while there < size:
            part = self._link.recv(RECEIVE_BYTES)
            if not part:
                raise EOFError
            parts.append(part)
            there += len(part)
        data = b"".join(parts) if len(parts) > 1 else self._buffer
        self._buffer = data[size:]
        return data[:size]

    def _how_it_ended(self) -> str:
        code = self._process.returncode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"was ended by {signal.Signals(-code).name}"
        return f"ended with code {code}"

    def end(self, grace_s: float = 0.0) -> None:
        """End it and wait for that. The socket of a dead one closes a moment before its cause can be read."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        self.interrupt()
        self._process.wait()
        self._link.close()

    def interrupt(self) -> None:
        """End it under the hands of whoever waits for its answers."""
        self._process.kill()


def _environment() -> dict[str, str]:
    """Return what the process has to know; whatever else the agent knows is none of its business."""
    libraries = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {
        **libraries,
        "PYTHONPATH": str(PROJECT),
        "PYTHONSAFEPATH": "1",
        "OPENCV_FOR_THREADS_NUM": "1",
        "PATH": os.defpath,
    }


class Decoder:
    """Makes pixels in a process of its own. One thread at a time uses it; another may call `interrupt`."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._process: _Process | None = None
        self._lock = threading.Lock()
        self._stopped = False
        self._backoff = Backoff(1.0, 30.0)
        self._next_start = 0.0
        self._why_not = ""

    def start(self) -> None:
        """Have a process, ready unless it has died or was interrupted since.

        Raises CannotPrepare, also for a while after it could not be started.
        """
        if self._process is not None:
            return  # whoever asks an interrupted one hears that it is dead, and waits for its end
        if time.monotonic() < self._next_start:
            raise CannotPrepare(self._why_not)
        try:
            self._begun().until_ready()
        except OSError as error:
            raise self._put_off(f"The decoder does not start: {error.strerror or error}.") from error
        except CannotPrepare as error:
            raise self._put_off(str(error)) from error
        self._backoff.reset()

    def _begun(self) -> _Process:
        with self._lock:
            if self._stopped:
                raise CannotPrepare("The agent stops.")
            self._process = _Process(self._bounds)
            return self._process

    def _put_off(self, why_not: str) -> CannotPrepare:
        self._process = None
        self._next_start = time.monotonic() + self._backoff.next_s()
        self._why_not = why_not
        return CannotPrepare(why_not)

    def prepare(
        self, images: Sequence[bytes], spec: InputSpec, moved: Callable[[], None]
    ) -> list[Prepared | Unprepared]:
        """Return what becomes of each image, in order; `moved` is called at each. Raises CannotPrepare."""
        answers: list[Prepared | Unprepared] = []
        alone, died_with_it = False, 0
        while len(answers) < len(images):
            self.start()
            before = len(answers)
            end = before + 1 if alone else len(images)
            try:
                assert self._process is not None  # noqa: S101 - for the type checker: it was started
                # One by one: those that came before a death stay.
                for answer in self._process.ask(images[before:end], spec):
                    answers.append(answer)
                    died_with_it = 0
                    moved()
            except _Died as death:
                moved()
                self._process = None
                alone, died_with_it = True, died_with_it + (end == before + 1)
                if died_with_it == DEATHS or (death.too_slow and end == before + 1):
                    answers.append(_blamed(death))
                    alone, died_with_it = False, 0
        return answers

    def interrupt(self) -> None:
        """Have whoever waits for answers get CannotPrepare, now and ever after; any thread may call this."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.interrupt()

    def close(self) -> None:
        """End the process, once no thread waits for it."""
        if self._process is not None:
            self._process.end()
            self._process = None


def _blamed(death: _Died) -> Unprepared:
    if death.too_slow:
        return Unprepared("takes-too-long", f"Decoding this picture {death} of the processor's time.")
    return Unprepared("crashes-decoder", f"Decoding this picture crashes the image library: it {death}.")
