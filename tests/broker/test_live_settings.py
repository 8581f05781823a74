"""SIGHUP: what is taken over, what is named, and what a mistake in the file does."""

from collections.abc import Callable

import pytest

from broker.errors import SettingsError
from broker.line import Line
from broker.live_settings import CONCERNS, Live, Reloading, changed_keys, taken_over
from broker.memory import MemoryBroker
from broker.settings import Settings
from broker.settings_agreement import troubles
from broker.topics import Topics

MakeSettings = Callable[..., Settings]


class Scene:
    """A store that may read changed settings."""

    def __init__(self, settings: Settings) -> None:
        self.line = Line(MemoryBroker().connect("store", []), Topics(), service="store", instance="main")
        self.found: Settings | SettingsError = settings
        self.general: list[Settings] = []
        self.applied: list[Settings] = []
        self.reloading = Reloading(settings, self._read, self.general.append)
        self.line.live = Live(frozenset({"store.group_rows"}), self.applied.append)

    def _read(self) -> Settings:
        if isinstance(self.found, SettingsError):
            raise self.found
        return self.found

    def reload(self, found: Settings | SettingsError) -> list[tuple[str, str]]:
        """Have these settings read; return the events."""
        self.found = found
        self.line._events.clear()
        self.reloading.request()
        self.reloading.step(self.line)
        return [(event.event, event.detail) for event in self.line._events]


@pytest.fixture
def scene(settings: Settings) -> Scene:
    """A store with the defaults."""
    return Scene(settings)


def test_safe_key_is_taken_over_and_told(scene: Scene, make_settings: MakeSettings) -> None:
    """With its new value."""
    port = scene.reloading.settings.broker.port
    after = make_settings(broker={"port": port}, store={"group_rows": 7}, log={"level": "debug"})
    assert [
        ("setting-changed", "[store] group_rows is 7 from now on"),
        ("setting-changed", "[log] level is debug from now on"),
    ] == scene.reload(after)
    assert [7] == [settings.store.group_rows for settings in scene.applied]
    assert ["debug"] == [settings.log.level for settings in scene.general]


def test_other_key_is_named_and_stays_what_it_was(scene: Scene, make_settings: MakeSettings) -> None:
    """Each time, until the restart; its value may be a secret, so it is not shown."""
    before = scene.reloading.settings
    after = make_settings(broker={"port": before.broker.port}, store={"url": "postgresql://u:secret@h/d"})
    said = [("setting-needs-restart", "[store] url has changed: restart this service for it")]
    assert said == scene.reload(after)
    assert said == scene.reload(after)
    assert before.store.url == scene.applied[-1].store.url


def test_key_of_another_service_is_none_of_its_business(scene: Scene, make_settings: MakeSettings) -> None:
    """The store says nothing of the agent's window."""
    after = make_settings(broker={"port": scene.reloading.settings.broker.port}, ingest_agent={"window": 3})
    assert [("settings-reloaded", "nothing that concerns this service has changed")] == scene.reload(after)


def test_wrong_file_is_one_line_and_changes_nothing(scene: Scene) -> None:
    """The old settings stay."""
    before = scene.reloading.settings
    said = scene.reload(SettingsError("c.toml: [store] group_rows: expected a whole number, not 'x'"))
    expected = "c.toml: [store] group_rows: expected a whole number, not 'x'; the old ones stay"
    assert [("settings-not-reloaded", expected)] == said
    assert before is scene.reloading.settings
    assert [] == scene.applied


def test_nothing_is_read_unless_it_was_asked_for(scene: Scene) -> None:
    """A turn of the loop costs nothing."""
    scene.reloading.step(scene.line)
    assert [] == list(scene.line._events)


def test_changed_keys_are_those_whose_values_differ(make_settings: MakeSettings) -> None:
    """By section and key."""
    assert ["store.group_ms", "log.level"] == changed_keys(
        make_settings(), make_settings(store={"group_ms": 5}, log={"level": "error"})
    )


def test_what_a_service_reads_is_named_as_the_settings_are() -> None:
    """A renamed section or key is noticed here."""
    plain = Settings()
    for name in {name for names in CONCERNS.values() for name in names}:
        section, _, key = name.partition(".")
        assert not key or key in getattr(plain, section).__struct_fields__
        assert section in plain.__struct_fields__


@pytest.mark.parametrize(
    ("changed", "who"),
    [
        ({"memory_mb": 500}, "the broker"),
        ({"max_clients": 500}, "the broker"),
        ({"port": 3}, "the broker and this service"),
        ({"root": "other"}, "the broker and this service"),
        ({"keepalive_s": 77}, "this service"),
        ({"memory_mb": 500, "manage": False}, "the broker"),
    ],
)
def test_who_is_to_be_restarted_is_named(
    scene: Scene, make_settings: MakeSettings, changed: dict[str, object], who: str
) -> None:
    """The broker for what only the broker reads."""
    port = scene.reloading.settings.broker.port
    key = next(iter(changed))
    said = scene.reload(make_settings(broker={"port": port, **changed}))
    assert ("setting-needs-restart", f"[broker] {key} has changed: restart {who} for it") in said


def test_outside_port_is_the_brokers_business(make_settings: MakeSettings) -> None:
    """Services keep their own port on loopback."""
    outside = {"host": "0.0.0.0", "local_port": 5}
    scene = Scene(make_settings(broker={**outside, "port": 3}))
    said = scene.reload(make_settings(broker={**outside, "port": 4}))
    assert [("setting-needs-restart", "[broker] port has changed: restart the broker for it")] == said


def test_brokers_keys_are_nobodys_where_it_is_not_ours(make_settings: MakeSettings) -> None:
    """An external broker does not read them."""
    scene = Scene(make_settings(broker={"manage": False, "port": 3}))
    said = scene.reload(make_settings(broker={"manage": False, "port": 3, "memory_mb": 500}))
    assert [("settings-reloaded", "nothing that concerns this service has changed")] == said


def test_key_that_does_not_go_with_what_stays_keeps_its_value(make_settings: MakeSettings) -> None:
    """The file is well by itself, but the agent decodes with the old decode_s until its restart."""
    scene = Scene(make_settings(broker={"port": 3}))
    scene.line.service = "ingest_agent"
    before = scene.reloading.settings
    shorter = make_settings(broker={"port": 3}, ingest_agent={"decode_s": 1.0}, health={"stuck_s": 5.0})
    said = {detail: event for event, detail in scene.reload(shorter)}
    assert before.health.stuck_s == scene.general[-1].health.stuck_s
    assert not troubles(scene.general[-1])
    stays = f"[health] stuck_s stays {before.health.stuck_s} until this service is restarted, else "
    assert any(detail.startswith(stays) for detail in said)
    assert "setting-changed" not in said.values()


def test_key_goes_with_another_services_key(scene: Scene, make_settings: MakeSettings) -> None:
    """To the store, which decodes nothing, both are new at once."""
    port = scene.reloading.settings.broker.port
    shorter = make_settings(broker={"port": port}, ingest_agent={"decode_s": 1.0}, health={"stuck_s": 5.0})
    assert [("setting-changed", "[health] stuck_s is 5.0 from now on")] == scene.reload(shorter)
    assert 5.0 == scene.general[-1].health.stuck_s


def test_keys_that_go_only_together_are_taken_over_together(make_settings: MakeSettings) -> None:
    """In whatever order they stand."""
    for first, then in (((1.0, 2.0), (5.0, 9.0)), ((5.0, 9.0), (1.0, 2.0))):
        old, new = (
            make_settings(ingest_agent={"resend_min_s": least, "resend_max_s": most})
            for least, most in (first, then)
        )
        keys = ["ingest_agent.resend_max_s", "ingest_agent.resend_min_s"]
        for order in (keys, keys[::-1]):
            assert then == (
                (own := taken_over(old, new, order).ingest_agent).resend_min_s,
                own.resend_max_s,
            )
