"""What a service says of itself on its status topic, and what its last will says when it dies."""

import os
import socket
from typing import Any, Literal

from broker import VERSION
from broker.connection import Will
from broker.messages import Status, encode, now
from broker.topics import Topics

State = Literal["starting", "online", "stopped", "offline"]


def will_of(topics: Topics, service: str, instance: str) -> Will:
    """Return the last will that says `offline` for a service."""
    status = status_of(service, instance, "offline", now(), {})
    return Will(topics.status(service, instance), encode(status))


def status_of(service: str, instance: str, state: State, since: str, detail: dict[str, Any]) -> Status:
    """Return the status of a service that runs in this process."""
    return Status(
        service=service,
        instance=instance,
        state=state,
        pid=os.getpid(),
        host=socket.gethostname(),
        version=VERSION,
        since=since,
        detail=detail,
    )
