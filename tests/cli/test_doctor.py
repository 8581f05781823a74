"""Tests of `doctor`: what it finds, what it says to do, and that it changes nothing unless asked."""

import json
import os
import socket
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broker import upkeep_record
from broker.client_accounts import new_client, write_clients
from broker.credentials import make_credentials
from broker.line import Line
from broker.memory import MemoryBroker
from broker.metrics_server import MetricsServer
from broker.private_files import write_private
from broker.settings import Settings
from broker.settings_reader import PROJECT, read_settings
from broker.topics import Topics
from cli import connecting, doctor_files, doctor_line, doctor_rights, doctor_system
from cli.application import main
from cli.connecting import wait_for_broker
from cli.doctor_data import _clock_against, backups, bundle
from cli.doctor_line import broker
from cli.finding import Finding
from cli.installing.places import Places
from cli.installing.units import Chosen, rendered
from cli.mending import set_mode
from dashboard.plain_pages import login_page
from tests.cli.conftest import RunCli, RunningUp
from tests.conftest import MakeSettings
from tests.running_mosquitto import RunningMosquitto
from tests.waiting import free_port

Said = pytest.CaptureFixture[str]


@pytest.fixture
def own(config: Path) -> Settings:
    """The settings of this test's own configuration."""
    return read_settings(config, {}).settings


def states(findings: Any) -> list[tuple[str, str]]:
    """Return what was looked at and how it is."""
    return [(one.about, one.state) for one in findings]


def the(findings: Any, state: str) -> Finding:
    """Return the only finding of that state."""
    (found,) = [one for one in findings if one.state == state]
    return found  # type: ignore[no-any-return]


def test_silent_stranger_on_the_brokers_port_is_one_finding(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one for each account, each after its own wait."""
    monkeypatch.setattr(connecting, "wait_for_broker", partial(wait_for_broker, timeout_s=0.2))
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        settings = make_settings(broker={"port": stranger.getsockname()[1], "manage": False})
        assert [("broker", "ok"), ("broker", "bad")] == states(broker(settings))


def test_wrong_configuration_is_the_only_finding(tmp_path: Path, capsys: Said) -> None:
    """Nothing else can be judged by it."""
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[broker]\nprot = 1\n")
    assert 1 == main(["doctor", "--json", "--config", str(wrong)])
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert ("configuration", "bad") == (found["about"], found["state"])
    assert "did you mean port?" in found["said"]


def test_doctor_changes_nothing_by_itself_and_fix_says_what_it_does(
    own: Settings, config: Path, capsys: Said
) -> None:
    """Missing folders and rights that are too wide."""
    make_credentials(own.broker.credentials)
    own.broker.credentials.chmod(0o755)
    (own.broker.credentials / "store").chmod(0o644)

    assert 1 == main(["doctor", "--config", str(config)])
    before = capsys.readouterr().out
    assert "credentials/store has mode 644: others may read the passwords -> chmod 600" in before
    assert not own.ingest_agent.inbox.exists()
    assert 0o644 == (own.broker.credentials / "store").stat().st_mode & 0o777

    assert 0 == main(["doctor", "--fix", "--config", str(config)])
    said = capsys.readouterr()
    assert f"fixed: set {own.broker.credentials / 'store'} to 600" in said.err
    assert f"fixed: made the folder {own.ingest_agent.inbox}" in said.err
    assert 0o600 == (own.broker.credentials / "store").stat().st_mode & 0o777
    assert own.ingest_agent.inbox.is_dir()
    assert "others may read" not in said.out


def test_file_of_clients_is_looked_at(own: Settings) -> None:
    """Who may write it may make himself an account; damaged, the broker does not start."""
    own.paths.state.mkdir()
    file = own.paths.state / "clients.json"
    assert [] == list(doctor_rights.clients(own))
    write_clients(own.paths.state, (new_client("till-1", "source", "$7$1$a$b"),))
    assert [("clients", "ok")] == states(doctor_rights.clients(own))
    file.chmod(0o666)
    found = the(doctor_rights.clients(own), "bad")
    assert found.mend is not None
    found.mend.do()
    assert 0o600 == file.stat().st_mode & 0o777
    file.write_text("[{")
    assert "is no list of clients" in the(doctor_rights.clients(own), "bad").said


def test_accounts_of_the_page_are_looked_at(make_settings: MakeSettings) -> None:
    """Without one the page is for this machine; who may write the file may make himself one."""
    own = make_settings()
    own.paths.state.mkdir()
    assert "no accounts: whoever has a login" in the(doctor_rights.accounts(own), "ok").said
    outside = make_settings(dashboard={"host": "0.0.0.0", "tls": "off", "allow_plain": "true"})
    assert "the page does not start" in the(doctor_rights.accounts(outside), "bad").said
    file = own.paths.state / "page-accounts.json"
    one = {"name": "vera", "role": "viewer", "hash": "$argon2id$x", "added_at": ""}
    write_private(file, json.dumps([one]))
    assert "1 accounts, none of an admin" in the(doctor_rights.accounts(own), "warn").said
    write_private(file, json.dumps([one | {"role": "admin"}]))
    assert "1 accounts, http" == the(doctor_rights.accounts(own), "ok").said
    assert "for all to read" in the(doctor_rights.accounts(outside), "warn").said
    file.chmod(0o644)
    found = the(doctor_rights.accounts(own), "warn")
    assert found.mend is not None
    found.mend.do()
    assert 0o600 == file.stat().st_mode & 0o777
    file.write_text("[{")
    assert "is no list of accounts" in the(doctor_rights.accounts(own), "bad").said


def test_database_and_inbox_that_anybody_may_write_are_bad(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readable by anybody is a warning; each is mended, and a folder above that keeps others out will do."""
    own.ingest_agent.inbox.mkdir(parents=True)
    database = own.paths.state / "tailorbird.db"
    database.touch(mode=0o600)
    monkeypatch.setattr(doctor_rights, "_within_reach", lambda _: True)
    own.ingest_agent.inbox.chmod(0o755)
    assert [] == list(doctor_rights.rights(own))
    database.chmod(0o644)
    assert [("rights", "warn")] == states(doctor_rights.rights(own))
    database.chmod(0o666)
    own.ingest_agent.inbox.chmod(0o777)
    assert [("rights", "bad")] * 2 == states(doctor_rights.rights(own))
    for one in doctor_rights.rights(own):
        assert one.mend is not None
        one.mend.do()
    assert (0o660, 0o775) == tuple(path.stat().st_mode & 0o777 for path in (database, own.ingest_agent.inbox))
    database.chmod(0o644)
    monkeypatch.undo()
    own.paths.state.chmod(0o750)
    assert [] == list(doctor_rights.rights(own))


def test_mode_is_set_on_no_link(tmp_path: Path) -> None:
    """Root mends in folders where others may have put something else meanwhile."""
    for name in ("target", "first"):
        (tmp_path / name).touch(mode=0o644)
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "second").hardlink_to(tmp_path / "first")
    for name in ("link", "second"):
        with pytest.raises(OSError, match=r"Too many levels|second name"):
            set_mode(tmp_path / name, 0o600)
    assert [0o644, 0o644] == [(tmp_path / name).stat().st_mode & 0o777 for name in ("target", "first")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_file_of_somebody_else_is_named_and_handed_over(own: Settings) -> None:
    """Root ran a command, and the services can no longer write; a file with a second name is left alone."""
    own.paths.state.mkdir()
    for name in ("tailorbird.db", "linked"):
        (own.paths.state / name).touch()
        os.chown(own.paths.state / name, 65534, 65534)
    (own.paths.state / "second-name").hardlink_to(own.paths.state / "linked")
    found = {Path(one.said.split(" belongs")[0]).name: one for one in doctor_files.owners(own)}
    assert {"tailorbird.db", "linked", "second-name"} == set(found)
    assert [False, True] == [found[name].mend is None for name in ("tailorbird.db", "linked")]
    mend = found["tailorbird.db"].mend
    assert mend is not None
    mend.do()
    assert 0 == (own.paths.state / "tailorbird.db").stat().st_uid


def test_disk_that_is_too_full_for_the_store_is_bad(own: Settings, config: Path) -> None:
    """By the store's own bound."""
    more = {"TAILORBIRD__STORE__MIN_FREE_MB": "1000000000"}
    found = list(doctor_files.room(read_settings(config, more).settings, None))
    assert [("disk", "bad")] == states(found)
    assert "make room" in found[0].advice


@pytest.mark.parametrize(("most", "state"), [(4, "bad"), (5, "warn"), (100, "ok")])
def test_watches_are_counted_against_the_kernels_limit(
    own: Settings, tmp_path: Path, most: int, state: str
) -> None:
    """The inbox and three folders in it."""
    for name in ("spring", "summer", "autumn"):
        (own.ingest_agent.inbox / name).mkdir(parents=True)
    (tmp_path / "max_user_watches").write_text(f"{most}\n")
    (tmp_path / "max_user_instances").write_text("128\n")
    assert [("inotify", state)] == states(doctor_files.watches(own, tmp_path))


def test_clock_behind_the_newest_row_is_bad() -> None:
    """What is stored now would sort before what is older; a little is another machine's clock."""
    now = datetime(2026, 11, 27, tzinfo=UTC)
    assert "bad" == _clock_against("2026-11-28T00:00:00.000Z", now).state
    assert "ok" == _clock_against("2026-11-27T00:01:00.000Z", now).state
    assert "ok" == _clock_against("", now).state


def test_backup_that_is_old_is_a_warning(own: Settings) -> None:
    """So is none at all."""
    assert [("backup", "warn"), ("check", "warn")] == states(backups(own))
    own.upkeep.backups.mkdir(parents=True)
    (own.upkeep.backups / "tailorbird-20261127T000000Z.db").touch()
    now, old = upkeep_record.stamp(), (datetime.now(UTC) - timedelta(days=3)).isoformat()
    upkeep_record.write(own.paths.state, backup_at=now, check_at=old)
    assert [("backup", "ok"), ("check", "warn")] == states(backups(own))


def test_bundle_that_is_damaged_is_bad(config: Path, tmp_path: Path) -> None:
    """And where there is none."""
    more = {"TAILORBIRD__MODEL__BUNDLE": str(tmp_path / "none")}
    assert [("bundle", "bad")] == states(bundle(read_settings(config, more).settings))


def test_external_broker_that_is_not_there_is_bad(config: Path) -> None:
    """Our own one is started by `up`: that it does not run yet is a warning."""
    external = read_settings(config, {"TAILORBIRD__BROKER__MANAGE": "false"}).settings
    assert "bad" == list(broker(external))[-1].state


def test_password_that_the_broker_does_not_know_is_named(own_mosquitto: RunningMosquitto) -> None:
    """Each account tries its own."""
    settings = own_mosquitto.settings
    (settings.broker.credentials / "reader").write_text("reader:wrong\n")
    found = list(broker(settings))
    assert "reader: " in the(found, "bad").said
    assert "reason code 0x8" in the(found, "bad").said
    assert "ours was started with other passwords" in the(found, "bad").advice


def test_broker_that_lets_anybody_in_is_bad(own_mosquitto: RunningMosquitto) -> None:
    """Ours does not: somebody else's, on our port, lets our accounts in as well."""
    settings = own_mosquitto.settings
    assert "the broker lets nobody in without a password" in [one.said for one in broker(settings)]
    own_mosquitto.kill()
    file = settings.paths.state / "broker" / "mosquitto.conf"
    file.write_text(file.read_text().replace("allow_anonymous false", "allow_anonymous true"))
    own_mosquitto.start()
    found = the(broker(settings), "bad")
    assert "the broker lets anybody in, without a password" == found.said
    assert "another broker has the port" in found.advice


def test_unit_of_another_release_is_named(own: Settings, tmp_path: Path) -> None:
    """What was adapted to the machine, to two predictors and a prefix, is no difference; a setting is."""
    installed = tmp_path / "installed"
    installed.mkdir()
    places = Places(prefix=Path("/srv/tailorbird"), units=installed)
    for name, text in rendered(PROJECT / "systemd", places, own, Chosen(predictors=2)).items():
        (installed / name).write_text(text)
    assert [("systemd", "ok")] == states(doctor_system.units(own, installed))[:1]
    store = installed / "tailorbird-store.service"
    store.write_text(store.read_text().replace("TasksMax=", "TasksMax=1"))
    found = next(iter(doctor_system.units(own, installed)))
    assert ("warn", "not as this release has them: tailorbird-store.service") == (found.state, found.said)
    assert [("systemd", "ok")] == states(doctor_system.units(own, tmp_path / "none"))


def test_bundles_are_roots_and_nobodys_fault(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services only read them, so `install` leaves them root's."""
    models, database = own.paths.state / "models", own.paths.state / "tailorbird.db"
    models.mkdir(parents=True)
    (models / "current").touch()
    database.touch()
    own = msgspec.structs.replace(own, model=msgspec.structs.replace(own.model, bundle=models))
    monkeypatch.setattr(doctor_files, "_owner_of", lambda path: 1 if path == own.paths.state else 0)
    said = [one.said for one in doctor_files.owners(own)]
    assert any("tailorbird.db" in line for line in said)
    assert not any("models" in line for line in said)


def test_credentials_of_root_are_no_fault(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may not look into their folder is told who may."""
    make_credentials(own.broker.credentials)
    monkeypatch.setattr(os, "access", lambda *_: False)
    (found,) = doctor_files.credentials(own)
    assert "ok" == found.state
    assert "as root" in found.said


@pytest.mark.parametrize(("days", "state"), [(-1, "bad"), (10, "warn"), (300, "ok")])
def test_certificate_that_ends_is_told(own: Settings, days: int, state: str) -> None:
    """And a key that others may read, whoever made it."""
    tls = own.paths.state / "tls"
    tls.mkdir(parents=True)
    write_certificate(tls / "server.crt", days)
    (tls / "server.key").touch(mode=0o600)
    assert [("certificates", state)] == states(doctor_system.certificates(own))
    (tls / "server.key").chmod(0o644)
    assert ("certificates", "bad") == states(doctor_system.certificates(own))[-1]


def test_authority_that_ends_is_not_renewed_but_made_anew(own: Settings) -> None:
    """`tls renew` signs with it, and no longer than it lasts."""
    tls = own.paths.state / "tls"
    tls.mkdir(parents=True)
    for authority_days, advice in ((10, "./tailorbird tls init --force"), (900, "./tailorbird tls renew")):
        write_certificate(tls / "ca.crt", authority_days)
        write_certificate(tls / "server.crt", 10)
        soon = [one for one in doctor_system.certificates(own) if one.state == "warn"]
        assert all(one.advice.startswith(advice) for one in soon)
        assert (2 if authority_days == 10 else 1) == len(soon)


def test_file_that_is_no_certificate_is_a_warning(own: Settings) -> None:
    """One line, no traceback."""
    (own.paths.state / "tls").mkdir(parents=True)
    (own.paths.state / "tls" / "ca.crt").write_text("no certificate")
    assert [("certificates", "warn")] == states(doctor_system.certificates(own))


def write_certificate(file: Path, days: int) -> None:
    """Write a certificate that ends in so many days."""
    x509 = pytest.importorskip("cryptography.x509", reason="cryptography is not installed")
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def test_page_port_that_is_taken_is_a_warning(config: Path) -> None:
    """Whoever has it."""
    from cli.doctor_line import ports  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", 0)) as taken:
        more = {"TAILORBIRD__DASHBOARD__PORT": str(taken.getsockname()[1])}
        settings = read_settings(config, more).settings
        assert ("ports", "warn") == states(ports(settings))[0]
    assert ("ports", "ok") == states(ports(settings))[0]


def test_page_that_answers_is_named(config: Path, tmp_path: Path) -> None:
    """By its title, which the form to sign in has as well."""
    (tmp_path / "login").write_text(login_page("/"))
    with HTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            more = {"TAILORBIRD__DASHBOARD__PORT": str(server.server_port)}
            settings = read_settings(config, more).settings
            expected = Finding("page", "ok", f"it answers on 127.0.0.1:{server.server_port}")
            assert expected in doctor_line.ports(settings)
        finally:
            server.shutdown()


def test_figures_port_that_somebody_else_has_is_a_warning(config: Path) -> None:
    """Nobody there is our store: it says nothing, or something else."""
    from cli.doctor_line import ports  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = read_settings(config, {"TAILORBIRD__METRICS__STORE_PORT": str(port)}).settings
        warned = [one.said for one in ports(settings) if one.state == "warn"]
    assert f"something listens on 127.0.0.1:{port}, [metrics] store_port" in warned


def test_figures_port_that_our_own_service_has_is_well(config: Path) -> None:
    """It answers by its name."""
    from cli.doctor_line import ports  # noqa: PLC0415

    line = Line(MemoryBroker().connect("store", []), Topics(), service="store", instance="main")
    port = free_port()
    settings = read_settings(config, {"TAILORBIRD__METRICS__STORE_PORT": str(port)}).settings
    with MetricsServer(settings.metrics, line):
        assert not [one for one in ports(settings) if "store_port" in one.said]


@pytest.mark.slow
def test_doctor_of_a_line_that_runs_finds_nothing_bad(line: RunningUp, cli: RunCli) -> None:
    """Every account is let in, the model answers as it should."""
    done = cli("doctor", "--json", config=line.config)
    found = json.loads(done.stdout)["findings"]
    assert [] == [one for one in found if one["state"] == "bad"]
    assert 0 == done.returncode
    said = [one["said"] for one in found]
    assert 8 == sum(text.startswith("the broker lets ") for text in said)  # seven accounts, and nobody
    assert any("gives its golden answers" in text for text in said)
