"""The threads that read, and who makes pixels for them."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from ingest_agent.preparing import InThisProcess, Prepared, Unprepared
from ingest_agent.readers import Readers, ToRead
from model.preprocessing import InputSpec
from tests.ingest_agent.workbench import picture
from tests.waiting import until


class Starting(InThisProcess):
    """Makes pixels once it may; notes when it is asked before."""

    def __init__(self) -> None:
        self.may, self.asked_early = threading.Event(), False

    def start(self) -> None:
        """Take its time."""
        assert self.may.wait(60)

    def prepare(
        self, images: Sequence[bytes], spec: InputSpec, moved: Callable[[], None]
    ) -> list[Prepared | Unprepared]:
        """Do as asked."""
        self.asked_early |= not self.may.is_set()
        return super().prepare(images, spec, moved)


def test_preparer_that_still_starts_is_asked_for_nothing(tmp_path: Path) -> None:
    """The one that is ready makes all the pixels: nobody is used by two threads."""
    (tmp_path / "a.png").write_bytes(picture())
    slow = Starting()
    readers = Readers(os.fsencode(tmp_path), [InThisProcess(), slow], lambda: None)
    readers.start()
    for _ in range(4):
        readers.read([ToRead(b"a.png", 1)], InputSpec(), inodes=True, now=0.0)
    done: list[object] = []

    def all_done() -> bool:
        done.extend(readers.done())
        return len(done) == 4

    try:
        until(all_done)
        assert not slow.asked_early
    finally:
        slow.may.set()
        readers.stop()
