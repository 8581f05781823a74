"""Signing in and out: two addresses without a script, in front of the page."""

import asyncio
import math
from urllib.parse import parse_qs, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from dashboard.accounts import Account
from dashboard.attempts import device_of, is_known, keys_of
from dashboard.gate import Gate
from dashboard.passwords import fits
from dashboard.plain_pages import login_page
from dashboard.told import tell

ADDRESSES = ("/login", "/logout")
MOST_BYTES = 8192
FORM_S = 15.0
"""How long a form may take to come."""
QUEUE = 8
"""Passwords that may wait to be looked at: each takes 64 MiB and a tenth of a second, one after the other."""
YEAR_S = 365 * 86400
WRONG = "The name or the password is wrong."
SIGNED_OUT = "You were signed out: your time was up, your account was changed, or the page was restarted."


def own_path(to: str) -> str:
    """Return where to go after signing in: a path of the page's own, "/" for anything else."""
    try:
        parts = urlsplit(to)
    except ValueError:
        return "/"
    is_plain = to.startswith("/") and not to.startswith("//") and to.isascii() and to.isprintable()
    if not is_plain or "\\" in to or " " in to or parts.scheme or parts.netloc or len(to) > 2000:
        return "/"
    return "/" if parts.path in ADDRESSES else to


class Door:
    """The ASGI application of both addresses."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer. Raises SettingsError while the accounts cannot be read."""
        request = Request(scope, receive)
        answer = await (self._login(request) if request.url.path == "/login" else self._logout(request))
        await answer(scope, receive, send)

    async def _login(self, request: Request) -> Response:
        to = own_path(request.query_params.get("to", "/"))
        if not self._gate.accounts.now():
            return RedirectResponse(to, 303)
        if request.method == "POST":
            return await self._signing_in(request)
        if request.method not in {"GET", "HEAD"}:
            return Response(status_code=405, headers={"Allow": "GET, HEAD, POST"})
        if self._gate.session(request.cookies) is not None:
            return RedirectResponse(to, 303)
        was_in = bool(request.cookies.get(self._gate.cookie))
        return HTMLResponse(login_page(to, SIGNED_OUT if was_in else ""))

    async def _signing_in(self, request: Request) -> Response:
        given = await _form(request)
        if given is None:
            return HTMLResponse(login_page("/", "That is no form of this page."), 400)
        if self._waiting >= QUEUE:
            return _later("/", given["name"], 5.0)
        self._waiting += 1
        try:
            async with self._turn:
                return await self._tried(request, given)
        finally:
            self._waiting -= 1

    async def _tried(self, request: Request, given: dict[str, str]) -> Response:
        gate, name, to = self._gate, given["name"], own_path(given["to"])
        account = gate.accounts.now().get(name)
        address = request.client.host if request.client else ""
        known = is_known(request.cookies.get(gate.device_cookie, ""), account)
        keys = keys_of(name, account, address, known=known)
        if wait_s := gate.attempts.wait_s(keys):
            return _later(to, name, wait_s)
        good = await asyncio.to_thread(fits, given["password"], None if account is None else account.hash)
        # A name that is no account's may be a password, typed into the wrong field: it is not written down.
        who = "(no account)" if account is None else account.name
        if account is None or not good:
            gate.attempts.failed(keys)
            tell("warning", "sign-in-failed", name=who, address=address)
            return HTMLResponse(login_page(to, WRONG, name), 401)
        gate.attempts.succeeded(keys)
        tell("info", "signed-in", name=who, role=account.role, address=address)
        return self._let_in(request, account, to)

    def _let_in(self, request: Request, account: Account, to: str) -> Response:
        gate = self._gate
        if before := gate.session(request.cookies):
            gate.sessions.end(before)
        answer = RedirectResponse(to, 303)
        self._set(answer, gate.cookie, gate.sessions.begin(account), None)
        self._set(answer, gate.device_cookie, device_of(account), YEAR_S)
        return answer

    def _set(self, answer: Response, name: str, value: str, lasts_s: int | None) -> None:
        answer.set_cookie(
            name, value, max_age=lasts_s, path="/", httponly=True, samesite="strict", secure=self._gate.tls
        )

    async def _logout(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(status_code=405, headers={"Allow": "POST"})
        if session := self._gate.session(request.cookies):
            self._gate.sessions.end(session)
            tell("info", "signed-out", name=session.account.name)
        answer = RedirectResponse("/login", 303)
        self._set(answer, self._gate.cookie, "", 0)
        return answer


def _later(to: str, name: str, wait_s: float) -> Response:
    wait = math.ceil(wait_s)
    words = f"{wait} seconds" if wait < 120 else f"{math.ceil(wait / 60)} minutes"
    said = f"Too many tries failed: try again in {words}."
    return HTMLResponse(login_page(to, said, name), 429, headers={"Retry-After": str(wait)})


async def _form(request: Request) -> dict[str, str] | None:
    """Return the fields of the form, None where it is none of ours."""
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
        return None
    body = bytearray()
    try:
        async with asyncio.timeout(FORM_S):
            async for piece in request.stream():
                body += piece
                if len(body) > MOST_BYTES:
                    return None
    except (TimeoutError, ClientDisconnect):
        return None
    try:
        found = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=8)
    except ValueError:
        return None
    fields = {name: found.get(name, [""])[0] for name in ("name", "password", "to")}
    return fields if len(fields["name"]) <= 64 and len(fields["password"]) <= 256 else None
