"""A change to the machine as a list of steps: shown, done, or undone in reverse order.

    perform(steps, say)

Each step may be done again, and may be undone when it was done by half.
"""

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

from broker.errors import BrokerProblem, SettingsError
from cli.errors import CannotRun

EXPECTED = (CannotRun, SettingsError, BrokerProblem, OSError)
"""What the machine or its administrator can be the cause of; anything else is a defect."""


ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""How somebody ends a command: Ctrl-C, `kill`, a connection that breaks."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Step:
    """What is done, in words, how, and how it is taken back."""

    what: str
    do: Callable[[], object] = _nothing
    undo: Callable[[], object] = _nothing
    advice: str = ""
    """What is to be done by hand when this could not be taken back, in words."""
    needs_whole: bool = False
    """Whether it is taken back only where all that was done after it could be."""


def perform(steps: Sequence[Step], say: Callable[[str], None], after_undo: str = "") -> None:
    """Do the steps in order. When one fails, or somebody interrupts, take back all that was done.

    Raises CannotRun with the reason and what stands now: `after_undo` where everything was taken back.
    """
    done: list[Step] = []
    with _signals(_interrupt):
        for step in steps:
            done.append(step)
            try:
                say(step.what)
                step.do()
            except BaseException as error:
                _take_back(done, say, after_undo, error)
                raise


def _take_back(
    done: Sequence[Step], say: Callable[[str], None], after_undo: str, error: BaseException
) -> None:
    """Undo, whoever interrupts. Raises CannotRun where the error was to be expected."""
    with _signals(signal.SIG_IGN):
        _tell(say, f"{done[-1].what}: failed; taking back what was done")
        outcome = "; ".join(_undo(done, say)) or after_undo or "nothing was changed"
        if not isinstance(error, EXPECTED):
            _tell(say, outcome)
    if isinstance(error, EXPECTED):
        raise CannotRun(f"{error}; {outcome}") from error


def _undo(done: Sequence[Step], say: Callable[[str], None]) -> list[str]:
    """Take the steps back, the last first; return a line for each that could not be."""
    left: list[str] = []
    for step in reversed(done):
        if step.needs_whole and left:
            left.append(f"left as it is: {step.what}")
            _tell(say, left[-1])
            continue
        try:
            step.undo()
        except EXPECTED as error:
            left.append(f"not taken back: {step.what} ({error}){step.advice and f'; {step.advice}'}")
            _tell(say, left[-1])
    return left


def _tell(say: Callable[[str], None], text: str) -> None:
    """Say it if somebody is still there to read it."""
    with contextlib.suppress(OSError):
        say(text)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    """Treat each way to end this command alike, for a while."""
    before = {number: signal.signal(number, handler) for number in ENDINGS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
