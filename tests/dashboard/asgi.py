"""A browser without a network: it speaks ASGI with an application, keeps cookies, and follows nothing."""

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any, Self, TypeVar
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp

ANSWER_S = 60.0
T = TypeVar("T")


class Refused(Exception):  # noqa: N818 - it reads as what happened
    """A web socket was closed; the text is the code."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Headers
    text: str


class Turning:
    """One loop in a thread of its own, as a page's server has: Playwright's stands in the tests' thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        """Return what comes of it."""
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(2 * ANSWER_S)

    def close(self) -> None:
        """End the loop."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Browser:
    """One browser with its cookies, and one loop, as a page's server has."""

    def __init__(self, app: ASGIApp, url: str) -> None:
        self.url = url
        self.cookies: dict[str, str] = {}
        self._app = app
        self._runner = Turning()

    def __enter__(self) -> Self:
        """Begin the loop."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the loop."""
        self._runner.close()

    def get(self, path: str, headers: Iterable[tuple[str, str]] = ()) -> Answer:
        """Ask for an address."""
        return self._ask("GET", path, b"", headers)

    def post(self, path: str, content: bytes = b"", headers: Iterable[tuple[str, str]] = ()) -> Answer:
        """Send something to an address."""
        return self._ask("POST", path, content, headers)

    def form(self, path: str, fields: Mapping[str, str], origin: str) -> Answer:
        """Send a form."""
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        return self.post(path, urlencode(fields).encode(), [kind, ("Origin", origin)])

    @contextmanager
    def socket(self, path: str, headers: Iterable[tuple[str, str]] = ()) -> Iterator["Socket"]:
        """Open a web socket. Raises Refused."""
        made = Socket(self._runner, self._app, self._scope("websocket", "", path, headers))
        try:
            made.open()
            yield made
        finally:
            made.leave()

    def _ask(self, method: str, path: str, content: bytes, headers: Iterable[tuple[str, str]]) -> Answer:
        said: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            said.append(message)

        async def asked() -> None:
            scope = self._scope("http", method, path, headers)
            await asyncio.wait_for(self._app(scope, receive, send), ANSWER_S)

        self._runner.run(asked())
        found = Headers(raw=said[0]["headers"])
        for line in found.getlist("set-cookie"):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        body = b"".join(message.get("body", b"") for message in said[1:])
        return Answer(said[0]["status"], found, body.decode())

    def _scope(self, kind: str, method: str, path: str, headers: Iterable[tuple[str, str]]) -> dict[str, Any]:
        parts, own = urlsplit(path), urlsplit(self.url)
        given = list(headers)
        if not any(name == "Host" for name, _ in given):
            given.append(("Host", own.netloc))
        if self.cookies:
            given.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        return {
            "type": kind,
            "method": method,
            "scheme": own.scheme if kind == "http" else own.scheme.replace("http", "ws"),
            "path": parts.path,
            "query_string": parts.query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given],
            "client": ("127.0.0.1", 50000),
            "server": (own.hostname, own.port),
        }


class Socket:
    """One web socket; the application runs while something is asked of it."""

    def __init__(self, runner: Turning, app: ASGIApp, scope: dict[str, Any]) -> None:
        self._runner = runner
        self._app = app
        self._scope = scope
        self._to: asyncio.Queue[Any] = asyncio.Queue()
        self._from: asyncio.Queue[Any] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Open it. Raises Refused."""
        self._put({"type": "websocket.connect"})

        async def opened() -> Any:
            self._task = asyncio.ensure_future(self._app(self._scope, self._to.get, self._from.put))
            return await asyncio.wait_for(self._from.get(), ANSWER_S)

        _raise_when_closed(self._runner.run(opened()))

    def _put(self, message: Any) -> None:
        self._runner.loop.call_soon_threadsafe(self._to.put_nowait, message)

    def say(self, text: str) -> None:
        """Send a text."""
        self._put({"type": "websocket.receive", "text": text})

    def hear(self) -> str:
        """Return the next text. Raises Refused when it was closed."""

        async def heard() -> Any:
            return await asyncio.wait_for(self._from.get(), ANSWER_S)

        message = self._runner.run(heard())
        _raise_when_closed(message)
        return str(message["text"])

    def leave(self) -> None:
        """Go away."""
        self._put({"type": "websocket.disconnect", "code": 1001})

        async def left() -> None:
            if self._task is not None:
                await asyncio.wait_for(self._task, ANSWER_S)

        self._runner.run(left())


def _raise_when_closed(message: Any) -> None:
    if message["type"] == "websocket.close":
        raise Refused(str(message["code"]))
