"""What `doctor --fix` does to a mode, safely also for root in folders that are somebody else's."""

import errno
import os
import stat
from pathlib import Path

from cli.finding import Mend


def set_to(path: Path, mode: int) -> Mend:
    """Return what sets a mode."""
    return Mend(f"set {path} to {mode:o}", lambda: set_mode(path, mode))


def set_mode(path: Path, mode: int) -> None:
    """Set a mode by descriptor: a link, or a file with a second name, may be anybody's and is left alone."""
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(opened)
        if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
            raise OSError(errno.EPERM, "it has a second name", str(path))
        os.fchmod(opened, mode)
    finally:
        os.close(opened)
