"""Tests of `up` and of the commands that speak to what it runs: real broker, real services, real files."""

import csv
import io
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from broker.settings_reader import read_settings
from tests.cli.conftest import PICTURES, RunCli, RunningUp, Started
from tests.waiting import until

pytestmark = pytest.mark.slow

Start = Callable[..., Started]


def children(state: Path) -> dict[str, int]:
    """Return the processes that `up` says it runs, by service."""
    known = json.loads((state / "up.json").read_text())
    return {child["service"]: child["pid"] for child in known["children"]}


def test_up_says_where_to_drop_and_how_to_subscribe(line: RunningUp) -> None:
    """The inbox, and a line for mosquitto_sub with the reader's account, whose password it does not show."""
    credentials = line.settings.broker.credentials / "reader"
    account, password = credentials.read_text().strip().split(":")
    options = line.settings.paths.state / "reader"
    assert f"into  {line.settings.ingest_agent.inbox}\n" in line.said
    port = line.settings.broker.port
    typed = (
        f"XDG_CONFIG_HOME={options} mosquitto_sub -V 5 -h 127.0.0.1 -p {port} -t tailorbird/v1/predictions/+"
    )
    assert f"-u {account}\n-P {password}\n" == (options / "mosquitto_sub").read_text()
    assert 0o600 == (options / "mosquitto_sub").stat().st_mode & 0o777
    typed_now = [*shlex.split(typed)[1:], "-W", "1", "-q", "1"]
    program = shutil.which("mosquitto_sub")
    if program is not None:  # it is let in, and hears nothing within a second
        environ = {**os.environ, "XDG_CONFIG_HOME": str(options)}
        done = subprocess.run(typed_now, env=environ, capture_output=True, text=True, timeout=20, check=False)
        assert (27, "Timed out\n") == (done.returncode, done.stderr)
    assert typed in line.said
    assert password not in line.said


def test_second_up_on_the_same_state_is_refused_in_one_line(line: RunningUp, cli: RunCli) -> None:
    """The line names the state and the process."""
    done = cli("up", config=line.config)
    assert 3 == done.returncode
    state, pid = line.settings.paths.state, line.process.pid
    assert f"tailorbird: another `up` or `demo` runs on {state} (process {pid})\n" == done.stderr


def test_status_lists_every_service_with_the_broker(line: RunningUp, cli: RunCli) -> None:
    """What others script against: the keys and their values."""
    done = cli("status", "--json", config=line.config)
    found = json.loads(done.stdout)
    assert 0 == done.returncode, found["trouble"]
    names = [(one["service"], one["instance"], one["state"]) for one in found["services"]]
    assert [
        ("broker", "main", "online"),
        ("ingest_agent", "shop", "online"),
        ("predictor_service", "1", "online"),
        ("store", "main", "online"),
    ] == sorted(names)
    assert {one["service"]: one["pid"] for one in found["services"]} == children(line.settings.paths.state)
    for one in found["services"]:
        assert {"service", "instance", "pid", "host", "state", "since", "version"} <= one.keys()
    assert (line.settings.broker.port, True) == (found["broker"]["port"], found["broker"]["reachable"])


def test_status_for_people_names_the_services(line: RunningUp, cli: RunCli) -> None:
    """The same as a table."""
    until(lambda: json.loads(cli("status", "--json", config=line.config).stdout)["canaries"])
    said = cli("status", config=line.config).stdout
    for word in ("broker", "store", "predictor_service", "ingest_agent", "database", "in flight"):
        assert word in said
    assert "canary-shop: T-shirt/top within " in said


def test_classify_shows_each_image_and_leaves_results_in_the_inbox(
    line: RunningUp, cli: RunCli, tmp_path: Path
) -> None:
    """Exit code 0 when all was classified; the folder itself stays as it was."""
    folder = tmp_path / "two coats"
    shutil.copytree(PICTURES / "Bag", folder)
    done = cli("classify", str(folder), "--json", config=line.config)
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert sorted(path.name for path in (PICTURES / "Bag").iterdir()) == [
        one["image"] for one in found["images"]
    ]
    assert {"Bag"} == {one["label"] for one in found["images"]}
    until((Path(found["folder"]) / "results.csv").exists)
    assert not (folder / "results.csv").exists()


def test_classify_with_a_file_that_is_no_image_ends_with_one(
    line: RunningUp, cli: RunCli, tmp_path: Path
) -> None:
    """The table says why, and the others are classified."""
    folder = tmp_path / "mixed"
    shutil.copytree(PICTURES / "Bag", folder)
    (folder / "empty.png").touch()
    done = cli("classify", str(folder), config=line.config)
    assert 1 == done.returncode
    assert "1 of 6 images could not be classified" in done.stderr
    assert "empty" in done.stdout


def test_classify_of_a_folder_in_the_inbox_is_refused(line: RunningUp, cli: RunCli) -> None:
    """It is being classified already."""
    folder = line.settings.ingest_agent.inbox / "inside"
    folder.mkdir()
    done = cli("classify", str(folder), config=line.config)
    assert 3 == done.returncode
    assert "lies in the inbox already" in done.stderr


def test_export_writes_what_was_classified(line: RunningUp, cli: RunCli, tmp_path: Path) -> None:
    """To the terminal and to a file, byte for byte the same."""
    folder = tmp_path / "exported"
    shutil.copytree(PICTURES / "Sandal", folder)
    job = json.loads(cli("classify", str(folder), "--json", config=line.config).stdout)["jobs"][0]
    done = cli("export", "results", "--job", job, config=line.config)
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert sorted(path.name for path in folder.iterdir()) == [row["image"] for row in rows]
    assert {"exported"} == {row["folder"] for row in rows}
    file = tmp_path / "out.csv"
    assert 0 == cli("export", "results", "--job", job, "-o", str(file), config=line.config).returncode
    assert done.stdout.splitlines() == file.read_text().splitlines()


def test_export_that_finds_nothing_says_what_was_asked_for(line: RunningUp, cli: RunCli) -> None:
    """Beside the answer, which is the header alone: a name may be misspelt."""
    done = cli("export", "results", "--class", "bag", "--job", "nojob", config=line.config)
    assert (0, 1) == (done.returncode, done.stdout.count("\n"))
    assert "no line is like that: --job nojob, --class bag\n" == done.stderr


def test_export_with_a_filter_that_does_not_fit_is_a_usage_error(line: RunningUp, cli: RunCli) -> None:
    """Events have no class."""
    done = cli("export", "events", "--class", "Bag", config=line.config)
    assert 2 == done.returncode
    assert 1 == done.stderr.count("\n")


def test_jobs_show_that_what_was_seen_was_stored_or_failed(
    line: RunningUp, cli: RunCli, tmp_path: Path
) -> None:
    """In the list and alone."""
    folder = tmp_path / "counted"
    shutil.copytree(PICTURES / "Dress", folder)
    (folder / "broken.jpg").write_bytes(b"no image")
    job = json.loads(cli("classify", str(folder), "--json", config=line.config).stdout)["jobs"][0]
    until(lambda: json.loads(cli("job", job, "--json", config=line.config).stdout)["state"] == "closed")
    found = json.loads(cli("job", job, "--json", config=line.config).stdout)
    assert (6, 6, 5, 1) == (found["images"], found["sent"], found["stored"], found["failed"])
    assert ["broken.jpg"] == [one["image"] for one in found["failures"]]
    assert job in cli("jobs", config=line.config).stdout
    assert job not in cli("jobs", "--open", config=line.config).stdout


def test_job_that_is_unknown_is_a_problem(line: RunningUp, cli: RunCli) -> None:
    """Exit code 1: the command ran, and there is no such job."""
    done = cli("job", "none", config=line.config)
    assert (1, "tailorbird: the database knows no job 'none'\n") == (done.returncode, done.stderr)


def test_follow_shows_predictions_as_they_come(line: RunningUp, start: Start) -> None:
    """A file dropped into the root of the inbox appears as one line."""
    follower = start("results", "--follow", "--config", str(line.config))
    follower.wait_for("following")
    shutil.copy(PICTURES / "Bag" / "brown.png", line.settings.ingest_agent.inbox / "loose.png")
    follower.wait_for("loose.png  Bag")
    assert 0 == follower.stop()


def test_child_that_is_killed_is_restarted_and_the_line_goes_on(
    config: Path, start: Start, cli: RunCli
) -> None:
    """Each in turn, the broker as well; then a folder still gets its rows."""
    up = start("up", "--config", str(config))
    up.wait_for("Ctrl-C stops it.")
    state = read_settings(config, {}).settings.paths.state
    before = children(state)
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    until(
        lambda: (
            children(state).keys() == before.keys()
            and not set(children(state).values()) & set(before.values())
        )
    )
    for service in before:
        assert f"{service}-" in up.said
    assert 4 == up.said.count("was killed by SIGKILL")
    until(lambda: cli("status", config=config).returncode == 0)
    assert 0 == cli("classify", str(PICTURES / "Bag"), config=config).returncode
    assert 0 == up.stop()


def test_classify_outlives_a_broker_that_dies_meanwhile(config: Path, start: Start) -> None:
    """What was said while nobody could hear it stands in the database."""
    up = start("up", "--config", str(config))
    up.wait_for("Ctrl-C stops it.")
    settings = read_settings(config, {}).settings
    classify = start("classify", str(PICTURES / "Bag"), "--json", "--config", str(config))
    until((settings.ingest_agent.inbox / "Bag").exists)
    os.kill(children(settings.paths.state)["broker"], signal.SIGKILL)
    assert 0 == classify.process.wait(150), classify.said
    assert 5 == classify.said.count('"label": "Bag"')
    assert 0 == up.stop()


def test_up_that_is_stopped_leaves_no_process_and_no_record(config: Path, start: Start) -> None:
    """SIGTERM ends it as Ctrl-C does."""
    up = start("up", "--config", str(config))
    up.wait_for("Ctrl-C stops it.")
    state = read_settings(config, {}).settings.paths.state
    pids = children(state).values()
    assert 0 == up.stop(signal.SIGTERM)
    assert [] == [pid for pid in pids if psutil.pid_exists(pid)]
    assert not (state / "up.json").exists()


@pytest.mark.usefixtures("hangup_is_heard")
def test_hangup_of_up_reloads_the_services(config: Path, start: Start, cli: RunCli) -> None:
    """The same processes go on, with what was changed."""
    up = start("up", "--config", str(config))
    up.wait_for("Ctrl-C stops it.")
    state = read_settings(config, {}).settings.paths.state
    before = children(state)
    config.write_text(f"{config.read_text()}\n[health]\nstuck_s = 77.0\n")
    os.kill(up.process.pid, signal.SIGHUP)
    logs = [state / "log" / f"{name}.log" for name in ("store-main", "ingest_agent-shop")]
    until(lambda: all("setting-changed" in log.read_text() for log in logs))
    assert "SIGHUP: the services read the configuration again" in up.said
    assert before == children(state)
    assert 0 == up.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds a child's life to its parent's")
def test_up_that_is_killed_leaves_no_process_and_starts_again(config: Path, start: Start) -> None:
    """Kill -9 of `up` ends its children; the lock and the port are free for the next one."""
    up = start("up", "--config", str(config))
    up.wait_for("Ctrl-C stops it.")
    state = read_settings(config, {}).settings.paths.state
    pids = children(state).values()
    os.kill(up.process.pid, signal.SIGKILL)
    until(lambda: not [pid for pid in pids if psutil.pid_exists(pid)])
    again = start("up", "--config", str(config))
    again.wait_for("Ctrl-C stops it.")
    assert 0 == again.stop()


def test_up_on_a_port_in_use_is_refused_in_one_line(config: Path, cli: RunCli) -> None:
    """Whoever listens there, it is not ours."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", read_settings(config, {}).settings.broker.port))
        other.listen()
        done = cli("up", config=config)
    assert 3 == done.returncode
    assert "is in use" in done.stderr
    assert 1 == done.stderr.count("\n")


def test_up_with_a_service_that_cannot_run_ends_with_its_reason(
    config: Path, cli: RunCli, tmp_path: Path
) -> None:
    """No restarting over and over: the line says what is wrong."""
    done = cli("up", config=config, more={"TAILORBIRD__MODEL__BUNDLE": str(tmp_path / "no bundle")})
    assert 3 == done.returncode
    assert "no bundle" in done.stderr


def test_commands_without_a_line_say_so(config: Path, cli: RunCli) -> None:
    """Exit code 3 for what needs it, 1 for the question whether it is there."""
    assert 3 == cli("classify", str(PICTURES / "Bag"), config=config).returncode
    assert 3 == cli("jobs", config=config).returncode
    done = cli("status", "--json", config=config)
    assert 1 == done.returncode
    assert [] == json.loads(done.stdout)["services"]


def test_broker_that_dies_at_every_start_is_given_up(config: Path, cli: RunCli, tmp_path: Path) -> None:
    """With its last words, and where its log is."""
    program = tmp_path / "bin" / "mosquitto"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\n[ "$1" = -h ] && echo "mosquitto version 2.0.18" && exit 3\necho broken >&2\nexit 1\n'
    )
    program.chmod(0o755)
    done = cli("up", config=config, more={"PATH": f"{program.parent}:{os.environ['PATH']}"})
    assert 3 == done.returncode
    assert "the broker does not listen on" in done.stderr
    assert 4 == done.stderr.count("broker-main ended with exit status 1 (broken)")
