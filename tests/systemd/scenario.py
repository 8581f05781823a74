"""What happens inside the booted machine: installed, killed, hung, upgraded, rolled back, rebooted, removed.

Runs as root with nothing but Python itself. Each thing seen is a line of /out/seen.jsonl.
"""

import json
import sqlite3
import subprocess
import time
import traceback
import urllib.request
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path("/srv/checkout")
PACKAGES = Path("/opt/packages")
INBOX = Path("/srv/the inbox")
DATABASE = Path("/var/lib/tailorbird/tailorbird.db")
SEEN = Path("/out/seen.jsonl")
SERVICES = (
    "tailorbird-dashboard.service",
    "tailorbird-agent.service",
    "tailorbird-predictor@1.service",
    "tailorbird-predictor@2.service",
    "tailorbird-store.service",
    "tailorbird-broker.service",
)
ROWS_S = 90.0


def run(*command: str | Path, check: bool = True) -> str:
    """Run a command and return what it said, on both streams."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, cwd="/", timeout=170
    )
    said = done.stdout + done.stderr
    assert not check or done.returncode == 0, f"{command} returned {done.returncode}: {said}"
    return said


def launcher(*arguments: str | Path, check: bool = True) -> str:
    """Type a command in the checkout."""
    return run(CHECKOUT / "tailorbird", *arguments, check=check)


def until(condition: Callable[[], object], what: str, timeout_s: float = ROWS_S) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.2)


def rows() -> dict[str, int]:
    """Return how many rows each dropped folder has."""
    query = (
        "SELECT folder, count(*) FROM predictions JOIN jobs USING (job_id) WHERE source = 'shop' GROUP BY 1"
    )
    connection = sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)
    try:
        return dict(connection.execute(query).fetchall())
    finally:
        connection.close()


def drop(name: str) -> str:
    """Drop a folder of five photos as the services' user; wait for a row each and for results.csv."""
    began = time.monotonic()
    run("runuser", "-u", "tailorbird", "--", "cp", "-r", CHECKOUT / "samples/pictures/Bag", INBOX / name)
    until(lambda: rows().get(name) == 5, f"five rows for {name}, now {rows()}")
    until((INBOX / name / "results.csv").exists, f"results.csv in {name}")
    return f"5 photos, 5 rows and results.csv after {time.monotonic() - began:.1f} s"


def shown(unit: str, key: str) -> str:
    """Return a property of a unit."""
    return run("systemctl", "show", "--value", "-p", key, unit).strip()


def until_restarted(unit: str, before: int) -> None:
    """Wait until systemd has started a unit again more often than before."""
    until(lambda: int(shown(unit, "NRestarts")) > before, f"restart of {unit}", 60)


def all_active() -> bool:
    """Tell whether every service is active."""
    return {"active"} == set(run("systemctl", "is-active", *SERVICES, check=False).split())


def installs() -> str:
    """The real command, from a checkout, with packages that are there already."""
    began = time.monotonic()
    said = launcher("install", "--environment", PACKAGES, "--inbox", INBOX, "--predictors", "2")
    assert all_active()
    return f"{time.monotonic() - began:.1f} s:\n{said}"


def passwords_are_roots() -> str:
    """The services' user reads no credentials file; no command line, environment or log holds a password."""
    folder = Path("/etc/tailorbird/credentials")
    files = sorted(folder.iterdir())
    assert {(0, 0o600)} == {(file.stat().st_uid, file.stat().st_mode & 0o777) for file in files}
    denied = run("runuser", "-u", "tailorbird", "--", "cat", files[0], check=False)
    assert "Permission denied" in denied, denied
    passwords = [file.read_text().strip().partition(":")[2] for file in files]
    places = [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]
    places += [Path("/etc/tailorbird/config.toml"), *Path("/etc/systemd/system").glob("tailorbird*.*")]
    texts = []
    for place in places:
        try:
            texts.append(place.read_bytes())
        except OSError:  # a process that has ended since
            continue
    texts.append(run("journalctl", "--no-pager", "-u", "tailorbird-*").encode())
    assert not [word for word in passwords for text in texts if word.encode() in text]
    return f"{len(files)} files, root's, 0600; looked through {len(texts)} places"


def survives_kills() -> str:
    """SIGKILL for each service in turn: systemd starts it again, and the next drop has its rows."""
    told = []
    for unit in SERVICES:
        before = int(shown(unit, "NRestarts"))
        run("systemctl", "kill", "--signal=SIGKILL", unit)
        told.append(f"{unit}: {drop('killed-' + unit.split('.')[0].replace('@', '-'))}")
        until_restarted(unit, before)
    return "; ".join(told)


def survives_hangs() -> str:
    """SIGSTOP for all services that systemd watches: each is ended and started again, and goes on."""
    watched = [unit for unit in SERVICES if shown(unit, "WatchdogUSec") not in ("0", "infinity", "")]
    if not watched:
        return "skipped: no unit has WatchdogSec="
    for unit in watched:
        folder = Path("/run/systemd/system") / f"{unit}.d"
        folder.mkdir(parents=True)
        # A stopped process does not even hear SIGABRT, so it is killed when that is not answered.
        (folder / "soon.conf").write_text("[Service]\nWatchdogSec=5\nTimeoutAbortSec=1\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", *watched)
    until(all_active, "all active")
    drop("watched")
    began = time.monotonic()
    before = {unit: int(shown(unit, "NRestarts")) for unit in watched}
    for unit in watched:
        run("systemctl", "kill", "--kill-whom=main", "--signal=SIGSTOP", unit)
    told = []
    for unit in watched:
        until_restarted(unit, before[unit])
        told.append(f"{unit} again after {time.monotonic() - began:.1f} s")
    told.append(drop("hung"))
    run("rm", "-rf", *(f"/run/systemd/system/{unit}.d" for unit in watched))
    run("systemctl", "daemon-reload")
    return "; ".join(told)


def survives_a_restart_of_the_broker() -> str:
    """As after an update of Mosquitto."""
    run("systemctl", "restart", "tailorbird-broker.service")
    return drop("broker-restarted")


def export_runs() -> str:
    """The timer's service, with its few rights, leaves a file per kind."""
    run("systemctl", "start", "tailorbird-export.service")
    files = sorted(path.name for path in Path("/var/lib/tailorbird/exports").iterdir())
    assert 3 == len(files), files
    return ", ".join(files)


def upkeep_runs() -> str:
    """The timer's service leaves a private backup of database and ledger."""
    run("systemctl", "start", "tailorbird-upkeep.service")
    files = [path for path in Path("/var/lib/tailorbird/backups").iterdir() if "before" not in path.name]
    assert len(files) >= 2, files
    assert {0o600} == {path.stat().st_mode & 0o777 for path in files}
    return ", ".join(sorted(path.name for path in files))


def is_well_to_the_doctor() -> str:
    """As root, who looks at everything, finds nothing that is bad on a line that works."""
    findings = json.loads(run("tailorbird", "doctor", "--json", check=False))["findings"]
    bad = [one for one in findings if one["state"] == "bad"]
    assert not bad, bad
    doubts = [one["said"] for one in findings if one["state"] == "warn"]
    return f"{len(findings)} findings, doubts: {doubts}"


def lets_a_client_in() -> str:
    """An account is made by root, known to the broker at once, and gone again."""
    password = run("tailorbird", "client", "add", "watcher", "--role", "reader", "--quiet").strip()
    store = Path("/var/lib/tailorbird/clients.json")
    assert store.owner() == "tailorbird"
    assert password not in store.read_text()
    assert "watcher" in run("tailorbird", "client", "list")
    run("tailorbird", "client", "revoke", "watcher")
    return drop("with-a-client")


def takes_a_changed_configuration() -> str:
    """A reload is told to the services, which say what they take over; health and figures are there."""
    config = Path("/etc/tailorbird/config.toml")
    before = config.read_text()
    config.write_text(before + '\n[log]\nlevel = "debug"\n')
    run("systemctl", "reload", "tailorbird-store.service")
    until(
        lambda: "[log] level is debug" in run("journalctl", "--no-pager", "-u", "tailorbird-store"),
        "taken over",
    )
    config.write_text(before)
    run("systemctl", "reload", "tailorbird-store.service")
    with urllib.request.urlopen("http://127.0.0.1:18842/health", timeout=10) as answer:
        health = json.load(answer)
    assert "ok" == health["state"], health
    return json.dumps(health)


def closes_in_order() -> str:
    """The evening's target stops the agent first and the broker last; the morning's start ends it."""
    run("systemctl", "start", "tailorbird-close.target")
    until(
        lambda: {"inactive"} == set(run("systemctl", "is-active", *SERVICES, check=False).split()), "closed"
    )
    ended = [int(shown(unit, "InactiveEnterTimestampMonotonic")) for unit in SERVICES]
    _, agent, first, second, store, broker = ended
    assert agent <= min(first, second) <= max(first, second) <= store <= broker, ended
    run("systemctl", "start", "tailorbird.target")
    assert "active" != shown("tailorbird-close.target", "ActiveState")
    return f"stopped within {(broker - agent) / 1e6:.1f} s; {drop('opened-again')}"


def upgrades() -> str:
    """Installed again from a changed checkout: database and ledger copied, the old code kept beside."""
    before = rows()
    (CHECKOUT / "README.md").write_text("the next release\n")
    began = time.monotonic()
    said = launcher("install", "--environment", PACKAGES)
    seconds = time.monotonic() - began
    assert "the next release\n" == Path("/opt/tailorbird/README.md").read_text()
    assert "the next release\n" != Path("/opt/tailorbird.previous/README.md").read_text()
    assert 2 == len(list(Path("/var/lib/tailorbird/backups").glob("before-install-*")))
    assert before == rows()
    assert all_active()  # both predictors: what was chosen first is kept
    return f"{seconds:.1f} s; {drop('upgraded')}\n{said}"


def goes_back() -> str:
    """The release before is installed again from where it was kept."""
    said = run("/opt/tailorbird.previous/tailorbird", "install")
    assert "the next release\n" != Path("/opt/tailorbird/README.md").read_text()
    assert "the next release\n" == Path("/opt/tailorbird.previous/README.md").read_text()
    return f"{drop('went-back')}\n{said}"


def rolls_back() -> str:
    """A release whose store cannot run: one line says why, and the release before runs again."""
    main = CHECKOUT / "store" / "__main__.py"
    good = main.read_text()
    main.write_text("import sys\nsys.exit('store: this release is broken')\n")
    began = time.monotonic()
    said = launcher("install", "--environment", PACKAGES, check=False)
    seconds = time.monotonic() - began
    main.write_text(good)
    last = said.strip().splitlines()[-1]
    assert "this release is broken" in last, said
    assert "the release before runs again" in last, said
    assert "broken" not in Path("/opt/tailorbird/store/__main__.py").read_text()
    until(all_active, "all active")
    return f"{seconds:.1f} s: {last}; {drop('rolled-back')}"


def came_back() -> str:
    """After the reboot the services run by themselves, with the rows of before."""
    until(all_active, "all active")
    before = json.loads(Path("/out/rows.json").read_text())
    assert before == rows()
    assert before
    return f"{len(before)} folders with {sum(before.values())} rows; {drop('rebooted')}"


def uninstalls() -> str:
    """Data and configuration stay; with --purge nothing does, but for photos outside the state."""
    said = run("/usr/local/bin/tailorbird", "uninstall")
    assert DATABASE.is_file()
    assert Path("/etc/tailorbird/config.toml").is_file()
    assert not Path("/opt/tailorbird").exists()
    assert not list(Path("/etc/systemd/system").glob("tailorbird*"))
    said += launcher("uninstall", "--purge")
    assert not DATABASE.parent.exists()
    assert not Path("/etc/tailorbird").exists()
    assert "tailorbird" not in Path("/etc/passwd").read_text()
    assert INBOX.is_dir()
    return said


FIRST = (
    installs,
    passwords_are_roots,
    survives_kills,
    survives_hangs,
    survives_a_restart_of_the_broker,
    export_runs,
    upkeep_runs,
    is_well_to_the_doctor,
    lets_a_client_in,
    takes_a_changed_configuration,
    closes_in_order,
    upgrades,
    goes_back,
    rolls_back,
)
SECOND = (came_back, uninstalls)


def see(what: Callable[[], str]) -> None:
    """Write down how one thing went."""
    began = time.monotonic()
    try:
        ok, detail = True, what()
    except Exception:  # noqa: BLE001 - whatever it was, the other parts are seen as well
        journal = run("journalctl", "--no-pager", "-n", "60", "-o", "short-monotonic", check=False)
        ok, detail = False, f"{traceback.format_exc()}\n{journal}"
    line = {"name": what.__name__, "ok": ok, "seconds": round(time.monotonic() - began, 1), "detail": detail}
    with SEEN.open("a") as file:
        file.write(json.dumps(line) + "\n")


def main() -> None:
    """Be the first boot, or the second."""
    again = Path("/out/rows.json")
    things = SECOND if again.exists() else FIRST
    for what in things:
        see(what)
    if things is FIRST:
        again.write_text(json.dumps(rows()))


if __name__ == "__main__":
    main()
