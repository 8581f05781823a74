"""What `doctor --fix` does to a mode, safely also for root in folders that are somebody else's."""

import os
from pathlib import Path

from cli.finding import Mend
from cli.ownership import opened_in


def set_to(path: Path, mode: int) -> Mend:
    """Return what sets a mode."""
    return Mend(f"set {path} to {mode:o}", lambda: set_mode(path, mode))


def set_mode(path: Path, mode: int) -> None:
    """Set a mode by descriptor: a link, or a file with a second name, may be anybody's and is left alone."""
    with opened_in(path.parent, path) as opened:
        os.fchmod(opened, mode)
