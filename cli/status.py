"""`status`: which services run, and whether images flow."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from broker.errors import BrokerProblem, SettingsError
from broker.flow import canary_troubles, service_troubles
from broker.listeners import Listener, named_listener
from broker.messages import ModelAnnouncement, Status
from broker.settings import Broker, Settings
from broker.topics import Topics
from broker.up_record import running_broker
from cli.canaries import shown
from cli.errors import OK, PROBLEM, CannotRun
from cli.given import given
from cli.screen import answers, printable, table

QUIET_S = 0.3
"""Retained messages come at once; after this long without one there are no more."""
MISSING_S = 3.0
"""So long without one while a service is missing, which a busy broker may just not have come to."""
LONGEST_S = 10.0
"""Longer than this nobody is listened to."""


@dataclass
class Report:
    """What was found; `trouble` is empty when all is well."""

    services: list[dict[str, Any]] = field(default_factory=list)
    broker: dict[str, Any] = field(default_factory=dict)
    database: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] | None = None
    images_in_flight: int | None = None
    canaries: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what runs, and whether images flow.

    The services, the broker, the database and the images in flight. Exit code 1 when something is off.
    """
    report = look(given(context).settings)
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2, ensure_ascii=False))
    else:
        show(report)
    raise typer.Exit(PROBLEM if report.trouble else OK)


def look(settings: Settings) -> Report:
    """Ask the broker and the database."""
    report = Report()
    _ask_broker(settings, report)
    _ask_database(settings, report)
    report.trouble += service_troubles(report.services)
    canaries = None if "error" in report.database else report.canaries
    every_s = settings.ingest_agent.canary_s
    report.trouble += canary_troubles(report.services, canaries, every_s, datetime.now(UTC))
    return report


def _ask_broker(settings: Settings, report: Report) -> None:
    from cli.reader import Reader

    topics = Topics(settings.broker.root)
    heard: list[object] = []
    broker = settings.broker
    report.broker = {"host": broker.host, "port": broker.port, "managed": broker.manage, "reachable": True}
    _look_at_certificate(broker, report)
    try:
        with Reader(settings, [topics.status(), topics.model()]) as reader:
            reader.connect()
            heard = _retained(reader)
    except CannotRun as error:
        report.broker["reachable"] = False
        report.trouble.append(str(error))
    for message in heard:
        if isinstance(message, ModelAnnouncement):
            report.model = {"version": message.version, "engine": message.engine}
    report.services = [*_child_broker(settings, report), *_services(heard)]


def _look_at_certificate(broker: Broker, report: Report) -> None:
    """Say how long the certificate that clients outside see is valid."""
    if not broker.manage or not named_listener(broker).tls:
        return
    from broker.certificates import SOON_DAYS, validity_of

    try:
        validity = validity_of(broker.tls_certificate)
    except BrokerProblem as problem:
        report.trouble.append(str(problem))
        return
    report.broker["certificate_ends_at"] = validity.ends_at.isoformat()
    days = validity.left_days(datetime.now(UTC))
    if days < SOON_DAYS:
        ends = f"ends in {days:.0f} days" if days > 0 else "has expired, so that no client outside connects"
        report.trouble.append(f"the broker's certificate {ends}: {_what_renews(broker, validity.ends_at)}")


def _what_renews(broker: Broker, ends_at: datetime) -> str:
    """Say what makes a new certificate that lasts longer than this one."""
    from broker.certificates import validity_of

    try:
        goes_on = validity_of(broker.tls_certificate.with_name("ca.crt")).ends_at > ends_at
    except BrokerProblem:
        goes_on = True
    if goes_on:
        return "./tailorbird tls renew"
    return "its authority ends with it: ./tailorbird tls init --force, and the new ca.crt to every client"


def _retained(reader: Any) -> list[object]:
    messages: list[object] = []
    last = time.monotonic()
    end = last + LONGEST_S
    while True:
        quiet_s = MISSING_S if service_troubles(_services(messages)) else QUIET_S
        left_s = min(end, last + quiet_s) - time.monotonic()
        if left_s <= 0:
            return messages
        if heard := [message for _, message in reader.hear(left_s)]:
            messages += heard
            last = time.monotonic()


def _services(messages: Sequence[object]) -> list[dict[str, Any]]:
    """Return the latest word of each service."""
    found = {(one.service, one.instance): one for one in messages if isinstance(one, Status)}
    return [_as_dict(found[key]) for key in sorted(found)]


def _as_dict(message: Status) -> dict[str, Any]:
    names = ("service", "instance", "pid", "host", "state", "since", "version", "detail")
    return {name: getattr(message, name) for name in names}


def _child_broker(settings: Settings, report: Report) -> list[dict[str, Any]]:
    """Return the broker as a service, where `up` runs it on this machine."""
    found = running_broker(settings.paths.state)
    if found is None:
        return []
    report.broker["version"] = found.version
    state = "online" if report.broker["reachable"] else "offline"
    return [{"service": "broker", **asdict(found), "state": state, "detail": {}}]


def _ask_database(settings: Settings, report: Report) -> None:
    from store import queries

    try:
        with queries.reading(settings.store) as connection:
            totals = queries.totals(connection)
            report.database = {**asdict(queries.facts(connection, settings.store)), **asdict(totals)}
            report.images_in_flight = totals.in_flight
            report.canaries = [asdict(canary) for canary in queries.canaries(connection)]
            report.alerts = [asdict(alert) for alert in queries.alerts(connection, state="open")]
    except SettingsError as error:
        report.database = {"error": str(error)}
        report.trouble.append(str(error))


def show(report: Report) -> None:
    """Print the report for a person."""
    columns = ("service", "instance", "state", "pid", "host", "since", "version")
    table(columns, [[service[column] for column in columns] for service in report.services])
    out = answers().print
    out("")
    broker, database = report.broker, report.database
    reachable = "reachable" if broker["reachable"] else "not reachable"
    until = f", certificate until {ends[:10]}" if (ends := broker.get("certificate_ends_at")) else ""
    out(f"broker     {Listener(broker['host'], broker['port'], tls=False).address}, {reachable}{until}")
    if report.model is not None:
        out(f"model      {report.model['version']} in {report.model['engine']}")
    if "error" not in database:
        size = f", {database['size_bytes'] / 1e6:,.1f} MB" if database["size_bytes"] is not None else ""
        out(f"database   {database['url']}{size}")
        rows = ", ".join(f"{database[name]:,} {name}" for name in ("predictions", "failures", "rejects"))
        out(f"           {rows}, {database['open_jobs']:,} of {database['jobs']:,} jobs open")
        out(f"in flight  {report.images_in_flight:,} images")
    for canary in report.canaries:
        out(f"canary     {shown(canary)}")
    for alert in report.alerts:
        out(printable(f"alert      {alert['rule']}: {alert['detail']}"))
    for trouble in report.trouble:
        out(f"trouble    {trouble}")
