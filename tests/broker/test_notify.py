"""What systemd is told, on a real datagram socket."""

import contextlib
import os
import socket
from pathlib import Path

import pytest

from broker.notify import Notifier
from tests.broker.listening import Listening


def test_words_are_lines_of_one_datagram(tmp_path: Path) -> None:
    """As sd_notify(3) wants them; a text never begins a line of its own."""
    with Listening(tmp_path) as systemd:
        assert Notifier(systemd.address).tell(READY=1, STATUS="ready\nWATCHDOG=1  now")
        assert [("READY", "1"), ("STATUS", "ready WATCHDOG=1 now")] == systemd.hear()


def test_abstract_socket_is_told_too(tmp_path: Path) -> None:
    """Its name begins with @ in the variable and with NUL on the wire."""
    abstract = Listening(tmp_path)
    abstract.address = f"@tailorbird-test-{os.getpid()}"
    with abstract:
        assert Notifier.of({"NOTIFY_SOCKET": abstract.address}).tell(STOPPING=1)
        assert ["STOPPING"] == abstract.names()


def test_nobody_to_tell_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    """Outside systemd every word is passed over in silence."""
    assert not Notifier.of({}).tell(READY=1)
    assert [] == caplog.records


def test_systemd_that_cannot_be_told_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However often it is tried."""
    notifier = Notifier(str(tmp_path / "nobody"))
    assert [False, False] == [notifier.tell(WATCHDOG=1), notifier.tell(WATCHDOG=1)]
    assert ["systemd-not-told"] == [record.message for record in caplog.records]


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
    ],
)
def test_watchdog_is_fed_where_it_watches_this_process(
    environ: dict[str, str], watchdog_s: float | None
) -> None:
    """Another process's variables, inherited, mean nothing; nor does what is no number."""
    assert watchdog_s == Notifier.of(environ).watchdog_s


def test_reloading_tells_its_moment(tmp_path: Path) -> None:
    """MONOTONIC_USEC is the kernel's clock, as Type=notify-reload wants it."""
    with Listening(tmp_path) as systemd:
        Notifier(systemd.address).reloading()
        names, values = zip(*systemd.hear(), strict=True)
    assert ("RELOADING", "MONOTONIC_USEC") == names
    assert values[1].isdigit()


def test_full_socket_does_not_hold_a_service_up(tmp_path: Path) -> None:
    """Where nobody reads, a word is given up after a moment."""
    with Listening(tmp_path) as systemd, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as flood:
        flood.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            for _ in range(100_000):
                flood.sendto(b"STATUS=x", systemd.address)
        assert not Notifier(systemd.address).tell(STATUS="late")
