"""The program Mosquitto: where it is, whether its version will do, and where its files are."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from broker.errors import BrokerProblem
from broker.settings import Settings

OLDEST = (2, 0, 11)
FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", "/usr/local/opt/mosquitto/sbin")
HOW_TO_INSTALL = "type: sudo apt install mosquitto   (or dnf install mosquitto, brew install mosquitto)"
TRIES_S = 20.0
CONFIGURATION_FILE = "mosquitto.conf"
PID_FILE = "mosquitto.pid"


def broker_folder(settings: Settings) -> Path:
    """Return where the managed broker's own files are."""
    return settings.paths.state / "broker"


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
