"""Tests of the supervisor with small programs of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cli.child import LOG_BYTES, Child, Program, rotate, shorten
from cli.supervisor import Supervisor, delay_s, how
from tests.cli.conftest import environment
from tests.waiting import until

SLEEPS = "import time; time.sleep(600)"
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " print('deaf', flush=True); time.sleep(600)"
)


def program(folder: Path, service: str, code: str, stop_s: float = 5.0) -> Program:
    """Return a program that runs a line of Python."""
    return Program(service, "1", (sys.executable, "-c", code), folder / f"{service}.log", stop_s)


def step_until(supervisor: Supervisor, condition: Callable[[], object]) -> None:
    """Let the supervisor work until something is true."""

    def stepped() -> object:
        supervisor.step()
        return condition()

    until(stepped)


def only(supervisor: Supervisor) -> Child:
    """Return the one child that runs."""
    (child,) = supervisor.children
    return child


def test_delay_before_a_restart_grows_to_five_seconds() -> None:
    """The first restart comes at once."""
    assert [0.0, 0.5, 1.0, 2.0, 5.0, 5.0] == [delay_s(deaths) for deaths in range(1, 7)]


def test_child_that_was_killed_is_restarted_at_once_and_said(tmp_path: Path) -> None:
    """The line on the terminal names the child and what killed it."""
    said: list[str] = []
    with Supervisor([program(tmp_path, "store", SLEEPS)], said.append) as supervisor:
        supervisor.start("store")
        first = only(supervisor).pid
        os.kill(first, signal.SIGKILL)
        step_until(supervisor, lambda: supervisor.children and only(supervisor).pid != first)
    assert ["store-1 was killed by SIGKILL; restarting it"] == said


def test_child_that_keeps_dying_waits_longer_each_time(tmp_path: Path) -> None:
    """Its last words are said with each death."""
    said: list[str] = []
    code = "import sys; sys.exit('no disk')"
    with Supervisor([program(tmp_path, "store", code)], said.append) as supervisor:
        supervisor.start("store")
        step_until(supervisor, lambda: len(said) >= 3)
    assert [
        "store-1 ended with exit status 1 (no disk); restarting it",
        "store-1 ended with exit status 1 (no disk); restarting it in 0.5 s",
        "store-1 ended with exit status 1 (no disk); restarting it in 1 s",
    ] == said[:3]


def test_child_that_cannot_run_is_remembered(tmp_path: Path) -> None:
    """Exit status 3 says that trying again is no use; whoever started the line decides."""
    code = "import sys; print('store: [store] url: wrong'); sys.exit(3)"
    with Supervisor([program(tmp_path, "store", code)], lambda _: None) as supervisor:
        supervisor.start("store")
        step_until(supervisor, lambda: supervisor.refusals)
        assert "store: [store] url: wrong" == supervisor.refusals[0]


def test_program_that_is_missing_is_tried_again(tmp_path: Path) -> None:
    """A program that cannot be started is said and waited for, like one that died."""
    said: list[str] = []
    missing = Program("store", "1", (str(tmp_path / "none"),), tmp_path / "log", 1.0)
    with Supervisor([missing], said.append) as supervisor:
        supervisor.start("store")
        supervisor.step()
    assert said[0].startswith("store-1 cannot be started:")


def test_children_are_stopped_in_the_order_opposite_to_their_start(tmp_path: Path) -> None:
    """The agent ends before the predictor, and the broker last."""
    order = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        f"def end(*_): open({str(order)!r}, 'a').write(sys.argv[1] + ' '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(600)"
    )
    names = ("broker", "store", "predictor_service", "ingest_agent")
    programs = [
        Program(name, "1", (sys.executable, "-c", code, name), tmp_path / f"{name}.log", 60.0)
        for name in names
    ]
    with Supervisor(programs, lambda _: None) as supervisor:
        for name in names:
            supervisor.start(name)
        until(lambda: all(one.log.exists() and one.log.read_text() for one in programs))
    assert "ingest_agent predictor_service store broker " == order.read_text()


def test_child_that_does_not_end_by_itself_is_killed(tmp_path: Path) -> None:
    """A deaf child cannot hold up the end."""
    said: list[str] = []
    deaf = program(tmp_path, "store", DEAF, stop_s=0.2)
    with Supervisor([deaf], said.append) as supervisor:
        supervisor.start("store")
        until(deaf.log.read_text)
        pid = only(supervisor).pid
    assert not psutil.pid_exists(pid)
    assert ["store-1 did not end within 0.2 s; it is killed"] == said


def test_what_the_line_does_not_need_ends_beside_the_next(tmp_path: Path) -> None:
    """Here each of a page and an agent ends only once the other was asked to end as well."""
    said: list[str] = []
    code = (
        "import signal, time\nfrom pathlib import Path\n"
        "own, other = Path({own!r}), Path({other!r})\n"
        "signal.signal(signal.SIGTERM, lambda *_: own.touch()); print('ready', flush=True)\n"
        "while not (own.exists() and other.exists()): time.sleep(0.01)"
    )
    asked = {name: str(tmp_path / f"{name} was asked") for name in ("page", "agent")}
    of_page = code.format(own=asked["page"], other=asked["agent"])
    of_agent = code.format(own=asked["agent"], other=asked["page"])
    page = replace(program(tmp_path, "dashboard", of_page, stop_s=60.0), needed=False)
    agent = program(tmp_path, "ingest_agent", of_agent, stop_s=60.0)
    with Supervisor([agent, page], said.append) as supervisor:
        for one in (agent, page):
            supervisor.start(one.service)
        until(lambda: all(one.log.exists() and one.log.read_text() for one in (agent, page)))
    assert [] == said


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds a child's life to its parent's")
def test_supervisor_that_is_killed_leaves_no_child(tmp_path: Path) -> None:
    """Even a child that hears nothing ends with a parent that was killed."""
    log = tmp_path / "log"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom cli.child import Child, Program\n"
        f"deaf = Program('store', '1', (sys.executable, '-c', {DEAF!r}), Path({str(log)!r}), 1.0)\n"
        "print(Child.start(deaf).pid, flush=True)\ntime.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment()
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        until(log.read_text)
        parent.kill()
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_log_that_grew_large_is_put_aside_at_the_start(tmp_path: Path) -> None:
    """The last one is kept beside it."""
    log = tmp_path / "log" / "store.log"
    log.parent.mkdir()
    log.write_bytes(b"x" * (LOG_BYTES + 1))
    rotate(log)
    assert [log.with_name("store.log.1")] == list(log.parent.iterdir())


def test_small_log_is_continued(tmp_path: Path) -> None:
    """What the last start said stays readable."""
    log = tmp_path / "store.log"
    log.write_bytes(b"x")
    rotate(log)
    assert b"x" == log.read_bytes()


@pytest.mark.parametrize(
    ("status", "words"),
    [(1, "ended with exit status 1"), (-9, "was killed by SIGKILL"), (-99, "was killed by signal 99")],
)
def test_end_of_a_process_in_words(status: int, words: str) -> None:
    """Minus a signal's number stands for the signal."""
    assert words == how(status)


def test_log_that_grows_under_its_child_is_copied_aside_and_emptied(tmp_path: Path) -> None:
    """Whoever appends to it goes on at its new beginning."""
    log = tmp_path / "store-main.log"
    with log.open("ab", buffering=0) as child:
        child.write(b"old")
        shorten(log, limit_bytes=3)
        assert b"old" == log.read_bytes()
        child.write(b"er")
        shorten(log, limit_bytes=3)
        child.write(b"new")
    assert (b"new", b"older") == (log.read_bytes(), (tmp_path / "store-main.log.1").read_bytes())
    shorten(tmp_path / "none.log")
