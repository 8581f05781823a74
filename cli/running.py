"""The whole line as child processes of this one: what `up` and `demo` have in common.

with Ending() as ending, RunningLine(given, say, ending) as line:
    line.wait_until_ready()
    while ...:
        line.step()
"""

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from broker.listeners import EVERYWHERE, Listener
from broker.messages import Status, now
from broker.mosquitto import BrokerStart, prepare_broker
from broker.settings import Broker
from broker.topics import Topics
from broker.up_record import RECORD
from cli.addresses import accepts, is_open, wait_for_free_port, where_is
from cli.child import Child
from cli.ending import Ending
from cli.errors import CannotRun
from cli.given import Given
from cli.hangup import LOG, leave_terminal
from cli.programs import BROKER, DASHBOARD, programs
from cli.reader import Reader
from cli.supervisor import Supervisor

LOCK = "up.lock"
READY_S = 120.0
DEATHS = 4
"""After so many in a row, before it has listened once, the broker is not waited for any more."""
PAGE_S = 20.0
STEP_S = 0.1


class RunningLine:
    """Broker, store, predictors and agent, started in order; a context manager that leaves no process."""

    def __init__(self, given: Given, say: Callable[[str], None], ending: Ending) -> None:
        self.settings = given.settings
        self.broker: BrokerStart | None = None
        self._given = given
        self._say = say
        self._ending = ending
        self._open = contextlib.ExitStack()
        self._started_at = now()
        self._children: list[tuple[str, Child]] = []

    def __enter__(self) -> Self:
        """Take the state's lock, start the broker, then the services. Raises CannotRun or BrokerProblem."""
        with contextlib.ExitStack() as opening:
            self._begin(opening)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop agent, predictors, store and broker, in this order."""
        self._open.close()

    def _begin(self, opening: contextlib.ExitStack) -> None:
        state = self.settings.paths.state
        opening.enter_context(locked(state))
        broker = self.settings.broker
        if broker.manage:
            wait_for_free_port(broker, self._ending.check)
            self.broker = prepare_broker(self.settings)
        self.settings.ingest_agent.inbox.mkdir(parents=True, exist_ok=True)
        opening.callback((state / RECORD).unlink, missing_ok=True)
        made = programs(self._given, self.settings, self.broker)
        self.supervisor = opening.enter_context(
            Supervisor(made, self._say, self._record, lambda: self._ending.is_urgent)
        )
        if broker.manage:
            self.supervisor.start(BROKER)
            self._wait_for_broker(broker)
        for service in dict.fromkeys(program.service for program in made if program.service != BROKER):
            self.supervisor.start(service)

    def _wait_for_broker(self, broker: Broker) -> None:
        deadline = time.monotonic() + READY_S
        while not is_open(broker):
            self.step()
            self._refuse()
            if time.monotonic() > deadline or self.supervisor.deaths(BROKER) >= DEATHS:
                raise CannotRun(f"the broker does not listen on {where_is(broker)}; {self._logs()}")
            time.sleep(0.01)

    def step(self) -> None:
        """Restart what died, and pass SIGHUP on.

        Raises KeyboardInterrupt once somebody has asked for the end.
        """
        self._ending.check()
        if self._ending.hung_up():
            leave_terminal(self.settings.paths.state / "log" / LOG)
            self._say("SIGHUP: the services read the configuration again")
            self.supervisor.reload()
        self.supervisor.step()

    def wait_until_ready(self) -> None:
        """Wait until each service is online. Raises CannotRun when one cannot run, or takes too long."""
        topics = Topics(self.settings.broker.root)
        deadline = time.monotonic() + READY_S
        online: dict[tuple[str, str], int] = {}
        with Reader(self.settings, [topics.status()]) as reader:
            refusal = ""
            while waiting := self._not_in(online):
                if reader.refusal != refusal:
                    refusal = reader.refusal
                    self._say(f"the broker: {refusal}")
                for _, message in reader.hear(STEP_S):
                    if isinstance(message, Status) and message.state == "online":
                        online[message.service, message.instance] = message.pid
                self.step()
                self._refuse()
                if time.monotonic() > deadline:
                    why = f": {refusal}" if refusal else f"; {self._logs()}"
                    raise CannotRun(f"{', '.join(waiting)} did not come online{why}")

    def wait_for_page(self) -> None:
        """Wait a while until the page listens, where there is one: whoever reads its address opens it."""
        page = self.settings.dashboard
        place = Listener("127.0.0.1" if page.host in EVERYWHERE else page.host, page.port, tls=False)
        deadline = time.monotonic() + PAGE_S
        while time.monotonic() < deadline and any(
            child is not None for program, child in self.supervisor.places() if program.service == DASHBOARD
        ):
            if accepts(place):
                return
            self.step()
            time.sleep(0.05)

    def _not_in(self, online: dict[tuple[str, str], int]) -> list[str]:
        """Return the services whose present process has not said `online` yet."""
        return [
            program.name
            for program, child in self.supervisor.places()
            if program.service != BROKER
            and program.needed
            and (child is None or online.get((program.service, program.instance)) != child.pid)
        ]

    def _refuse(self) -> None:
        if self.supervisor.refusals:
            raise CannotRun(self.supervisor.refusals[0])

    def _logs(self) -> str:
        return f"its log is in {self.settings.paths.state / 'log'}"

    def _record(self, children: Sequence[Child]) -> None:
        """Write `up.json`, from which `status` knows the children; a full disk is no reason to stop."""
        broker = self.settings.broker
        record = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started_at": self._started_at,
            "broker": {
                "host": broker.host,
                "port": broker.port,
                "version": self.broker.version if self.broker else None,
            },
            "children": [
                {
                    "service": child.program.service,
                    "instance": child.program.instance,
                    "pid": child.pid,
                    "started_at": child.started_at,
                }
                for child in children
            ],
        }
        file = self.settings.paths.state / RECORD
        with contextlib.suppress(OSError):
            unfinished = file.with_name(f".{file.name}.unfinished")
            unfinished.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
            unfinished.replace(file)


@contextlib.contextmanager
def locked(state: Path) -> Iterator[None]:
    """Hold the state's lock, which goes with the process. Raises CannotRun when another `up` has it."""
    with _opened(state / LOCK) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotRun(
                f"another `up` or `demo` runs on {state} (process {file.read().strip() or '?'})"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _opened(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise CannotRun(f"[paths] state: cannot write in {path.parent}: {error.strerror}") from error
    file.seek(0)
    return file
