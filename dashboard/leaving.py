"""Pages that are open when their session ends: they are sent to the door.

One whose socket is closed before it hears of that, or was never open, asks by itself: `frame.SCRIPT`.
"""

from urllib.parse import urlencode

from nicegui import Client
from starlette.requests import Request

from dashboard.access import visit_of

GRACE_S = 1.0
"""How long a browser may take to hear of it, before its socket is closed."""


class Leaving:
    """What was said to whom."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def step(self) -> None:
        """Send those away whose session has ended."""
        self._told &= Client.instances.keys()
        for client in list(Client.instances.values()):
            visit = visit_of(client)
            if visit is None or visit.lasts:
                continue
            if client.id not in self._told:
                self._told.add(client.id)
                client.open(door_for(client.request))  # NiceGUI forgets it when the guard closes its socket


def door_for(request: Request) -> str:
    """Return where to sign in, so as to come back afterwards."""
    query = f"?{request.url.query}" if request.url.query else ""
    to = f"{request.url.path}{query}"
    return "/login" if to == "/" else f"/login?{urlencode({'to': to})}"
