"""Who writes `results.csv` when: in a thread of its own, again after trouble, and never all the time."""

import contextlib
import errno
import sqlite3
import time
from concurrent.futures import Future, ThreadPoolExecutor

from broker.line import Line
from broker.names import text_of
from ingest_agent.inbox import Inbox
from ingest_agent.ledger import Ledger, LedgerTrouble
from ingest_agent.results_csv import write_results

RETRY_MIN_S = 0.5
RETRY_MAX_S = 30.0
# After a writing that took one second the same folder rests for this many.
SHARE = 20


class ResultsDesk:
    """The folders whose `results.csv` is due, by the time from which it may be written."""

    def __init__(self, line: Line, ledger: Ledger, inbox: Inbox) -> None:
        self._line = line
        self._ledger = ledger
        self._inbox = inbox
        self._due: dict[bytes, float] = {}
        self._failing: dict[bytes, float] = {}
        self._resting: dict[bytes, float] = {}
        self._writing: tuple[bytes, Future[float]] | None = None
        self._tried: list[bytes] = []
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="results")

    def restore(self) -> None:
        """Take in what could not be written before the last end."""
        self._due.update(dict.fromkeys(self._ledger.results_due(), 0.0))
        self._failing.update(dict.fromkeys(self._due, RETRY_MIN_S))

    def ask(self, folder: bytes, now: float) -> None:
        """Have a folder's file written: soon, or after its rest."""
        self._due[folder] = max(self._due.get(folder, now), self._resting.get(folder, now))

    def step(self, now: float) -> list[bytes]:
        """Begin with the next file that is due; return the folders that were tried since the last call."""
        if self._writing is not None and self._writing[1].done():
            (folder, future), self._writing = self._writing, None
            self._finish(folder, future, now)
        folder_due = next((folder for folder, at in self._due.items() if at <= now), None)
        if self._writing is None and folder_due is not None:
            del self._due[folder_due]
            self._writing = (folder_due, self._start(folder_due))
        tried, self._tried = self._tried, []
        return tried

    def _start(self, folder: bytes) -> "Future[float]":
        future = self._pool.submit(_timed, self._ledger, folder, self._inbox.path)
        future.add_done_callback(lambda _: self._line.wake())
        return future

    def _finish(self, folder: bytes, future: "Future[float]", now: float) -> None:
        self._tried.append(folder)
        try:
            self._resting[folder] = now + SHARE * future.result()
        except (OSError, sqlite3.Error) as error:
            if not self._is_gone(error):
                self._failed(folder, error, now)
                return
        if len(self._resting) > 1000:
            self._resting = {path: until for path, until in self._resting.items() if until > now}
        if self._failing.pop(folder, None) is not None:
            self._remember(folder, due=False)
            if not self._failing:
                self._line.end("results-not-written", f"{_text(folder)}: results.csv is written")

    def _is_gone(self, error: Exception) -> bool:
        """Tell whether the folder was taken away (nobody would read its file), and not the whole inbox."""
        missing = isinstance(error, OSError) and error.errno in {errno.ENOENT, errno.ENOTDIR}
        return missing and self._inbox.key() is not None

    def _failed(self, folder: bytes, error: Exception, now: float) -> None:
        self._line.begin("results-not-written", f"{_text(folder)}: {error}")
        retry_s = self._failing.get(folder)
        if retry_s is None:
            self._remember(folder, due=True)
            retry_s = RETRY_MIN_S
        self._due[folder] = now + retry_s
        self._failing[folder] = min(RETRY_MAX_S, 2 * retry_s)

    def _remember(self, folder: bytes, *, due: bool) -> None:
        with contextlib.suppress(LedgerTrouble):
            self._ledger.set_results_due(folder, due=due)

    def stop(self) -> None:
        """End the thread; a file in the making is not left behind."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _timed(ledger: Ledger, folder: bytes, inbox: bytes) -> float:
    began = time.monotonic()
    write_results(ledger.path, folder, inbox)
    return time.monotonic() - began


def _text(folder: bytes) -> str:
    return text_of(folder) or "the inbox"
