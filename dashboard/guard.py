"""What stands before every answer: only this machine's names, only its own pages, and headers that say so.

The page has no accounts: whoever may connect to loopback may look. A page of another origin must not, though
a browser on this machine would carry its questions here (DNS rebinding, cross-site WebSocket hijacking): so
the name that was asked for must be one of loopback, and a stated origin must be that very name and port. What
changes something must state it: browsers do so for each method but those that only read.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.access import Person, Role

LOCAL = Person(name="", role=Role.ADMIN)
"""Whoever sits at this machine: without accounts the page knows no name."""

READING = frozenset({"GET", "HEAD"})
NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# NiceGUI's page begins with scripts of its own in the page, and Vue makes functions of templates. Whatever
# they do, nothing is loaded from, or sent to, another host.
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self'; connect-src 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def is_own(host: str, origins: Iterable[str]) -> bool:
    """Tell whether a Host header is one of loopback, and each Origin header is the same place."""
    return _name_of(f"http://{host}") in NAMES and all(origin == f"http://{host}" for origin in origins)


def _name_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


class Guard:
    """ASGI middleware around the whole page."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is this machine's own, with the headers; refuse the rest."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        reads = scope.get("method", "GET") in READING
        if len(hosts) != 1 or not is_own(hosts[0], origins) or not (origins or reads):
            await self._refuse(scope, receive, send)
            return
        scope.setdefault("state", {})["person"] = LOCAL
        await self.app(scope, receive, _with_headers(send))

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "not this machine's own page"})
            return
        said = "This page answers to localhost, 127.0.0.1 and ::1, and to its own pages only.\n"
        await PlainTextResponse(said, status_code=421)(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)  # an answer may bring a stricter policy of its own
            if "cache-control" not in headers:
                headers["Cache-Control"] = "no-store"
        await send(message)

    return told
