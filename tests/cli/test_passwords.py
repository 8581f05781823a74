"""No password where others can read it: neither in what `ps` shows, nor in the environment, nor in a log."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from broker.certificates import make_certificates
from broker.mosquitto_program import find_mosquitto
from broker.settings import Settings
from broker.settings_reader import read_settings
from tests.cli.conftest import PICTURES, RunCli, Started, environment
from tests.waiting import free_port, listens, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="this system has no /proc"),
]
CONFIGURATION = """\
[paths]
state = "state"

[broker]
host = "127.1"  # loopback by a name that nobody knows for it, so with TLS
port = {port}
local_port = {local_port}

[ingest_agent]
quiet_s = 0.3

[dashboard]
port = 0

[log]
level = "debug"
"""


@pytest.fixture
def config(mosquitto_program: Path, tmp_path: Path) -> Path:
    """A configuration with a listener for clients outside, its certificates, and one such client."""
    file = tmp_path / "config.toml"
    file.write_text(CONFIGURATION.format(port=free_port(), local_port=free_port()))
    make_certificates(tmp_path / "state" / "tls", ["127.0.0.1"], days=2)
    return file


def passwords(settings: Settings) -> set[str]:
    """Return every service's password."""
    files = list(settings.broker.credentials.iterdir())
    found = {file.read_text().strip().partition(":")[2] for file in files}
    assert 7 == len(found)
    return found


def seen(processes: Iterable[psutil.Process]) -> str:
    """Return what the kernel shows of processes: arguments and environment."""
    files = [Path(f"/proc/{one.pid}/{name}") for one in processes for name in ("cmdline", "environ")]
    return "\n".join(file.read_bytes().decode("utf-8", "replace") for file in files)


def test_whole_line_shows_no_password_anywhere(config: Path, cli: RunCli, tmp_path: Path) -> None:
    """`up` and all it starts, with a folder answered and a client come and gone, all at log level debug."""
    settings = read_settings(config, {}).settings
    line = Started(["up", "--config", str(config)], tmp_path / "output")
    try:
        line.wait_for("Ctrl-C stops it.")
        added = cli("client", "add", "till-1", "--role", "source", "--quiet", config=config).stdout.strip()
        folder = tmp_path / "Bag"
        folder.mkdir()
        (folder / "black.jpg").write_bytes((PICTURES / "Bag" / "black.jpg").read_bytes())
        said = [cli("classify", str(folder), config=config), cli("status", config=config)]
        said.append(cli("config", "show", "--origin", config=config))
        said.append(cli("client", "revoke", "till-1", config=config))
        record = json.loads((settings.paths.state / "up.json").read_text())
        running = [
            psutil.Process(line.process.pid),
            *psutil.Process(line.process.pid).children(recursive=True),
        ]
        assert {child["pid"] for child in record["children"]} <= {one.pid for one in running}
        shown = seen(running)
    finally:
        assert 0 == line.stop()
    assert "-m\0store" in shown
    assert "mosquitto.conf" in shown
    logs = [file.read_text() for file in (settings.paths.state / "log").iterdir()]
    assert len(logs) >= 4
    everywhere = "\n".join([shown, line.said, *logs, *(one.stdout + one.stderr for one in said)])
    assert [] == [one for one in {*passwords(settings), added} if one in everywhere]


def test_broker_started_by_itself_shows_no_password(config: Path, tmp_path: Path) -> None:
    """As systemd starts it: Python becomes Mosquitto, with the same environment."""
    settings = read_settings(config, {}).settings
    command = [sys.executable, "-m", "broker", "--config", str(config)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment(), stdout=log, stderr=log)
    try:
        until(lambda: process.poll() is not None or listens("127.0.0.1", settings.broker.local_port))
        shown = seen([psutil.Process(process.pid)])
    finally:
        process.terminate()
        process.wait(60)
    assert "mosquitto.conf" in shown
    everywhere = shown + (tmp_path / "log").read_text()
    assert [] == [one for one in passwords(settings) if one in everywhere]


def test_hashing_hands_no_password_to_the_program_in_its_arguments(
    config: Path, cli: RunCli, tmp_path: Path
) -> None:
    """It is the one program that must see it, and it lives too briefly to be looked at."""
    folder = tmp_path / "programs"
    folder.mkdir()
    program = folder / "mosquitto_passwd"
    real = find_mosquitto("mosquitto_passwd")
    program.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >> "{folder}/seen"\nexec "{real}" "$@"\n')
    program.chmod(0o755)
    more = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    added = cli("client", "add", "till-1", "--role", "source", "--quiet", config=config, more=more)
    assert 0 == added.returncode, added.stderr
    shown = (folder / "seen").read_text()
    assert shown.startswith("-U ")
    assert added.stdout.strip() not in shown


def test_password_in_the_configuration_is_refused_and_not_repeated(config: Path, cli: RunCli) -> None:
    """The error may be logged, too."""
    for host in ("me:hunter2@broker.example", "mqtt://me:hunter2@broker.example:1883"):
        done = cli("config", "check", config=config, more={"TAILORBIRD__BROKER__HOST": host})
        assert 3 == done.returncode
        assert "credentials folder, a file per account" in done.stderr
        assert "hunter2" not in done.stderr
