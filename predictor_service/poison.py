"""Which batches have failed here before, remembered beyond the death of the process.

A batch that raises is put aside at its second failure. A batch that was being predicted when the process died
is one of several possible reasons for the death (others: the administrator, the machine's memory), so it is
predicted alone from then on, and put aside at its third death.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

ERRORS_ALLOWED = 1
DEATHS_ALLOWED = 2
KEPT_S = 24 * 3600.0
NOTE_BYTES = 65_536
NOT_OPEN = -1


class PoisonNotes:
    """The notes of one predictor, shared with the others of the same machine; a context manager.

    `folder/failed/<batch_id>` holds one letter per failure, `e` for an error and `d` for a death;
    `folder/<instance>.busy` names what is being predicted. Nothing is synced to the disk: the notes are to
    survive a process, not the machine. A disk that takes no notes stops nothing: `trouble` says why, and what
    this process has seen itself still counts.
    """

    def __init__(self, folder: Path, instance: str) -> None:
        self._failed = folder / "failed"
        self._busy = folder / f"{instance}.busy"
        self._file = NOT_OPEN
        self._own: dict[str, str] = {}
        self.trouble: str | None = None

    def __enter__(self) -> Self:
        """Read what an earlier process of this instance died of, and forget what is older than a day."""
        with self._noting():
            self._open()
        return self

    def _open(self) -> None:
        self._failed.mkdir(parents=True, exist_ok=True)
        self._forget_old()
        self._file = os.open(self._busy, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for batch_id in _ids(os.pread(self._file, NOTE_BYTES, 0)):
            self._note(batch_id, "d")
        os.ftruncate(self._file, 0)

    def __exit__(self, *_: object) -> None:
        """Close the note; a clean end leaves it empty."""
        self.done()
        if self._file != NOT_OPEN:
            os.close(self._file)

    def begin(self, batch_ids: Sequence[str]) -> None:
        """Note what is being predicted now; costs a few microseconds."""
        with self._noting():
            if self._file == NOT_OPEN:
                self._open()
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(list(batch_ids)).encode(), 0)

    def done(self) -> None:
        """Note that nothing is being predicted."""
        if self._file == NOT_OPEN:
            return
        try:
            os.ftruncate(self._file, 0)
        except OSError as error:
            self._complain(error)

    def failed(self, batch_id: str) -> None:
        """Note that predicting this batch raised an error."""
        self._note(batch_id, "e")

    def suspicious(self, batch_id: str) -> bool:
        """Tell whether the batch has failed at all: it is then predicted alone."""
        return bool(self._marks(batch_id))

    def poisonous(self, batch_id: str) -> bool:
        """Tell whether the batch has failed too often to be tried again."""
        marks = self._marks(batch_id)
        return marks.count("e") > ERRORS_ALLOWED or marks.count("d") > DEATHS_ALLOWED

    def forgive(self, batch_id: str) -> None:
        """Forget the failures of a batch that was predicted after all, or put aside."""
        self._own.pop(batch_id, None)
        with self._noting():
            (self._failed / batch_id).unlink(missing_ok=True)

    def _marks(self, batch_id: str) -> str:
        try:
            noted = (self._failed / batch_id).read_text()
        except OSError:  # none, or none that can be read
            noted = ""
        return max(noted, self._own.get(batch_id, ""), key=len)

    def _note(self, batch_id: str, mark: str) -> None:
        marks = self._own[batch_id] = self._marks(batch_id) + mark
        # A full disk must not cost the marks that are there: the note is replaced by one that is whole.
        whole = self._failed / f".{self._busy.stem}"
        with self._noting():
            whole.write_text(marks)
            whole.replace(self._failed / batch_id)

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        """Remember why the disk takes no note, or that it does."""
        try:
            yield
        except OSError as error:
            self._complain(error)
        else:
            self.trouble = None

    def _complain(self, error: OSError) -> None:
        self.trouble = f"{self._busy.parent}: {error.strerror or error}"

    def _forget_old(self) -> None:
        for path in self._failed.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another predictor shares the folder
                if time.time() - path.stat().st_mtime > KEPT_S:
                    path.unlink()


def _ids(note: bytes) -> list[str]:
    try:
        found = json.loads(note) if note else []
    except ValueError:  # the process died while it wrote the note
        return []
    return [name for name in found if isinstance(name, str) and "/" not in name]
