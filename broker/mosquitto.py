"""Mosquitto as Tailorbird runs it: found, checked, and configured from the settings.

    start = prepare_broker(settings)
    process = subprocess.Popen(start.arguments, env={**os.environ, **start.environment})

Everything it needs is written to `<state>/broker/`. 2.0.11 (Debian 12) is the oldest that is tested.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.credentials import Credentials, make_credentials
from broker.errors import BrokerProblem
from broker.mosquitto_rights import access_list
from broker.settings import Broker, Settings

OLDEST = (2, 0, 11)
FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", "/usr/local/opt/mosquitto/sbin")
HOW_TO_INSTALL = "type: sudo apt install mosquitto   (or dnf install mosquitto, brew install mosquitto)"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
TRIES_S = 20.0

# No line of this file may make the broker drop a message that it has answered. So no queue has a limit that
# can be reached: what bounds them is each agent's window of unanswered batches, and clients that leave when
# they cannot take more. (0 would be no limit, but with it 2.0.11 cuts a client off at its first forbidden
# message.) Against clients that flood, the whole memory has a limit: who publishes beyond it is cut off
# before he gets an answer, and may come again when queues are shorter. Nothing is kept on disk: only receipts
# count, and every client subscribes on every connect.
CONFIGURATION = """\
# Written by Tailorbird on every start: change config.toml instead.
listener {listener}
max_connections {max_clients}
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/rights
user {user}
set_tcp_nodelay true
max_packet_size {max_packet_bytes}
max_inflight_messages 0
max_queued_messages 100000000
max_queued_bytes 0
memory_limit {memory_bytes}
persistence false
sys_interval 0
log_dest stderr
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%S
"""


@dataclass(frozen=True)
class BrokerStart:
    """How to start the managed broker: the command, and what to add to its environment."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    version: str


def prepare_broker(settings: Settings) -> BrokerStart:
    """Write the broker's files and return how to start it. Raises BrokerProblem with what to type.

    The accounts are made at the first start and kept; everything else is written anew.
    """
    program = find_mosquitto()
    version = check_version(program)
    folder = settings.paths.state / "broker"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    accounts = make_credentials(settings.broker.credentials)
    _write(folder / "passwords", _passwords(accounts))
    _hash_passwords(folder / "passwords")
    _write(folder / "rights", access_list(settings))
    _write(folder / "mosquitto.conf", configuration(settings.broker, folder))
    return BrokerStart((str(program), "-c", str(folder / "mosquitto.conf")), broker_environment(), version)


def find_mosquitto(name: str = "mosquitto") -> Path:
    """Return where a program of Mosquitto is: in PATH, or where systems put it without telling PATH."""
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(FOLDERS))
    if found is None:
        raise BrokerProblem(f"{name} is not installed; {HOW_TO_INSTALL}")
    return Path(found)


def check_version(program: Path) -> str:
    """Return Mosquitto's version, which must be one that was tested, or newer."""
    try:
        # It has no --version; -h prints the version and returns a code that tells nothing.
        said = subprocess.run(  # noqa: S603 - the program that was found
            [program, "-h"], capture_output=True, text=True, timeout=TRIES_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrokerProblem(f"{program} cannot be run: {error}; {HOW_TO_INSTALL}") from error
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", said)
    if found is None:
        raise BrokerProblem(f"{program} does not tell its version; {HOW_TO_INSTALL}")
    version = ".".join(found.groups())
    if tuple(int(part) for part in found.groups()) < OLDEST:
        oldest = ".".join(str(part) for part in OLDEST)
        raise BrokerProblem(f"{program} is version {version}, {oldest} is needed; {HOW_TO_INSTALL}")
    return version


def configuration(broker: Broker, folder: Path) -> str:
    """Return the text of mosquitto.conf. Raises BrokerProblem for what the managed broker does not do."""
    if "\n" in str(folder):
        raise BrokerProblem(f"[paths] state: Mosquitto takes no line break in a path: {str(folder)!r}")
    return CONFIGURATION.format(
        listener=_listener(broker),
        folder=folder,
        user=_own_user(),
        max_packet_bytes=broker.max_packet_bytes,
        max_clients=broker.max_clients,
        memory_bytes=broker.memory_mb * 1_000_000,
    )


def _listener(broker: Broker) -> str:
    if broker.host.startswith("/"):
        return f"0 {broker.host}"
    if broker.host not in LOOPBACK:
        raise BrokerProblem(
            f"[broker] host: the managed broker listens on 127.0.0.1 only, not on {broker.host};"
            " for another broker set [broker] manage = false"
        )
    return f"{broker.port} {broker.host}"


def _own_user() -> str:
    """Return the user for the broker to become: none but the one who starts it.

    Started by root, Mosquitto would become `mosquitto`, who may not even look into most folders of root's.
    """
    return "root" if os.geteuid() == 0 else "mosquitto"


def broker_environment() -> dict[str, str]:
    """Return glibc's settings for large messages, which then need no mmap of their own.

    Batches of hundreds of kilobytes come and go all the time, in the broker and in its clients.
    """
    return {
        "MALLOC_MMAP_THRESHOLD_": "67108864",
        "MALLOC_TRIM_THRESHOLD_": "134217728",
        "MALLOC_TOP_PAD_": "16777216",
    }


def _passwords(accounts: Mapping[str, Credentials]) -> str:
    return "".join(f"{one.user}:{one.password}\n" for one in accounts.values())


def _hash_passwords(file: Path) -> None:
    """Replace the passwords in a file by their PBKDF2 hashes; in a file, since `ps` shows arguments."""
    program = find_mosquitto("mosquitto_passwd")
    done = subprocess.run(  # noqa: S603 - the program that was found
        [program, "-U", file], capture_output=True, text=True, timeout=TRIES_S, check=False
    )
    if done.returncode != 0:
        raise BrokerProblem(f"{program} failed: {' '.join((done.stderr or done.stdout).split())}")
    file.chmod(0o600)


def _write(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(made, "w", encoding="utf-8") as opened:
        opened.write(text)
