"""What System finds on a machine, and when it is a trouble."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from broker import upkeep_record
from broker.settings import Metrics, Settings, Store
from broker.settings_reader import PROJECT, read_settings
from dashboard import costs, machine
from dashboard.costs import Cost, cost_of
from dashboard.machine import Changed
from store.database import file_of, writing_engine
from store.footprint import Footprint, footprint
from store.queries import Connection
from store.upgrading import upgrade


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """A state with an empty database."""
    (tmp_path / "config.toml").write_text('[paths]\nstate = "state"\n[upkeep]\nkeep_days = 90\n')
    settings = read_settings(tmp_path / "config.toml", {}).settings
    engine = writing_engine(settings.store)
    upgrade(engine, file_of(settings.store.url))
    engine.dispose()
    return settings


def test_old_backup_and_check_are_troubles(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the bounds of `doctor`; none at all is one from the database's second day on."""
    assert [] == machine.look(own).troubles

    def old(connection: Connection, settings: Store) -> Footprint:
        return replace(footprint(connection, settings), oldest_at="2026-01-01T00:00:00.000Z")

    monkeypatch.setattr(machine, "footprint", old)
    assert "neither a backup nor a check" in " ".join(machine.look(own).troubles)
    own.upkeep.backups.mkdir()
    (own.upkeep.backups / "tailorbird-20261127T000000Z.db").touch()
    before = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    upkeep_record.write(own.paths.state, backup_at=upkeep_record.stamp(), check_at=before)
    found = machine.look(own)
    assert ["The latest check of the whole database is 3 days old"] == [
        one.split(":")[0] for one in found.troubles
    ]
    assert found.latest is not None
    assert found.latest.backup.endswith("tailorbird-20261127T000000Z.db")


def test_disk_is_one_however_much_lies_on_it(own: Settings) -> None:
    """And below the bound it is a trouble."""
    (disk,) = machine.look(own).disks
    assert "state, backups, database, inbox" == disk.what
    assert 200_000_000 == disk.room.bound_bytes


def test_database_that_is_not_there_is_a_trouble(own: Settings) -> None:
    """And the rest is found all the same."""
    found = file_of(own.store.url)
    assert found is not None
    found.unlink()
    look = machine.look(own)
    assert look.database is None
    assert "there is no database at" in look.troubles[0]
    assert [] != look.disks


def test_changed_settings_are_those_that_are_not_the_default(own: Settings) -> None:
    """The state's folder is one; what follows from it is none."""
    state = Changed("[paths] state", str(own.paths.state), str(PROJECT / "var"))
    assert [state, Changed("[upkeep] keep_days", "90.0", "0.0")] == machine.changed(own)


def test_service_is_asked_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTP, on its own port; somebody else's port is nobody's."""
    figures = "process_resident_memory_bytes 6.7e+07\nprocess_cpu_seconds_total 1.5\n"
    health = {"state": "waiting", "why": "disk-full", "service": "store", "instance": "main"}
    answers = {"/metrics": (200, figures), "/health": (503, json.dumps(health))}
    monkeypatch.setattr(costs, "ASK_S", 60.0)

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = answers[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        metrics = Metrics(store_port=server.server_port, agent_port=server.server_port, predictor_port=0)
        assert Cost("waiting", "disk-full", 67_000_000.0, 1.5) == cost_of(metrics, "store", "main")
        assert cost_of(metrics, "ingest_agent", "shop") is None
        server.shutdown()
    assert cost_of(metrics, "store", "main") is None
    assert cost_of(metrics, "predictor_service", "1") is None
