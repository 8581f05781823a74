"""`install` and `uninstall` as they are typed: what stands in the way is one line."""

from pathlib import Path

import pytest

from cli.application import main
from cli.errors import CANNOT_RUN, USAGE


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that systemd runs, and root; nothing of it is changed by what is refused."""
    monkeypatch.setattr("cli.installing.machine.BOOTED", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("os.umask", lambda _: 0)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that cannot be done; return its one line."""
    assert CANNOT_RUN == main(arguments)
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_without_root_one_line_says_what_to_type(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    """Nothing was begun."""
    monkeypatch.setattr("cli.installing.machine.BOOTED", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert f"tailorbird: this needs root: type sudo ./tailorbird {command}" == refused(capsys, command)


def test_without_systemd_one_line_names_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A container has none, and `up` does there."""
    monkeypatch.setattr("cli.installing.machine.BOOTED", tmp_path / "none")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    line = refused(capsys, "install")
    assert line.startswith("tailorbird: systemd does not run this machine")
    assert line.endswith("use ./tailorbird up")


def test_without_mosquitto_one_line_says_what_to_type(
    as_root: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is stopped."""
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    line = refused(capsys, "install")
    assert line.startswith("tailorbird: mosquitto_passwd is not installed; type: sudo apt install mosquitto")


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--inbox", "/home/anna/photos", "services do not see"),
        ("--inbox", "/tmp/photos", "services do not see"),
        ("--prefix", "/root/tailorbird", "services do not see"),
        ("--prefix", "/opt/a b", "expected a whole path"),
        ("--prefix", "tailorbird", "expected a whole path"),
        ("--environment", "/srv/none", "there is no Python in /srv/none"),
        ("--services", "agent", "without a broker here"),
    ],
)
def test_place_that_cannot_be_is_one_line(
    as_root: None, capsys: pytest.CaptureFixture[str], option: str, value: str, why: str
) -> None:
    """And nothing was begun."""
    assert why in refused(capsys, "install", option, value)


@pytest.mark.parametrize("services", ["agents", "", "agent,dashbord"])
def test_unknown_service_is_a_usage_error(
    as_root: None, capsys: pytest.CaptureFixture[str], services: str
) -> None:
    """The line names those that there are."""
    assert USAGE == main(["install", "--services", services])
    assert "expected some of broker,store,predictor,agent,dashboard" in capsys.readouterr().err


def test_dry_run_lists_the_steps_and_needs_no_root(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its number, as it would be said while it is done."""
    assert 0 == main(["install", "--dry-run", "--predictors", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(" 1. ")
    assert lines[-1].endswith("a canary came through")


def test_nothing_to_uninstall_is_one_line(
    as_root: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Typed twice, the second time says so."""
    monkeypatch.setattr("cli.installing.plan.removal", lambda *_, **__: [])
    assert "tailorbird: nothing is installed" == refused(capsys, "uninstall")
