"""A list of steps is done in order and taken back in reverse."""

import os
import signal
from pathlib import Path

import pytest

from cli.errors import CannotRun
from cli.installing.machine import alone
from cli.installing.steps import Step, perform


class Tried:
    """Writes down what was done and undone."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def step(self, name: str, fails: BaseException | None = None, stuck: Exception | None = None) -> Step:
        """Return a step that may fail, and that may fail to be taken back."""

        def do() -> None:
            self.log.append(f"do {name}")
            if fails is not None:
                raise fails

        def undo() -> None:
            self.log.append(f"undo {name}")
            if stuck is not None:
                raise stuck

        return Step(name, do, undo)


def test_steps_are_said_and_done_in_order() -> None:
    """And nothing is undone when all went well."""
    tried, said = Tried(), list[str]()
    perform([tried.step("a"), tried.step("b")], said.append)
    assert ["do a", "do b"] == tried.log
    assert ["a", "b"] == said


def test_failed_step_takes_back_itself_and_what_came_before() -> None:
    """It may be done by half; what comes after is not begun. One line has the reason and the outcome."""
    tried = Tried()
    steps = [tried.step("a"), tried.step("b", CannotRun("no room")), tried.step("c")]
    with pytest.raises(CannotRun, match=r"^no room; all is as it was$"):
        perform(steps, lambda _: None, "all is as it was")
    assert ["do a", "do b", "undo b", "undo a"] == tried.log


def test_what_cannot_be_taken_back_is_named_and_the_rest_is() -> None:
    """The line says so instead of claiming that all is well."""
    tried = Tried()
    steps = [tried.step("a"), tried.step("b", stuck=OSError("gone")), tried.step("c", CannotRun("no"))]
    with pytest.raises(CannotRun, match=r"^no; not taken back: b \(gone\)$"):
        perform(steps, lambda _: None, "all is as it was")
    assert ["undo c", "undo b", "undo a"] == tried.log[-3:]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError()])
def test_interruption_and_defect_take_back_too(error: BaseException) -> None:
    """Ctrl-C in the middle leaves no half of an installation; a defect is not dressed up."""
    tried = Tried()
    said = list[str]()
    with pytest.raises(type(error)):
        perform([tried.step("a"), tried.step("b", error)], said.append, "all is as it was")
    assert ["undo b", "undo a"] == tried.log[-2:]
    assert "all is as it was" == said[-1]


def test_broken_connection_takes_back_and_is_not_disturbed() -> None:
    """A terminal that is gone ends the command, but not what brings the machine back."""
    tried = Tried()

    away = list[bool]()

    def gone() -> None:
        away.append(True)
        os.kill(os.getpid(), signal.SIGHUP)

    def undo() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        tried.log.append("undone")

    def say(_: str) -> None:
        if away:
            raise OSError("no terminal")

    with pytest.raises(KeyboardInterrupt):
        perform([tried.step("a"), Step("b", gone, undo)], say)
    assert ["do a", "undone", "undo a"] == tried.log


def test_second_installation_at_the_same_time_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One line, and the first goes on."""
    monkeypatch.setattr("cli.installing.machine.LOCK", tmp_path / "lock")
    with alone(), pytest.raises(CannotRun, match="is under way"), alone():
        pass
