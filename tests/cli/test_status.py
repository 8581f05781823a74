"""What `status` hears of a broker; the command itself is tested in front of a running line."""

import time
from collections.abc import Iterator
from typing import Any

from broker.messages import Status
from cli import status

SINCE = "2026-11-28T12:00:00.000000+00:00"


def said(service: str) -> tuple[str, Any]:
    """Return a retained message."""
    return f"status/{service}", Status(
        service=service,
        instance="1",
        state="online",
        pid=1,
        host="here",
        since=SINCE,
        version="1",
    )


class Slow:
    """A reader to whom messages come in parts, each after some seconds; at first only a notice comes."""

    def __init__(self, *parts: tuple[float, list[tuple[str, Any]]]) -> None:
        self._parts = iter(((0.0, []), *parts))
        self._after_s, self._part = next(self._parts)

    def hear(self, timeout_s: float) -> Iterator[tuple[str, Any]]:
        """Wait, at most so long, and yield what came."""
        time.sleep(min(timeout_s, self._after_s))
        if timeout_s < self._after_s:
            self._after_s -= timeout_s
            return
        yield from self._part
        self._after_s, self._part = next(self._parts, (60.0, []))


def test_notice_and_a_gap_do_not_end_the_listening_while_a_service_is_missing() -> None:
    """A busy broker hands on what it kept in parts: the services that come late are not told to be dead."""
    parts = (
        (0.0, [said("store")]),
        (2 * status.QUIET_S, [said("predictor_service"), said("ingest_agent")]),
    )
    services = status._services(status._retained(Slow(*parts)))
    assert ["ingest_agent", "predictor_service", "store"] == [one["service"] for one in services]


def test_nobody_waits_longer_than_needed_once_all_are_there() -> None:
    """What comes after a short silence is not waited for."""
    all_of_them = [said(name) for name in ("store", "predictor_service", "ingest_agent")]
    late_s = (status.QUIET_S + status.MISSING_S) / 2
    services = status._services(status._retained(Slow((0.0, all_of_them), (late_s, [said("dashboard")]))))
    assert ["ingest_agent", "predictor_service", "store"] == [one["service"] for one in services]


def test_silence_ends_the_listening_though_a_service_is_missing() -> None:
    """Then it is not there."""
    services = status._services(status._retained(Slow((0.0, [said("store")]))))
    assert ["store"] == [one["service"] for one in services]
