"""The batches that are out and unanswered: how many may be, which must go again, which answers are news.

Pure: the time comes as an argument. Payloads stay in the ledger; here is only what timing needs.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingest_agent.resend import RoundTrip

# Packets that are not batches (events, status, progress) want a place among the unacknowledged as well.
OTHER_PACKETS = 4


@dataclass(slots=True)
class Outstanding:
    """One unanswered batch. `due` is when it must be sent (again); times are monotonic seconds."""

    batch_id: str
    images: int
    first_sent: float | None = None
    last_sent: float | None = None
    sends: int = 0
    timeouts: int = 0
    due: float = 0.0
    has_receipt: bool = False


class Window:
    """At most `size` unanswered batches, and the clockwork that sends them again."""

    def __init__(self, size: int, round_trip: RoundTrip, restored: Iterable[tuple[str, int]] = ()) -> None:
        self.size = size
        self.round_trip = round_trip
        self._out = {batch_id: Outstanding(batch_id, images) for batch_id, images in restored}
        self.resent = 0

    def __len__(self) -> int:
        return len(self._out)

    def __contains__(self, batch_id: str) -> bool:
        return batch_id in self._out

    @property
    def images(self) -> int:
        """How many images are in the unanswered batches."""
        return sum(out.images for out in self._out.values())

    def sends(self, batch_id: str) -> int:
        """Return how often a batch went out."""
        return self._out[batch_id].sends if batch_id in self._out else 0

    def room(self, receive_maximum: int) -> int:
        """Return how many more batches may go out, given how many unacknowledged packets the broker takes."""
        return max(1, min(self.size, receive_maximum - OTHER_PACKETS)) - len(self._out)

    def add(self, batch_id: str, images: int) -> None:
        """Take in a batch that is in the ledger and has to be sent."""
        self._out[batch_id] = Outstanding(batch_id, images)

    def due(self, now: float) -> list[str]:
        """Return the batches that have to be sent now, the oldest first."""
        return [out.batch_id for out in self._out.values() if out.due <= now and not out.has_receipt]

    def next_due(self) -> float | None:
        """Return when the next batch has to be sent again, None when none is out."""
        return min((out.due for out in self._out.values() if not out.has_receipt), default=None)

    def sent(self, batch_id: str, now: float) -> None:
        """Note that a batch was handed to the broker."""
        out = self._out[batch_id]
        out.sends += 1
        if out.sends > 1:
            self.resent += 1
            out.timeouts += 1
            self.round_trip.timed_out(out.timeouts)
        out.first_sent = now if out.first_sent is None else out.first_sent
        out.last_sent = now
        out.due = now + self.round_trip.timeout_s(out.timeouts)

    def later(self, batch_id: str, due: float) -> None:
        """Put off a batch that could not be sent."""
        self._out[batch_id].due = due

    def receipt_came(self, batch_id: str, now: float) -> float | None:
        """Send a batch no more, for its receipt is here; return its round trip, if it was sent only once."""
        out = self._out.get(batch_id)
        if out is None or out.has_receipt:
            return None
        out.has_receipt = True
        if out.sends != 1 or out.last_sent is None:
            return None
        self.round_trip.measured(now - out.last_sent)
        return now - out.last_sent

    def partly_answered(self, batch_id: str, now: float) -> None:
        """Have a batch sent again after a while, for its receipt did not name all its images."""
        out = self._out[batch_id]
        out.has_receipt = False
        out.due = now + self.round_trip.timeout_s(out.timeouts)

    def remove(self, batch_id: str) -> None:
        """Take out a batch that is answered, or was replaced by others."""
        self._out.pop(batch_id, None)

    def reconnected(self, now: float) -> None:
        """Have everything unanswered go again once, for the connection is new; the doubling starts anew."""
        for out in self._out.values():
            out.due, out.timeouts = now, -1 if out.sends else 0
        self.round_trip.fresh_start()

    def revived(self, now: float, at_least_s: float) -> None:
        """Have what has waited for `at_least_s` go again, for somebody who answers is there again."""
        for out in self._waiting():
            out.due = min(out.due, max(now, (out.last_sent or now) + at_least_s))
            out.timeouts = -1
        self.round_trip.fresh_start()

    def _waiting(self) -> Iterator[Outstanding]:
        return (out for out in self._out.values() if out.sends)
