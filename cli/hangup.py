"""A terminal that is closed under `up`: the line goes on, and what it says goes into a log."""

import contextlib
import errno
import os
import termios
from pathlib import Path

LOG = "up.log"
SPOKEN = (1, 2)


def leave_terminal(log: Path) -> None:
    """Let stdout and stderr go into a file where their terminal is gone; a pipe or a file stays."""
    for descriptor in SPOKEN:
        if _is_gone(descriptor):
            with contextlib.suppress(OSError):
                opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
                os.dup2(opened, descriptor)
                os.close(opened)


def _is_gone(descriptor: int) -> bool:
    try:
        termios.tcgetattr(descriptor)
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)  # of what is no terminal it is ENOTTY
    return False
