"""A whole life under a real systemd: what `scenario.py` saw in a machine that was booted for it, twice."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.settings_reader import PROJECT
from cli.installing.program import LOCKS, checksum, files_of

HERE = Path(__file__).parent
LIMIT_S = 400
"""Of one boot; on two quiet cores both together take less than half of it."""
BASE = Path("/usr/bin") / f"python3.{sys.version_info.minor}"
PACKAGES = "opt/packages"
UNIT = """\
[Unit]
After=multi-user.target
[Service]
ExecStart=/usr/bin/python3 /srv/checkout/tests/systemd/scenario.py
ExecStopPost=/bin/systemctl poweroff
TimeoutStopSec=10
StandardOutput=file:/out/scenario
StandardError=inherit
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * LIMIT_S + 60)]


@dataclass(frozen=True)
class Seen:
    """How one thing went in the booted machine."""

    ok: bool
    detail: str


def why_not() -> str:
    """Return what this machine lacks for a boot; empty where nothing is."""
    if os.geteuid() != 0:
        return "root is needed for namespaces and mounts"
    for program in ("systemctl", "unshare", "apt-get", "dpkg", "mosquitto"):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            return f"{program} is not here"
    if not BASE.exists():
        return f"services see no Python below /root or /home, and the system has no {BASE}"
    cgroups = Path("/sys/fs/cgroup")
    if not any((folder / "cgroup.procs").exists() for folder in (cgroups, cgroups / "unified")):
        return "there is no cgroup v2 hierarchy"
    return ""


def unpack_container(folder: Path) -> Path:
    """Fetch Debian's systemd-nspawn and unpack it; the machine's packages stay as they are."""
    if shutil.which("systemd-nspawn") is not None:
        return Path("/")
    done = subprocess.run(
        ["apt-get", "download", "-q", "systemd-container"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    packages = list(folder.glob("systemd-container_*.deb"))
    if done.returncode != 0 or not packages:
        pytest.skip(f"systemd-container cannot be had: {' '.join(done.stderr.split())}")
    subprocess.run(["dpkg", "-x", packages[0], folder / "container"], check=True)
    return folder / "container"


def injected(folder: Path) -> Path:
    """Make what the booted machine finds: a checkout, packages that are set up, and the scenario's unit."""
    checkout = folder / "srv" / "checkout"
    for name in files_of(PROJECT):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, checkout / name)
    packages = folder / PACKAGES
    (packages / "bin").mkdir(parents=True)
    (packages / "bin" / "python").symlink_to(BASE)
    (packages / "lib" / BASE.name / "site-packages").mkdir(parents=True)
    (packages / "pyvenv.cfg").write_text(f"home = {BASE.parent}\nexecutable = {BASE}\n")
    # The packages that run this test stand for those that are locked.
    (packages / f"{LOCKS[0]}.done").write_text(f"{checksum(PROJECT / LOCKS[0])}\n")
    (checkout / ".venv").symlink_to(f"/{PACKAGES}")
    units = folder / "etc" / "systemd" / "system"
    (units / "multi-user.target.wants").mkdir(parents=True)
    (units / "scenario.service").write_text(UNIT)
    (units / "multi-user.target.wants" / "scenario.service").symlink_to("../scenario.service")
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    return folder


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """What was seen, by its name in `scenario.py`."""
    if reason := why_not():
        pytest.skip(f"no systemd can be booted here: {reason}")
    folder = tmp_path_factory.mktemp("boot")
    container = unpack_container(folder)
    (folder / "inject").mkdir()
    (folder / "out").mkdir()
    site = Path(sys.prefix) / "lib" / BASE.name / "site-packages"
    target = f"/{PACKAGES}/lib/{BASE.name}/site-packages"
    command = [
        HERE / "boot.sh",
        container,
        injected(folder / "inject"),
        site,
        target,
        folder / "out",
        LIMIT_S,
    ]
    done = subprocess.run(["bash", *map(str, command)], capture_output=True, text=True, check=False)
    log = folder / "out" / "seen.jsonl"
    if not log.exists():
        said = [file.read_text(errors="replace")[-3000:] for file in (folder / "out").iterdir()]
        pytest.fail("\n".join(["the machine did not boot:", done.stderr, *said]))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        how = "ok    " if line["ok"] else "FAILED"
        sys.stdout.write(f"{how} {line['name']} ({line['seconds']} s): {line['detail']}\n")
    return {line["name"]: Seen(line["ok"], line["detail"]) for line in lines}


@pytest.mark.parametrize(
    "name",
    [
        "installs",
        "passwords_are_roots",
        "survives_kills",
        "survives_hangs",
        "survives_a_restart_of_the_broker",
        "export_runs",
        "upkeep_runs",
        "is_well_to_the_doctor",
        "lets_a_client_in",
        "takes_a_changed_configuration",
        "closes_in_order",
        "upgrades",
        "goes_back",
        "rolls_back",
        "came_back",
        "uninstalls",
    ],
)
def test_life_under_systemd(seen: dict[str, Seen], name: str) -> None:
    """Each part of `scenario.py` went well, with rows for every photo dropped."""
    assert name in seen, f"the machine ended before it; seen: {', '.join(seen)}"
    assert seen[name].ok, seen[name].detail
    if seen[name].detail.startswith("skipped: "):
        pytest.skip(seen[name].detail.removeprefix("skipped: "))
