"""SIGHUP: the configuration is read again, what is safe is taken over, and the rest is named.

A service says with `Live` which keys it takes over while it runs. Whatever else has changed, as far as it
concerns the service, needs a restart: one line for each such key, which names what is to be restarted. A
wrong file is one line; nothing changes. What was taken over and what still waits must go together as well: a
key for which they would not keeps its value, and its line says why.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from broker.errors import SettingsError
from broker.listeners import own_listener
from broker.settings import Settings
from broker.settings_agreement import troubles

if TYPE_CHECKING:
    from broker.line import Line

RESTART = "setting-needs-restart"
ALWAYS_LIVE = frozenset({"log.level", "log.format", "log.prefix", "health.stuck_s"})
EVERYBODY = ("paths", "broker", "log", "health")
CONCERNS: Mapping[str, tuple[str, ...]] = {
    "ingest_agent": (*EVERYBODY, "ingest_agent", "model.bundle", "metrics.host", "metrics.agent_port"),
    "predictor_service": (
        *EVERYBODY,
        *("predictor_service", "model", "store.keep_pixels_days"),
        *("metrics.host", "metrics.predictor_port"),
    ),
    "store": (
        *EVERYBODY,
        *("store", "monitor", "upkeep", "ingest_agent.canary_s"),
        *("metrics.host", "metrics.store_port"),
    ),
}
"""The sections, and single keys of others' sections, that a service reads."""
BROKERS_OWN = frozenset(
    f"broker.{key}" for key in ("tls_certificate", "tls_key", "allow_plain", "memory_mb", "max_clients")
)
"""Keys that only the managed broker reads."""
BROKERS_TOO = frozenset(f"broker.{key}" for key in ("manage", "root", "credentials", "max_packet_bytes"))
"""Keys that the managed broker reads as every service does."""
LISTENERS = frozenset(f"broker.{key}" for key in ("host", "port", "tls", "local_port"))
"""Keys that say where the managed broker listens, and by that perhaps where a service finds it."""
NOT_READ = frozenset({"predictor_service.instances", "predictor_service.shadow", "model.training_data"})
"""Keys that only `up` reads."""


@dataclass(frozen=True)
class Live:
    """The keys (`section.key`) that a service takes over while it runs, and how."""

    keys: frozenset[str] = frozenset()
    apply: Callable[[Settings], None] = lambda _: None


def changed_keys(before: Settings, after: Settings) -> list[str]:
    """Return the keys, as `section.key`, whose values differ."""
    return [
        f"{section}.{key}"
        for section in before.__struct_fields__
        for key in getattr(before, section).__struct_fields__
        if _value(before, section, key) != _value(after, section, key)
    ]


def concerns(service: str, key: str) -> bool:
    """Tell whether a service reads a key."""
    return any(key == one or key.startswith(f"{one}.") for one in CONCERNS.get(service, ())) and (
        key not in NOT_READ
    )


def to_restart(key: str, before: Settings, after: Settings) -> str:
    """Say who must be restarted for a key, "" when nobody reads it."""
    if not (before.broker.manage or after.broker.manage):
        return "" if key in BROKERS_OWN else "this service"
    if key in LISTENERS and own_listener(before.broker) == own_listener(after.broker):
        return "the broker"
    if key in BROKERS_OWN:
        return "the broker"
    return "the broker and this service" if key in LISTENERS | BROKERS_TOO else "this service"


def taken_over(before: Settings, after: Settings, live: list[str]) -> Settings:
    """Return the settings with those of the keys that go together with what stays.

    One after the other, and again those that went only with a later one.
    """
    waiting = live
    while True:
        left = []
        for key in waiting:
            tried = with_keys(before, after, [key])
            if troubles(tried):
                left.append(key)
            else:
                before = tried
        if len(left) == len(waiting):
            return before
        waiting = left


def with_keys(before: Settings, after: Settings, keys: list[str]) -> Settings:
    """Return the settings as they were, but for these keys."""
    sections: dict[str, dict[str, Any]] = {}
    for name in keys:
        section, key = name.split(".")
        sections.setdefault(section, {})[key] = _value(after, section, key)
    return msgspec.structs.replace(
        before,
        **{name: msgspec.structs.replace(getattr(before, name), **new) for name, new in sections.items()},
    )


def _value(settings: Settings, section: str, key: str) -> Any:
    return getattr(getattr(settings, section), key)


class Reloading:
    """The settings that are in force, and the wish to read them again.

    `request` may be called in a signal handler; `step` is for the service's loop.
    """

    def __init__(
        self, settings: Settings, read: Callable[[], Settings], general: Callable[[Settings], None]
    ) -> None:
        self.settings = settings
        self._read = read
        self._general = general
        self._wanted = False

    def request(self) -> None:
        """Have the next step read the settings again."""
        self._wanted = True

    def step(self, line: "Line") -> None:
        """Read the settings again, if that was asked for."""
        if self._wanted:
            self._wanted = False
            line.health.reloaded(lambda: self._reload(line))

    def _reload(self, line: "Line") -> None:
        try:
            after = self._read()
        except SettingsError as error:
            line.event("error", "settings-not-reloaded", f"{error}; the old ones stay")
            return
        changed = changed_keys(self.settings, after)
        keys = [key for key in changed if concerns(line.service, key)]
        live = [key for key in keys if key in ALWAYS_LIVE or key in line.live.keys]
        others = [key for key in changed if key not in keys]  # it reads them only to see what goes together
        before = self.settings
        self.settings = taken_over(before, after, [*others, *live])
        self._general(self.settings)
        line.live.apply(self.settings)
        told = [
            _taken(key, after, self.settings) if key in live else _waiting(key, before, after) for key in keys
        ]
        for level, event, detail in filter(None, told):
            line.event(level, event, detail)
        if not any(told):
            line.event("info", "settings-reloaded", "nothing that concerns this service has changed")


Told = tuple[Literal["info", "warning"], str, str]


def _waiting(key: str, before: Settings, after: Settings) -> Told | None:
    """Say who is to be restarted for a changed key."""
    who = to_restart(key, before, after)
    shown = "[{}] {}".format(*key.split("."))
    return ("warning", RESTART, f"{shown} has changed: restart {who} for it") if who else None


def _taken(key: str, after: Settings, now: Settings) -> Told:
    """Say whether a key that can be taken over was."""
    section, name = key.split(".")
    shown, value = f"[{section}] {name}", _value(now, section, name)
    if value == _value(after, section, name):
        return "info", "setting-changed", f"{shown} is {value} from now on"
    wrong = troubles(with_keys(now, after, [key]))
    why = "; ".join(f"[{one}] {other}: {trouble}" for one, other, trouble in wrong)
    return "warning", RESTART, f"{shown} stays {value} until this service is restarted, else {why}"
