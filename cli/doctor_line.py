"""What `doctor` hears from the broker: whether it can be reached, what it can do, whom it lets in."""

import http.client
import json
import os
import secrets
import socket
import ssl
from collections.abc import Generator, Iterator

from broker.clients import client
from broker.connection import Capabilities
from broker.credentials import ACCOUNTS, read_credentials
from broker.errors import BrokerProblem, SettingsError
from broker.listeners import EVERYWHERE, LOCAL, Listener
from broker.mosquitto_program import check_version, find_mosquitto
from broker.settings import Settings
from cli.addresses import is_open, where_is
from cli.connecting import NoAnswer, connected
from cli.errors import CannotRun
from cli.finding import Finding, bad, ok, warn
from dashboard.place import has_tls

ANSWER_S = 5.0
"""How long an HTTP server may take; ours answers in milliseconds, on a busy machine not always."""
FIGURES = {"ingest_agent": "agent_port", "predictor_service": "predictor_port", "store": "store_port"}


def broker(settings: Settings) -> Iterator[Finding]:
    """Say what can be said of the broker; without one, of its program and its port."""
    if settings.broker.manage:
        yield _program()
    if not is_open(settings.broker):
        yield _closed(settings)
        return
    yield ok("broker", f"something listens on {where_is(settings.broker)}")
    by_password = []
    for account in ACCOUNTS:
        let_in = yield from _account(settings, account)
        if let_in is None:
            return
        by_password.append(let_in)
    if all(by_password):
        yield from _strangers(settings)


def _program() -> Finding:
    try:
        return ok("broker", f"Mosquitto {check_version(find_mosquitto())} is installed")
    except BrokerProblem as problem:
        return bad("broker", str(problem))


def _closed(settings: Settings) -> Finding:
    where = where_is(settings.broker)
    if settings.broker.manage:
        return warn(
            "broker", f"nothing listens on {where}", "start Tailorbird: ./tailorbird up, or systemctl start"
        )
    return bad("broker", f"nothing listens on {where}", "start that broker, or change [broker] host and port")


def _account(settings: Settings, account: str) -> Generator[Finding, None, bool | None]:
    """Connect as an account, without a subscription and without a word.

    Return whether it is let in by its password; None where nobody answers.
    """
    try:
        given = read_credentials(settings.broker.credentials, account)
        connection = client(settings, account, _name(), [])
    except SettingsError:
        return False  # said where the credentials are looked at
    who = account if given is not None else f"{account}, without a password,"
    try:
        with connected(connection, settings.broker):
            yield ok("accounts", f"the broker lets {who} in")
            if account == "reader":
                yield from _abilities(connection.capabilities, settings.broker.max_packet_bytes)
    except NoAnswer as error:
        yield bad("broker", str(error), "is it a broker, and well? Or name another [broker] port")
        return None
    except CannotRun as error:
        yield bad("accounts", f"{account}: {error}", _advice(settings))
        return False
    return given is not None


def _strangers(settings: Settings) -> Iterator[Finding]:
    """Connect as nobody: where all our accounts are let in by a password, nobody is to be without."""
    own = "ours does not: another broker has the port; stop it, or name another [broker] port"
    advice = own if settings.broker.manage else "have it ask for one (Mosquitto: allow_anonymous false)"
    try:
        with connected(client(settings, None, _name(), []), settings.broker):
            yield bad("accounts", "the broker lets anybody in, without a password", advice)
    except NoAnswer as error:
        yield bad("broker", str(error))
    except CannotRun:
        yield ok("accounts", "the broker lets nobody in without a password")


def _name() -> str:
    return f"doctor-{os.getpid()}-{secrets.token_hex(4)}"


def _advice(settings: Settings) -> str:
    if settings.broker.manage:
        return "another broker has the port, or ours was started with other passwords: restart Tailorbird"
    return f"give the broker this account, or put its password into {settings.broker.credentials}"


def _abilities(found: Capabilities, wanted_bytes: int) -> Iterator[Finding]:
    """Say what the broker named in its CONNACK, as far as the line needs it."""
    most = found.maximum_packet_size
    said = "no limit of a message's size" if most is None else f"messages of up to {most:,} bytes"
    if most is not None and most < wanted_bytes:
        advice = (
            f"below [broker] max_packet_bytes = {wanted_bytes:,}: raise the broker's limit, or lower the key"
        )
        yield warn("broker", f"the broker takes {said}", advice)
    else:
        yield ok("broker", f"the broker takes {said}, and {found.receive_maximum:,} unanswered ones")
    if not found.shared_subscription_available:
        yield warn(
            "broker", "the broker has no shared subscriptions", "run one predictor only, or another broker"
        )
    if not found.retain_available:
        yield warn(
            "broker", "the broker retains nothing", "agents wait for the model's name, `status` is blind"
        )
    if found.maximum_qos < 1:
        yield bad("broker", "the broker does not offer QoS 1", "another broker is needed")


def services(settings: Settings) -> Iterator[Finding]:
    """Say what `status` is not content with."""
    from cli.status import look

    if not is_open(settings.broker):
        return
    report = look(settings)
    advice = "./tailorbird status, and the logs: docs/how-to/run-it-for-good.md"
    for trouble in dict.fromkeys(report.trouble):
        yield bad("services", trouble, advice)
    if not report.trouble:
        yield ok("services", f"{len(report.services)} are online, and canaries come back")


def ports(settings: Settings) -> Iterator[Finding]:
    """Say where the page answers; of its port, and of the figures', whether somebody else has them.

    Who has the broker's is found out by the accounts.
    """
    page, metrics = settings.dashboard, settings.metrics
    host = LOCAL if page.host in EVERYWHERE else page.host
    if page.enabled and page.port:
        if _is_the_page(host, page.port, tls=has_tls(page)):
            yield ok("page", f"it answers on {Listener(host, page.port, tls=False).address}")
        else:
            yield _port("[dashboard] port", host, page.port, "if not the page: another port")
    for service, key in FIGURES.items():
        port = getattr(metrics, key)
        if port and not _is_ours(metrics.host, port, service):
            yield _port(f"[metrics] {key}", metrics.host, port, "it is not ours: name another port, or 0")


def _port(key: str, host: str, port: int, advice: str) -> Finding:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.settimeout(1.0)
        taken = probe.connect_ex((host, port)) == 0
    if taken:
        return warn("ports", f"something listens on {host}:{port}, {key}", advice)
    return ok("ports", f"{host}:{port} is free for {key}")


def _is_ours(host: str, port: int, service: str) -> bool:
    """Tell whether a service of ours answers there."""
    try:
        found = json.loads(_answer(host, port, "/health"))
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("service") == service


def _is_the_page(host: str, port: int, *, tls: bool) -> bool:
    return any(b"Tailorbird</title>" in _answer(host, port, path, tls=tls) for path in ("/login", "/"))


def _answer(host: str, port: int, path: str, *, tls: bool = False) -> bytes:
    """Return what an HTTP server says, nothing where there is none; with TLS, whoever it is."""
    context = ssl._create_unverified_context() if tls else None  # noqa: S323, SLF001 - nothing is sent
    connection = (
        http.client.HTTPConnection(host, port, timeout=ANSWER_S)
        if context is None
        else http.client.HTTPSConnection(host, port, timeout=ANSWER_S, context=context)
    )
    try:
        connection.request("GET", path)
        return connection.getresponse().read(100_000)
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()
