"""The jobs that are not closed: one open job a folder at most, beside those that are closing."""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from broker.messages import now as wire_now
from ingest_agent.job import Job, new_job_id
from ingest_agent.ledger import Ledger
from ingest_agent.ledger_records import StoredJob


class Jobs:
    """Open and closing jobs by folder and by number."""

    def __init__(self, source: str, ledger: Ledger) -> None:
        self._source = source
        self._ledger = ledger
        self._open: dict[bytes, Job] = {}
        self._by_number: dict[int, Job] = {}
        self.changed: set[int] = set()
        self.root = ""
        """The identity of the inbox that new jobs are from."""

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._by_number.values()))

    def __len__(self) -> int:
        return len(self._by_number)

    def restore(self, stored: Iterable[StoredJob], now: float) -> None:
        """Take in the ledger's jobs; when they began is only known by the wall clock."""
        for row in stored:
            opened = now - _age_s(row.opened_at)
            job = Job(
                number=row.number,
                job_id=row.job_id,
                folder_number=row.folder,
                folder=row.path,
                opened_at=row.opened_at,
                opened=opened,
                latest_seen=now,
                latest_answer=opened + row.process_s,
                state="open" if row.state == "open" else "closing",
                seen=row.seen,
                sent=row.sent,
                stored=row.stored,
                failed=row.failed,
                read_s=row.read_s,
                prepare_s=row.prepare_s,
                wait_s=row.wait_s,
                registered=True,
                revisit=True,
            )
            self._by_number[job.number] = job
            if job.state == "open":
                self._open[job.folder] = job

    def by_number(self, number: int) -> Job:
        """Return a job that is not closed."""
        return self._by_number[number]

    def open_in(self, folder: bytes) -> Job | None:
        """Return a folder's open job."""
        return self._open.get(folder)

    def folders(self) -> set[bytes]:
        """Return the folders that have an open job."""
        return set(self._open)

    def open_for(self, folder: bytes, began: float) -> tuple[Job, bool]:
        """Return a folder's open job, a new one where there is none; whether it is new."""
        job = self._open.get(folder)
        if job is not None:
            return job, False
        at = datetime.now(UTC)
        job = Job(
            number=self._ledger.new_job_number(),
            job_id=new_job_id(self._source, at),
            folder_number=self._ledger.folder_number(folder),
            folder=folder,
            opened_at=wire_now(),
            opened=began,
            latest_seen=began,
            latest_answer=began,
            root=self.root,
        )
        self._open[folder] = self._by_number[job.number] = job
        return job, True

    def closing(self, job: Job) -> None:
        """Note that a job takes no more images."""
        job.state = "closing"
        self._open.pop(job.folder, None)
        self.changed.discard(job.number)

    def closed(self, job: Job) -> None:
        """Note that a job is over."""
        job.state = "closed"
        self._by_number.pop(job.number, None)
        self.changed.discard(job.number)

    def take_changed(self, limit: int) -> list[Job]:
        """Take out up to `limit` jobs whose counts changed since they were last taken out.

        A job that the ledger does not have yet stays in: nobody may hear of a job that a crash could undo.
        """
        changed = (self._by_number.get(number) for number in self.changed)
        taken = list(islice((job for job in changed if job is not None and job.registered), limit))
        self.changed.difference_update(job.number for job in taken)
        return taken


def _age_s(at: str) -> float:
    try:
        return max(0.0, time.time() - datetime.fromisoformat(at).timestamp())
    except ValueError:
        return 0.0
