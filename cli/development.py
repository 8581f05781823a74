"""`test` and `check`: what a commit needs."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from broker.settings_reader import PROJECT
from cli.errors import OK, PROBLEM, CannotRun
from cli.screen import say

SHARED = ("-n", "logical", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder")
"""All tests at once: a process for each core, up to what a small machine's memory holds."""
Arguments = Annotated[
    list[str],
    typer.Argument(default_factory=list, metavar="[-- ARGUMENTS]", help="For pytest.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(test)
    app.command()(check)


def test(arguments: Arguments) -> None:
    """Run the tests; what follows -- goes to pytest."""
    raise typer.Exit(_run("tests", _pytest(arguments)))


def check(
    arguments: Arguments,
    fuzz_s: Annotated[
        int, typer.Option("--fuzz-seconds", min=0, help="For each fuzz target; 0: do not fuzz.")
    ] = 10,
) -> None:
    """Run format, lint, types, tests and a short fuzzing."""
    steps = {
        "format": ["ruff", "format", "--check", "."],
        "lint": ["ruff", "check", "."],
        "types": ["mypy", "."],
        "tests": _pytest(arguments),
        **({"fuzz": ["tests.fuzz", "--seconds", str(fuzz_s)]} if fuzz_s else {}),
    }
    codes = {name: _run(name, step) for name, step in steps.items()}
    failed = [name for name, code in codes.items() if code != OK]
    say(f"not in order: {', '.join(failed)}" if failed else "all in order")
    raise typer.Exit(PROBLEM if failed else OK)


def _pytest(arguments: Sequence[str]) -> list[str]:
    """With arguments it is a few tests, in one process: those are sooner there, and --pdb works."""
    return ["pytest", *(arguments or SHARED)]


def _run(name: str, module: Sequence[str]) -> int:
    """Run a tool of the environment in the project's folder; its output is shown as it comes."""
    say(f"-- {name}")
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    environment.pop("PYTHONSAFEPATH", None)
    try:
        return subprocess.run(  # noqa: S603 - our own tools
            [sys.executable, "-m", *module], cwd=PROJECT, env=environment, check=False
        ).returncode
    except OSError as error:
        raise CannotRun(f"{module[0]}: {error.strerror}") from error
