"""A known picture that travels the whole way now and then: "connected" is not "flowing"."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from broker.errors import MessageError, Unreachable
from broker.line import Line
from broker.messages import PixelBatch, Receipt
from broker.messages import now as wire_now
from broker.topics import canary_source
from ingest_agent.sealing import new_batch_id
from model.preprocessing import InputSpec

JOB = "canary"
MISSED_AFTER_S = 10.0
FIRST_AFTER_S = 2.0


def canary_pixels(height: int, width: int) -> NDArray[np.uint8]:
    """Draw a plain T-shirt, bright on black, (height, width) uint8: a body, two sleeves and a neck."""
    row, column = np.mgrid[0:height, 0:width]
    y, x = row / max(height - 1, 1), np.abs(column / max(width - 1, 1) - 0.5)
    body = (x < 0.24) & (y > 0.1) & (y < 0.95)
    sleeves = (x < 0.48) & (y > 0.1 + 0.35 * np.maximum(x - 0.2, 0)) & (y < 0.42)
    neck = x**2 + (y - 0.08) ** 2 < 0.012
    shade = 190 + 40 * np.cos(4 * np.pi * x)
    return np.where((body | sleeves) & ~neck, shade, 0).astype(np.uint8)


@dataclass
class _Flight:
    batch_id: str
    began: float
    missed: bool = False


class Canary:
    """One canary at a time, every `every_s`; it is never sent again. Times are monotonic seconds."""

    def __init__(self, line: Line, source: str, every_s: float) -> None:
        self._line = line
        self.source = canary_source(source)
        self.every_s = every_s
        """Seconds between two canaries, 0 for none."""
        self._next: float | None = None
        self._flight: _Flight | None = None
        self._last: dict[str, object] = {}

    @property
    def state(self) -> dict[str, object] | None:
        """What the status tells: `answered`, `latency_s`, `label`, `at`; None when no canary flies."""
        return dict(self._last) if self._last and self.every_s > 0 else None

    def may_fly(self, now: float) -> None:
        """Send the first canary soon, or the next one after a missed one at once: there is a model now.

        The first one waits a moment, for a line that starts all at once: its store may still be on the way.
        """
        if self._next is None:
            self._next = now + FIRST_AFTER_S
        elif self._flight is not None and self._flight.missed:
            self._next = now

    def reconnected(self, now: float) -> None:
        """Let go of a canary that was lost with the connection; the next one flies soon."""
        self._flight = None
        if self._next is not None:
            self._next = min(self._next, now)

    def step(self, spec: InputSpec | None, now: float) -> None:
        """Send the next canary when its time has come, and notice when one does not come back."""
        flight = self._flight
        if flight is not None and not flight.missed and now - flight.began >= MISSED_AFTER_S:
            flight.missed = True
            self._next = now  # the next one is the first to tell that things flow again
            self._last.update(answered=False)
            self._line.begin(
                "canary-missed", f"no answer to the canary {flight.batch_id} for {MISSED_AFTER_S:g} s"
            )
        is_due = self.every_s > 0 and self._next is not None and now >= self._next
        if spec is not None and is_due and self._line.connected and (flight is None or flight.missed):
            self._send(spec, now)

    def _send(self, spec: InputSpec, now: float) -> None:
        batch_id = new_batch_id()
        message = PixelBatch(
            batch_id=batch_id,
            source=self.source,
            job_id=JOB,
            images=(f"canary@{wire_now()}",),
            shape=(1, spec.height, spec.width),
            pixels=canary_pixels(spec.height, spec.width).tobytes(),
        )
        try:
            self._line.publish(self._line.topics.pixels(self.source), message)
        except (Unreachable, MessageError):
            return
        self._flight, self._next = _Flight(batch_id, now), now + self.every_s

    def returned(self, receipt: Receipt, now: float) -> None:
        """Take in a canary's receipt; one of an earlier flight says that things flow, and no latency."""
        flight = self._flight
        if flight is None or receipt.batch_id != flight.batch_id:
            return
        self._flight = None
        latency_s = round(now - flight.began, 4)
        label = receipt.stored[0].label if receipt.stored else ""
        self._last = {"answered": True, "latency_s": latency_s, "label": label, "at": receipt.stored_at}
        self._line.end("canary-missed", f"the canary is back: {label} within {latency_s:g} s")
