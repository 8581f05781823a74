"""The photo that somebody dropped, where it still lies: below the inbox, by no link, and a plain file."""

import os
import stat
from pathlib import Path

from broker.descent import Descent
from broker.names import bytes_of
from broker.places import relative_path
from broker.settings import Settings


def original(settings: Settings, source: str, folder: str, image: str) -> Path | None:
    """Return an image's file in this machine's inbox; None where it is gone, or another source's."""
    try:
        os.close(opened(settings, source, folder, image))
    except OSError:
        return None
    inbox = os.fsencode(settings.ingest_agent.inbox.absolute())
    return Path(os.fsdecode(inbox + b"/" + _relative(folder, image)))


def opened(settings: Settings, source: str, folder: str, image: str) -> int:
    """Return the descriptor of an image's file, which the caller closes.

    Raises OSError: FileNotFoundError where it is gone, or in another source's inbox; others where what lies
    there is not what the agent would read.
    """
    if source != settings.ingest_agent.source:
        raise FileNotFoundError(f"{source} has an inbox of its own")
    with Descent(os.fsencode(settings.ingest_agent.inbox.absolute())) as inbox:
        try:
            descriptor = inbox.open(_relative(folder, image))
        except ValueError as error:  # a NUL, which no file's name holds
            raise FileNotFoundError(f"no file is called {image!r}") from error
    found = os.fstat(descriptor)
    linked = found.st_nlink > 1 and settings.ingest_agent.hard_links == "refuse"
    if not stat.S_ISREG(found.st_mode) or linked:
        os.close(descriptor)
        raise PermissionError(f"{image!r} is no plain file, or has a second name")
    return descriptor


def _relative(folder: str, image: str) -> bytes:
    return relative_path(bytes_of(folder), bytes_of(image))
