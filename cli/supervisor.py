"""Runs the services of one machine as child processes: starts them in order, restarts, stops in order.

    with Supervisor(programs, say) as supervisor:
        while True:
            supervisor.step()

Everything happens in the caller's thread, which must be the main one (see `Child.start`).
"""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cli.child import Child, Program, rotate, shorten
from cli.errors import CANNOT_RUN

STEADY_S = 10.0
"""A child that has run this long starts afresh: its next death is its first."""
DELAYS_S = (0.0, 0.5, 1.0, 2.0, 5.0)
STOP_S = 15.0
LOGS_S = 10.0
"""Seconds between two looks at the size of the logs."""


def delay_s(deaths: int) -> float:
    """Return how long to wait before the restart after so many deaths in a row: at once, then up to 5 s."""
    return DELAYS_S[min(deaths, len(DELAYS_S)) - 1]


@dataclass
class _Place:
    """Where one program stands: its running child, or when to start it again."""

    program: Program
    child: Child | None = None
    deaths: int = 0
    restart_at: float = 0.0


class Supervisor:
    """The children of one `up`, in the order of `programs`; they are stopped in the order of `stopping`."""

    def __init__(
        self,
        programs: Sequence[Program],
        say: Callable[[str], None],
        changed: Callable[[Sequence[Child]], None] = lambda _: None,
        is_urgent: Callable[[], bool] = lambda: False,
    ) -> None:
        self._places = [_Place(program) for program in programs]
        self._say = say
        self._changed = changed
        self._is_urgent = is_urgent
        self._next_look = 0.0
        self.refusals: list[str] = []
        """What children said that ended with exit status 3: they cannot run, and trying again is no use."""

    def __enter__(self) -> Self:
        """Take responsibility for the children; `start` starts them."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what runs."""
        self.stop()

    @property
    def children(self) -> list[Child]:
        """Those that run."""
        return [place.child for place in self._places if place.child is not None]

    def places(self) -> list[tuple[Program, Child | None]]:
        """Return every program, with its child where one runs."""
        return [(place.program, place.child) for place in self._places]

    def deaths(self, service: str) -> int:
        """Return how many times in a row a service has died, soon after its start each time."""
        return max(place.deaths for place in self._of(service))

    def start(self, service: str) -> None:
        """Start every instance of a service for the first time."""
        for place in self._of(service):
            rotate(place.program.log)
            self._launch(place)

    def step(self) -> None:
        """Notice who died, start again who is due, and keep the logs small."""
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOGS_S
            for place in self._places:
                shorten(place.program.log)
        for place in self._places:
            if place.child is not None and (status := place.child.ended()) is not None:
                self._bury(place, place.child, status)
            if place.child is None and place.deaths and time.monotonic() >= place.restart_at:
                self._launch(place)

    def reload(self) -> None:
        """Have every service read the configuration again."""
        for child in self.children:
            child.tell(signal.SIGHUP)

    def _of(self, service: str) -> list[_Place]:
        return [place for place in self._places if place.program.service == service]

    def _launch(self, place: _Place) -> None:
        try:
            place.child = Child.start(place.program)
        except OSError as error:
            self._again(place, f"{place.program.name} cannot be started: {error}")
        self._changed(self.children)

    def _bury(self, place: _Place, child: Child, status: int) -> None:
        place.child = None
        if status == CANNOT_RUN and not place.program.needed:
            self._say(f"{place.program.name} cannot run{_because(child)}; the line goes on without it")
            place.deaths = 0
            self._changed(self.children)
            return
        if status == CANNOT_RUN:
            self.refusals.append(child.last_words() or f"{place.program.name} cannot run")
        if time.monotonic() - child.started >= STEADY_S:
            place.deaths = 0
        self._again(place, f"{place.program.name} {how(status)}{_because(child)}")
        self._changed(self.children)

    def _again(self, place: _Place, what_happened: str) -> None:
        place.deaths += 1
        wait_s = delay_s(place.deaths)
        place.restart_at = time.monotonic() + wait_s
        self._say(f"{what_happened}; {'restarting it' if wait_s == 0 else f'restarting it in {wait_s:g} s'}")

    def stop(self) -> None:
        """Ask the services to end, one after the other from the last started to the first, within STOP_S.

        Once it is urgent they are killed.
        """
        try:
            for together in self._stages():
                self._stop_together([place.child for place in together if place.child is not None])
        finally:
            for child in self.children:
                child.send(signal.SIGKILL)
                child.wait(1.0)
            for place in self._places:
                place.child, place.deaths = None, 0

    def _stages(self) -> Iterator[list[_Place]]:
        """Yield what is stopped together: a service, and with it those behind that the line does not need."""
        stage: list[_Place] = []
        for service in reversed(list(dict.fromkeys(place.program.service for place in self._places))):
            stage += self._of(service)
            if any(place.program.needed for place in stage):
                yield stage
                stage = []
        yield stage

    def _stop_together(self, children: Sequence[Child]) -> None:
        for child in children:
            child.send(signal.SIGTERM)
        began = time.monotonic()
        for child in children:
            if not child.wait(began + child.program.stop_s - time.monotonic(), self._is_urgent):
                if not self._is_urgent():
                    self._say(
                        f"{child.program.name} did not end within {child.program.stop_s:g} s; it is killed"
                    )
                child.send(signal.SIGKILL)
                child.wait(1.0)


def how(status: int) -> str:
    """Say in words how a process ended."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def _because(child: Child) -> str:
    words = child.last_words()
    return f" ({words[:300]})" if words else ""
