"""Tests of the command line as a whole: usage errors, exit codes, help."""

import os
from pathlib import Path

import pytest
from typer.main import get_command

from broker import VERSION
from cli.application import app, main
from tests.cli.conftest import RunCli

GOLDEN = Path(__file__).parent / "golden" / "help.txt"
GROUPS = ("bench", "client", "config", "labels", "models", "tls")


def commands() -> list[str]:
    """Return every command by its name, those of groups with two words."""
    found = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        found += [f"{name} {word}" for word in command.commands] if name in GROUPS else [name]
    return found


def test_help_is_as_documented(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed option is a visible difference: golden/help.txt is what people script against."""
    monkeypatch.setenv("COLUMNS", "80")
    for name in ["", *commands()]:
        assert 0 == main([*name.split(), "--help"])
        print()  # noqa: T201 - into the captured text
    texts = [capsys.readouterr().out]
    found = "\n".join(line.rstrip() for line in "\n".join(texts).splitlines()) + "\n"
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.write_text(found)
    assert GOLDEN.read_text() == found


def test_unknown_command_is_a_usage_error_in_one_line(cli: RunCli) -> None:
    """Exit code 2, and no traceback."""
    done = cli("clasify", "x")
    assert 2 == done.returncode
    assert "tailorbird: No such command 'clasify'." in done.stderr
    assert 1 == done.stderr.count("\n")


def test_unknown_option_is_a_usage_error_in_one_line(cli: RunCli) -> None:
    """The line names the option."""
    done = cli("status", "--jsn")
    assert 2 == done.returncode
    assert "--jsn" in done.stderr
    assert 1 == done.stderr.count("\n")


def test_no_command_shows_the_help(cli: RunCli) -> None:
    """Which is a usage error as well: nothing was done."""
    done = cli()
    assert 2 == done.returncode
    assert "Commands:" in done.stdout


def test_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The version of the whole project."""
    assert 0 == main(["--version"])
    assert f"tailorbird {VERSION}\n" == capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["jobs", "--limit", "x"], "'--limit': expected a whole number"),
        (["jobs", "--limit", "0"], "'--limit': must not be below 1"),
        (["bench", "model", "--seconds", "soon"], "'--seconds': expected a number"),
    ],
)
def test_wrong_numbers_are_told_in_our_words(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not in those of the library that checks them."""
    assert 2 == main(arguments)
    assert f"tailorbird: Invalid value for {said}: see ./tailorbird --help\n" == capsys.readouterr().err
