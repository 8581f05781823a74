"""Jobs come to their end: quiet and complete, then `results.csv`, then the closing and its receipt."""

from broker.settings import IngestAgent
from ingest_agent.gathering import Gathering
from ingest_agent.grouping import Sealed
from ingest_agent.intake import Intake
from ingest_agent.job import Job
from ingest_agent.jobs import Jobs
from ingest_agent.outbox import Outbox
from ingest_agent.results_desk import ResultsDesk
from ingest_agent.sealing import seal_closing

LOOK_S = 0.1


class Finishing:
    """Looks for jobs that are done, a few times a second."""

    def __init__(
        self,
        own: IngestAgent,
        jobs: Jobs,
        intake: Intake,
        gathering: Gathering,
        outbox: Outbox,
        results: ResultsDesk,
    ) -> None:
        self.own = own
        """The settings in force."""
        self._jobs = jobs
        self._intake = intake
        self._gathering = gathering
        self._outbox = outbox
        self._results = results
        self._asked: dict[bytes, tuple[Job, int]] = {}
        self._next_look = 0.0

    def step(self, now: float) -> None:
        """Ask for the results of jobs that are done, and close those whose results were written."""
        if now >= self._next_look:
            self._next_look = now + LOOK_S
            for job in self._jobs:
                if job.folder not in self._asked and self._is_done(job, now):
                    self._asked[job.folder] = (job, job.seen)
                    self._results.ask(job.folder, now)
        for folder in self._results.step(now):
            asked = self._asked.pop(folder, None)
            if asked is None:
                continue
            job, seen = asked
            if job.seen == seen and not self._gathering.holds_refused(folder):  # else it is asked again
                self._close(job)

    def _close(self, job: Job) -> None:
        self._jobs.closing(job)
        self._outbox.seal(Sealed(seal_closing(self.own.source, job), job))

    def _is_done(self, job: Job, now: float) -> bool:
        return (
            job.state == "open"
            and job.is_complete
            and now >= job.quiet_at(self.own.quiet_s)
            and self._intake.is_calm(job.folder, now)
            and not self._gathering.holds_refused(job.folder)
        )
