"""Values of the configuration that are well by themselves and do not go together."""

from collections.abc import Iterator, Mapping

from broker.errors import SettingsError
from broker.listeners import is_local, named_listener, own_listener, wrong_host
from broker.settings import DECODE_PATIENCE, Broker, Dashboard, IngestAgent, Settings

Trouble = tuple[str, str, str]
"""Section, key, and what is wrong with it."""


def agree(settings: Settings, origins: Mapping[str, str]) -> None:
    """Raise SettingsError, with the key's file or variable, for the first values that do not go together."""
    for section, key, trouble in troubles(settings)[:1]:
        raise SettingsError(f"{origins[f'{section}.{key}']}: [{section}] {key}: {trouble}")


def troubles(settings: Settings) -> list[Trouble]:
    """Return what does not go together."""
    return [
        *_broker(settings.broker),
        *_agent(settings.ingest_agent),
        *_health(settings),
        *_dashboard(settings.dashboard),
        *_folders(settings),
        *_ports(settings),
    ]


def _agent(agent: IngestAgent) -> Iterator[Trouble]:
    if agent.resend_max_s < agent.resend_min_s:
        least = f"expected at least resend_min_s ({agent.resend_min_s:g}), not {agent.resend_max_s:g}"
        yield "ingest_agent", "resend_max_s", least


def _broker(broker: Broker) -> Iterator[Trouble]:
    if wrong := wrong_host(broker.host):
        yield "broker", "host", wrong
    if broker.host.startswith("/") and broker.tls == "on":
        yield "broker", "tls", "a unix socket has no TLS"
    if not is_local(broker.host) and broker.tls == "off" and not broker.allow_plain:
        why = f"off, and {broker.host} is not loopback: passwords would travel for all to read"
        yield "broker", "tls", f'{why}; take "auto", or set allow_plain = true if that is meant'


def _folders(settings: Settings) -> Iterator[Trouble]:
    """Say what lies in the inbox, where it is taken for photos, and clerks may change it."""
    inbox = settings.ingest_agent.inbox
    for key, folder in (
        ("[paths] state", settings.paths.state),
        ("[broker] credentials", settings.broker.credentials),
    ):
        if folder.is_relative_to(inbox):
            yield "ingest_agent", "inbox", f"expected a folder without {key}, {folder}, in it, not {inbox}"
    if settings.upkeep.backups.is_relative_to(inbox):
        yield "upkeep", "backups", f"expected a folder outside the inbox, {inbox}"


def _ports(settings: Settings) -> Iterator[Trouble]:
    """Each port of this machine has one service; that addresses differ is no reason to share one."""
    seen: dict[int, str] = {}
    for section, key, port in _listening(settings):
        if port in seen and seen[port] != f"[{section}] {key}":
            yield section, key, f"expected another port than {seen[port]} ({port})"
        seen.setdefault(port, f"[{section}] {key}")


def _listening(settings: Settings) -> Iterator[tuple[str, str, int]]:
    broker, metrics = settings.broker, settings.metrics
    if not broker.host.startswith("/") and (broker.manage or is_local(broker.host)):
        yield "broker", "port", broker.port
    if broker.manage and named_listener(broker) != own_listener(broker):
        yield "broker", "local_port", broker.local_port
    yield "dashboard", "port", settings.dashboard.port
    for key in ("agent_port", "store_port"):
        if port := getattr(metrics, key):
            yield "metrics", key, port
    if metrics.predictor_port:
        for number in range(settings.predictor_service.instances):
            yield "metrics", "predictor_port", metrics.predictor_port + number


def _health(settings: Settings) -> Iterator[Trouble]:
    own = settings.ingest_agent
    least_s = DECODE_PATIENCE * own.decode_s
    if own.decode_in == "process" and settings.health.stuck_s < least_s:
        why = f"at least {DECODE_PATIENCE} times [ingest_agent] decode_s ({least_s:g})"
        yield "health", "stuck_s", f"expected {why}, not {settings.health.stuck_s:g}"
    metrics = settings.metrics
    if not metrics.remote and not is_local(metrics.host):
        why = "whoever reaches it reads the figures; [metrics] remote = true says that this is meant"
        yield "metrics", "host", f"expected an address of loopback, not {metrics.host!r}: {why}"


def _dashboard(page: Dashboard) -> Iterator[Trouble]:
    if page.host.startswith("/"):
        yield "dashboard", "host", "expected a name or an address, no unix socket"
    elif wrong := wrong_host(page.host):
        yield "dashboard", "host", wrong
    elif not is_local(page.host) and page.tls == "off" and not page.allow_plain:
        why = f"off, and {page.host} is not loopback: passwords would travel for all to read"
        yield "dashboard", "tls", f'{why}; take "auto", or set allow_plain = true if that is meant'
    if page.session_most_hours < page.session_hours:
        least = f"expected at least session_hours ({page.session_hours:g}), not {page.session_most_hours:g}"
        yield "dashboard", "session_most_hours", least
