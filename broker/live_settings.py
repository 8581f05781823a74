"""SIGHUP: the configuration is read again, what is safe is taken over, and the rest is named.

A service says with `Live` which keys it takes over while it runs. Whatever else has changed, as far as it
concerns the service, needs a restart: one line for each such key. A wrong file is one line; nothing changes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from broker.errors import SettingsError
from broker.settings import Settings

if TYPE_CHECKING:
    from broker.line import Line

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
        keys = [key for key in changed_keys(self.settings, after) if concerns(line.service, key)]
        live = [key for key in keys if key in ALWAYS_LIVE or key in line.live.keys]
        self.settings = with_keys(self.settings, after, live)
        self._general(self.settings)
        line.live.apply(self.settings)
        for key in keys:
            shown = "[{}] {}".format(*key.split("."))
            if key in live:
                line.event(
                    "info", "setting-changed", f"{shown} is {_value(after, *key.split('.'))} from now on"
                )
            else:
                line.event(
                    "warning", "setting-needs-restart", f"{shown} has changed: restart this service for it"
                )
        if not keys:
            line.event("info", "settings-reloaded", "nothing that concerns this service has changed")
