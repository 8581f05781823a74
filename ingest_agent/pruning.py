"""Letting go of images whose files are gone, a little at a time, and never because the inbox is gone."""

import os
import time

from broker.places import relative_path
from ingest_agent.inbox import Inbox
from ingest_agent.ledger import Ledger

ROWS = 500
# A look that took one millisecond rests for fifty: two percent of the time at most.
SHARE = 50
REST_S = 60.0
RETRY_S = 5.0
JOBS_KEPT = 10_000


class Pruner:
    """Passes through the ledger's answered images, from folder to folder."""

    def __init__(self, ledger: Ledger, inbox: Inbox) -> None:
        self._ledger = ledger
        self._inbox = inbox
        self._after: tuple[int, bytes] = (0, b"")
        self._next = 0.0

    def step(self, identity: str, now: float) -> None:
        """Look after up to 500 images when it is time. `identity` is the inbox's, as it is watched now."""
        if now < self._next:
            return
        self._next = now + RETRY_S  # for when the ledger is in trouble
        began = time.perf_counter()
        rows = self._ledger.answered_from(identity, self._after, ROWS)
        gone = [(number, name) for number, folder, name in rows if self._is_gone(folder, name)]
        root = self._inbox.root()
        if gone and root is not None and root.identity == identity:
            self._ledger.forget_images(gone)
        rest_s = SHARE * (time.perf_counter() - began)
        if len(rows) == ROWS:
            self._after = rows[-1][0], rows[-1][2]
        else:
            self._after = (0, b"")
            self._ledger.tidy(JOBS_KEPT)
            rest_s = max(rest_s, REST_S)
        self._next = now + rest_s

    def _is_gone(self, folder: bytes, name: bytes) -> bool:
        try:
            os.lstat(self._inbox.absolute(relative_path(folder, name)))
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return False
