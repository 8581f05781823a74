"""Where a demonstration keeps its state, and the settings that keep it apart from everything else."""

import fcntl
import shutil
from collections.abc import Mapping
from pathlib import Path

from broker.settings_reader import PREFIX, PROJECT
from cli.addresses import free_port
from cli.errors import CannotRun
from cli.running import LOCK

DEMO = PROJECT / "var" / "demo"


def overrides(state: Path | None) -> Mapping[str, str]:
    """Return the environment of a demonstration: its own state, a free port, the broker on loopback."""
    values = {
        "PATHS__STATE": str((state or fresh(DEMO)).absolute()),
        "BROKER__MANAGE": "true",
        "BROKER__HOST": "127.0.0.1",
        "BROKER__TLS": "auto",
        "BROKER__PORT": str(free_port()),
        "BROKER__CREDENTIALS": "{state}/credentials",
        "INGEST_AGENT__INBOX": "{state}/inbox",
        "STORE__URL": "sqlite:///{state}/tailorbird.db",
        "DASHBOARD__ENABLED": "false",
        "METRICS__AGENT_PORT": "0",
        "METRICS__STORE_PORT": "0",
        "METRICS__PREDICTOR_PORT": "0",
    }
    return {PREFIX + key: value for key, value in values.items()}


def fresh(folder: Path) -> Path:
    """Return an empty folder for a demonstration; the last one's is thrown away unless it still runs."""
    number, free = 1, folder
    try:
        while _in_use(free):
            number += 1
            free = folder.with_name(f"{folder.name}-{number}")
        if free.exists():
            shutil.rmtree(free)
        free.mkdir(parents=True)
    except OSError as error:
        raise CannotRun(f"{free}: cannot be made anew: {error}") from error
    return free


def _in_use(folder: Path) -> bool:
    try:
        with (folder / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
