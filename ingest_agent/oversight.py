"""How the agent gets on: what moves outside its loop, what has waited longest, and its figures."""

from broker.health import Work
from broker.line import Line
from ingest_agent.figures import AgentFigures
from ingest_agent.gathering import Gathering
from ingest_agent.jobs import Jobs
from ingest_agent.ledger import Ledger
from ingest_agent.outbox import Outbox
from ingest_agent.readers import Readers


class Oversight:
    """Tells the line's health what only the agent knows."""

    def __init__(
        self, line: Line, readers: Readers, gathering: Gathering, outbox: Outbox, figures: AgentFigures
    ) -> None:
        self._line = line
        self._readers = readers
        self._gathering = gathering
        self._outbox = outbox
        self._figures = figures
        line.health.in_work = self._in_work

    def note_waiting(self) -> None:
        """Note since when the oldest image in hand has waited: being read, or without its receipt."""
        reading = self._readers.oldest
        times = (None if reading is None else reading.began, self._outbox.waiting_since)
        self._line.health.waiting_since = min((at for at in times if at is not None), default=None)

    def note_figures(self, jobs: Jobs, ledger: Ledger) -> None:
        """Take in how things stand now."""
        self._figures.look(self._outbox.window, len(self._gathering), len(jobs), ledger.path)

    def _in_work(self) -> Work | None:
        """Return what has moved least lately outside the loop; for any thread."""
        found = [work for work in (self._readers.work(), self._outbox.work()) if work is not None]
        return min(found, key=lambda work: work.since, default=None)
