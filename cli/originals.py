"""Where the photo that somebody dropped still lies."""

import os
from pathlib import Path

from broker.settings import Settings
from ingest_agent.names import bytes_of


def original(settings: Settings, source: str, folder: str, image: str) -> Path | None:
    """Return an image's file in this machine's inbox; None where it is gone, or another source's."""
    if source != settings.ingest_agent.source:
        return None
    inbox = settings.ingest_agent.inbox.absolute()
    name = os.path.normpath(os.path.join(os.fsencode(inbox), bytes_of(folder), bytes_of(image)))  # noqa: PTH118 - bytes
    path = Path(os.fsdecode(name))
    return path if path.is_relative_to(inbox) and path.is_file() else None
