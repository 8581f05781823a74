"""Telling the managed broker, while it runs, that its files have changed.

Upon SIGHUP Mosquitto reads passwords, rights and certificates again (not its listeners), cuts off at once
whom the passwords do not name any more, and leaves all others connected; measured with 2.0.11.
"""

import os
import signal
from pathlib import Path
from typing import Literal

from broker.errors import BrokerProblem
from broker.mosquitto_program import CONFIGURATION_FILE, PID_FILE, broker_folder
from broker.settings import Settings

Reload = Literal["reloaded", "not running"]


def reload_broker(settings: Settings) -> Reload:
    """Tell the managed broker to read passwords, rights and certificates again, if it runs here.

    Raises BrokerProblem when it runs and may not be told: it is somebody else's process.
    """
    folder = broker_folder(settings)
    try:
        pid = int((folder / PID_FILE).read_text("ascii"))
        if not hasattr(os, "pidfd_open"):
            raise BrokerProblem(
                f"on this system Tailorbird cannot tell the broker itself; type: kill -HUP {pid}"
            )
        process = os.pidfd_open(pid)
    except (OSError, ValueError):
        return "not running"
    try:
        # The number may have gone to another process since, so it is held fast before it is looked at.
        if not _is_broker(pid, folder / CONFIGURATION_FILE):
            return "not running"
        signal.pidfd_send_signal(process, signal.SIGHUP)
    except ProcessLookupError:
        return "not running"
    except PermissionError as error:
        raise BrokerProblem(
            f"the broker (process {pid}) is somebody else's and was not told; as root: kill -HUP {pid}"
        ) from error
    finally:
        os.close(process)
    return "reloaded"


def _is_broker(pid: int, configuration: Path) -> bool:
    """Tell whether a process is Mosquitto, started with this configuration."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return False
    if len(arguments) != 3 or not arguments[0].endswith(b"mosquitto"):
        return False
    return os.path.realpath(arguments[2]) == os.fsencode(os.path.realpath(configuration))
