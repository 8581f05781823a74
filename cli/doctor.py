"""`doctor`: looks at everything, says what to do, and changes nothing unless it is asked to."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import typer

from broker.errors import SettingsError
from broker.settings_reader import Loaded
from cli.errors import OK, PROBLEM
from cli.finding import Finding, bad, ok, warn
from cli.given import given
from cli.screen import answers, printable, say

WORDS = {"ok": "ok  ", "warn": "warn", "bad": "BAD "}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    context: typer.Context,
    fix: Annotated[
        bool, typer.Option("--fix", help="Make missing folders, and set rights that are wrong.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look at everything, and say what to do.

    Configuration, files, disk, broker, database, model, clock, units. Exit code 1 when something is bad.
    """
    try:
        loaded = given(context).loaded
    except SettingsError as error:
        findings = [bad("configuration", str(error), "nothing else can be looked at before this is right")]
    else:
        findings = list(look(loaded))
        if fix and mended(findings):
            findings = list(look(loaded))
    if as_json:
        typer.echo(
            json.dumps({"findings": [_as_dict(one) for one in findings]}, indent=2, ensure_ascii=False)
        )
    else:
        show(findings)
    raise typer.Exit(PROBLEM if any(one.state == "bad" for one in findings) else OK)


def look(loaded: Loaded) -> Iterator[Finding]:
    """Yield what is found, part by part; one that breaks down is a finding too, and the others go on."""
    from cli import doctor_data, doctor_files, doctor_line, doctor_rights, doctor_system

    settings = loaded.settings
    yield ok("configuration", f"{loaded.file or 'the defaults'}: every key is known, every value fits")
    parts: Sequence[Callable[[], Iterator[Finding]]] = (
        lambda: doctor_files.folders(settings),
        lambda: doctor_files.owners(settings),
        lambda: doctor_files.credentials(settings),
        lambda: doctor_rights.clients(settings),
        lambda: doctor_rights.accounts(settings),
        lambda: doctor_rights.rights(settings),
        lambda: doctor_files.room(settings, doctor_files.database_file(settings)),
        lambda: doctor_files.watches(settings),
        doctor_system.clock,
        lambda: doctor_data.database(settings),
        lambda: doctor_data.backups(settings),
        lambda: doctor_data.bundle(settings),
        lambda: doctor_line.broker(settings),
        lambda: doctor_line.services(settings),
        lambda: doctor_line.ports(settings),
        lambda: doctor_system.certificates(settings),
        lambda: doctor_system.units(settings),
    )
    for part in parts:
        yield from _guarded(part)


def _guarded(part: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from part()
    except PermissionError as error:
        yield warn(
            "rights", f"{error.filename}: may not be looked at", "ask as the services' user, or as root"
        )
    except (SettingsError, OSError) as error:
        yield bad("doctor", " ".join(str(error).split()))


def mended(findings: Sequence[Finding]) -> bool:
    """Do what is safe, and say each; tell whether anything was done."""
    done = False
    for one in findings:
        if one.mend is None:
            continue
        try:
            one.mend.do()
        except OSError as error:
            say(f"cannot: {one.mend.said}: {error.strerror}")
        else:
            say(f"fixed: {one.mend.said}")
            done = True
    return done


def _as_dict(one: Finding) -> dict[str, Any]:
    return {
        "about": one.about,
        "state": one.state,
        "said": one.said,
        "advice": one.advice,
        "fixable": one.mend is not None,
    }


def show(findings: Sequence[Finding]) -> None:
    """Print a line for each finding, and how many are not well."""
    out = answers().print
    for one in findings:
        advice = f" -> {one.advice}" if one.advice else ""
        fixable = " (--fix does it)" if one.mend is not None and "--fix" not in one.advice else ""
        out(printable(f"{WORDS[one.state]}  {one.about:13} {one.said}{advice}{fixable}"))
    counts = {state: sum(one.state == state for one in findings) for state in WORDS}
    out(f"{counts['bad']} bad, {counts['warn']} warnings, {counts['ok']} in order")
