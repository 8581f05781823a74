"""What stands before every answer: own names and pages only, a person who may, and headers that say so.

A page of another origin must not look, though a browser would carry its questions here (DNS rebinding,
cross-site WebSocket hijacking, forged forms): so the name that was asked for must be one of the page's, a
stated origin must be that very name and port, and what changes something must state one. Without accounts
whoever may connect to loopback may look; with accounts, whoever has signed in.
"""

import asyncio
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker.errors import SettingsError
from dashboard.door import ADDRESSES, Door
from dashboard.frame import PAGES
from dashboard.gate import Gate, Visit
from dashboard.leaving import GRACE_S, door_for
from dashboard.place import LOOPBACK
from dashboard.plain_pages import refusal_page
from dashboard.roles import Role
from dashboard.told import tell

# NiceGUI's page begins with scripts of its own in the page, and Vue makes functions of templates. Whatever
# they do, nothing is loaded from, or sent to, another host.
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
    " script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self'; connect-src 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Not no-referrer: a form would then come from the origin "null".
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
HSTS = "max-age=31536000"
SAFE = {"GET", "HEAD", "OPTIONS"}
LOOK_S = 1.0
"""How often the session of an open web socket, or of a long answer, is asked whether it lasts."""
EVENT = '42["event"'
"""How a message begins by which a browser tells what somebody did (Socket.IO 5, engine.io 4)."""
SOCKET = "/_nicegui_ws/"


def is_own(
    host: str, origins: Iterable[str], names: Collection[str] = LOOPBACK, scheme: str = "http"
) -> bool:
    """Tell whether a Host header is one of the page's names, and each Origin header is the same place."""
    own = f"{scheme}://{host}"
    return _name_of(own) in names and all(origin == own for origin in origins)


def _name_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def least_role(path: str) -> Role:
    """Return the role without which nothing at an address, or below it, is answered."""
    fits = [
        (len(address), role)
        for _, address, role in PAGES
        if path == address or path.startswith((f"{address}/", f"{address}."))
    ]
    return max(fits, default=(0, Role.VIEWER))[1]


class Guard:
    """ASGI middleware around the whole page."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self._gate = gate
        self._door = Door(gate)
        self._closed = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what comes from somebody who may ask for it, with the headers; refuse the rest."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        is_socket = scope["type"] == "websocket"
        told = send if is_socket else _with_headers(send, hsts=self._hsts(scope))
        answer = self._wrong_place(scope)
        if answer is None and not is_socket and scope["path"] in ADDRESSES:
            try:
                await self._door(scope, receive, told)
            except SettingsError as problem:
                await self._nobody(problem)(scope, receive, told)
            return
        found = answer if answer is not None else self._found(scope)
        if not isinstance(found, Visit):
            await _refuse(found, scope, receive, told)
            return
        scope.setdefault("state", {}).update(visit=found)
        if is_socket:
            socket = _Socket(found, receive, send)
            await self.app(scope, socket.receive, socket.send)
        else:
            if not scope["path"].startswith(SOCKET):  # where a browser asks again and again by itself
                found.use()
            await self.app(scope, _while_it_lasts(found, receive), told)

    def _wrong_place(self, scope: Scope) -> Response | None:
        headers, scheme = Headers(scope=scope), _scheme(scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not is_own(hosts[0], origins, self._gate.names, scheme):
            said = (
                "This page answers to localhost, 127.0.0.1, ::1 and the names of [dashboard] names,"
                " and to its own pages only.\n"
            )
            return PlainTextResponse(said, 421)
        if scope["type"] == "http" and scope["method"] not in SAFE and not origins:
            return PlainTextResponse("What changes something must say from which page: no Origin.\n", 403)
        return None

    def _found(self, scope: Scope) -> Visit | Response:
        """Return who it is, or why they get nothing."""
        try:
            visit = self._gate.visit(HTTPConnection(scope).cookies)
        except SettingsError as problem:
            return self._nobody(problem)
        path = scope["path"]
        is_page = scope["type"] == "http" and scope["method"] in SAFE and _is_page(path)
        if visit is None:
            if is_page:
                return RedirectResponse(door_for(Request(scope)), 303)
            return PlainTextResponse("Sign in first.\n", 401)
        least, role = least_role(path), visit.person.role
        if role < least:
            said = f"This needs the role {least.word}; {visit.person.name} has {role.word}."
            page = refusal_page("Not for this account", said, signed_in=True)
            return HTMLResponse(page, 403) if is_page else PlainTextResponse(f"{said}\n", 403)
        return visit

    def _nobody(self, problem: SettingsError) -> Response:
        """Let nobody in, and say why in the log, once."""
        if str(problem) != self._closed:
            self._closed = str(problem)
            tell("error", "page-closed", detail=self._closed)
        said = "Nobody can be let in: the page's accounts cannot be used. Its log says why."
        return HTMLResponse(refusal_page("Closed", said, signed_in=False), 503)

    def _hsts(self, scope: Scope) -> bool:
        """Tell whether to have browsers insist on https: not for loopback's names, which others use too."""
        host = Headers(scope=scope).get("host", "")
        return self._gate.tls and _name_of(f"https://{host}") not in LOOPBACK


def _scheme(scope: Scope) -> str:
    return "https" if scope.get("scheme") in {"https", "wss"} else "http"


def _is_page(path: str) -> bool:
    """Tell pages from files, such as CSV, and from what pages are made of."""
    return "." not in path and not path.startswith("/_nicegui")


async def _refuse(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "not for this page or person"})
    else:
        await answer(scope, receive, send)


def _while_it_lasts(visit: Visit, receive: Receive) -> Receive:
    """Pass on what comes, until the session ends: then it ends as if the browser had gone."""

    async def received() -> Message:
        coming = asyncio.ensure_future(receive())
        try:
            while visit.lasts and not coming.done():
                await asyncio.wait({coming}, timeout=LOOK_S)
            if not visit.lasts:
                return {"type": "http.disconnect"}
            message = coming.result()
        finally:
            coming.cancel()
        if EVENT.encode() in message.get("body", b""):
            visit.use()
        return message

    return received


class _Socket:
    """A web socket that is closed when its session has ended."""

    def __init__(self, visit: Visit, receive: Receive, send: Send) -> None:
        self._visit = visit
        self._receive = receive
        self._send = send
        self._coming: asyncio.Future[Message] | None = None
        self._closed = False

    async def receive(self) -> Message:
        """Return the next message; what comes after the session's end is dropped."""
        while self._visit.ended_s <= GRACE_S:
            self._coming = self._coming or asyncio.ensure_future(self._receive())
            done, _ = await asyncio.wait({self._coming}, timeout=LOOK_S)
            if not done:
                continue
            message, self._coming = self._coming.result(), None
            if str(message.get("text") or "").startswith(EVENT):
                self._visit.use()
            if self._visit.lasts or message["type"] != "websocket.receive":
                return message
        if self._coming is not None:
            self._coming.cancel()
        if not self._closed:
            self._closed = True
            await self._send({"type": "websocket.close", "code": 1008, "reason": "signed out"})
        return {"type": "websocket.disconnect", "code": 1008}

    async def send(self, message: Message) -> None:
        """Pass a message on; to a socket that was closed, nothing."""
        if self._closed:
            return
        self._closed = message["type"] == "websocket.close"
        await self._send(message)


def _with_headers(send: Send, *, hsts: bool) -> Send:
    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if hsts:
                headers["Strict-Transport-Security"] = HSTS
            if "cache-control" not in headers:
                headers["Cache-Control"] = "no-store"
        await send(message)

    return told
