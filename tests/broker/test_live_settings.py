"""SIGHUP: what is taken over, what is named, and what a mistake in the file does."""

from collections.abc import Callable

import pytest

from broker.errors import SettingsError
from broker.line import Line
from broker.live_settings import CONCERNS, Live, Reloading, changed_keys
from broker.memory import MemoryBroker
from broker.settings import Settings
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
