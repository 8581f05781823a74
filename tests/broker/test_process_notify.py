"""A service as systemd sees it: a process of its own, and a real datagram socket as NOTIFY_SOCKET."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.broker.listening import Listening
from tests.running_mosquitto import RunningMosquitto
from tests.waiting import free_port, until

PROJECT = Path(__file__).resolve().parents[2]
WATCHDOG_S = 2.0
SILENT_TIMES = 4
SERVICE = """
import sys, time
from pathlib import Path
from broker.process import service_main

def run(settings, line):
    line.serves("serving")
    while not line.stopping:
        line.receive(limit=10, timeout_s=0.2)
        if Path("hang").exists():
            time.sleep(3600)

sys.exit(service_main("store", lambda settings, topics: [topics.predictions()], run, "notified"))
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, systemd: Listening) -> Iterator[Start]:
    """`start(broker_port)`: a service in a process of its own, in this test's folder."""
    made: list[subprocess.Popen[str]] = []

    def begin(port: int, config: str = "") -> "subprocess.Popen[str]":
        (tmp_path / "service.py").write_text(SERVICE)
        (tmp_path / "c.toml").write_text(f"{config}\n[metrics]\nstore_port = 0\n")
        environ = {
            **os.environ,
            "PYTHONPATH": str(PROJECT),
            "TAILORBIRD__PATHS__STATE": str(tmp_path),
            "TAILORBIRD__BROKER__PORT": str(port),
            "NOTIFY_SOCKET": systemd.address,
            "WATCHDOG_USEC": str(round(WATCHDOG_S * 1e6)),
        }
        command = [sys.executable, "service.py", "--config", "c.toml"]
        made.append(subprocess.Popen(command, env=environ, cwd=tmp_path, stderr=subprocess.PIPE, text=True))
        return made[-1]

    yield begin
    for process in made:
        process.kill()
        process.communicate()


@pytest.fixture
def port(own_mosquitto: RunningMosquitto, tmp_path: Path) -> int:
    """A broker's port; its passwords lie in the state that the service reads."""
    credentials = own_mosquitto.settings.broker.credentials
    (tmp_path / "credentials").symlink_to(credentials)
    return own_mosquitto.settings.broker.port


def test_service_is_ready_fed_and_stopping(start: Start, systemd: Listening, port: int) -> None:
    """READY once the broker has accepted it, WATCHDOG again and again while it idles, STOPPING at its end."""
    process = start(port)
    until(lambda: "READY" in systemd.names())
    assert "serving" in systemd.statuses()
    for _ in range(3):
        systemd.is_fed()
        until(systemd.is_fed)
    process.send_signal(signal.SIGTERM)
    assert 0 == process.wait(60)
    assert "STOPPING" in systemd.names()


def test_service_that_hangs_feeds_no_more(
    start: Start, systemd: Listening, port: int, tmp_path: Path
) -> None:
    """Fed before, and then silent for several times what systemd would wait."""
    start(port)
    until(lambda: "READY" in systemd.names())
    for _ in range(3):
        systemd.is_fed()
        until(systemd.is_fed)
    (tmp_path / "hang").touch()
    deadline = time.monotonic() + 40
    silent = 0
    while silent < SILENT_TIMES:
        assert time.monotonic() < deadline, "it was fed all the time"
        time.sleep(WATCHDOG_S)
        silent = 0 if systemd.is_fed() else silent + 1


def test_service_without_a_broker_is_not_ready_and_not_given_up(start: Start, systemd: Listening) -> None:
    """Its start is extended, its status says what it waits for, and the watchdog is fed."""
    port = free_port()
    process = start(port)
    words = f"waiting: broker-away: cannot reach 127.0.0.1:{port}: Connection refused"
    until(lambda: words in systemd.statuses())
    assert "EXTEND_TIMEOUT_USEC" in systemd.names()
    systemd.is_fed()
    until(systemd.is_fed)
    assert "READY" not in systemd.names()
    assert None is process.poll()


def test_hangup_reloads_and_says_so(start: Start, systemd: Listening, port: int, tmp_path: Path) -> None:
    """RELOADING and READY again; the log's form changes, and a mistake is one line and no end."""
    process = start(port, "[store]\ngroup_rows = 1")
    until(lambda: "READY" in systemd.names())
    (tmp_path / "c.toml").write_text('[log]\nformat = "json"\n[store]\nsynchronous = "NORMAL"\n')
    process.send_signal(signal.SIGHUP)
    until(lambda: 2 == systemd.names().count("READY"))
    (tmp_path / "c.toml").write_text("[lok]\n")
    process.send_signal(signal.SIGHUP)
    until(lambda: 3 == systemd.names().count("READY"))
    assert ["RELOADING", "MONOTONIC_USEC"] * 2 == [
        name for name in systemd.names() if name in {"RELOADING", "MONOTONIC_USEC"}
    ]
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    assert 0 == process.returncode
    said = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    events = {one["detail"]: one["event"] for one in said if one["event"].startswith("setting")}
    words = "has changed: restart this service for it"
    assert "setting-needs-restart" == events[f"[store] synchronous {words}"]
    assert "setting-changed" == events["[log] format is json from now on"]
    wrong = next(detail for detail, event in events.items() if event == "settings-not-reloaded")
    assert wrong.startswith(f"{tmp_path}/c.toml: [lok]: there is no section 'lok'")
