"""A change to the machine as a list of steps: shown, done, or undone in reverse order.

    perform(steps, say)

Each step may be done again, and may be undone when it was done by half.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broker.errors import BrokerProblem, SettingsError
from cli.errors import CannotRun

EXPECTED = (CannotRun, SettingsError, BrokerProblem, OSError)
"""What the machine or its administrator can be the cause of; anything else is a defect."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Step:
    """What is done, in words, how, and how it is taken back."""

    what: str
    do: Callable[[], object] = _nothing
    undo: Callable[[], object] = _nothing


def perform(steps: Sequence[Step], say: Callable[[str], None], after_undo: str = "") -> None:
    """Do the steps in order. When one fails, or somebody interrupts, take back all that was done.

    Raises CannotRun with the reason and what stands now: `after_undo` where everything was taken back.
    """
    done: list[Step] = []
    for step in steps:
        say(step.what)
        done.append(step)
        try:
            step.do()
        except BaseException as error:
            say(f"{step.what}: failed; taking back what was done")
            left = _undo(done, say)
            if isinstance(error, EXPECTED):
                raise CannotRun(
                    f"{error}; {'; '.join(left) or after_undo or 'nothing was changed'}"
                ) from error
            raise


def _undo(done: Sequence[Step], say: Callable[[str], None]) -> list[str]:
    """Take the steps back, the last first; return a line for each that could not be."""
    left = []
    for step in reversed(done):
        try:
            step.undo()
        except EXPECTED as error:
            left.append(f"not taken back: {step.what} ({error})")
            say(left[-1])
    return left
