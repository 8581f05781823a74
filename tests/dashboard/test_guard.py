"""Which names and origins are this machine's own."""

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from dashboard.guard import POLICY, Guard, is_own
from tests.running import run


@pytest.mark.parametrize("host", ["127.0.0.1:18880", "localhost:18880", "LOCALHOST", "[::1]:18880"])
def test_loopback_is_own(host: str) -> None:
    """By each of its names, without an origin or with its own."""
    assert is_own(host, [])
    assert is_own(host, [f"http://{host}"])


@pytest.mark.parametrize(
    "host",
    ["", "photos.example", "127.0.0.1.a.example", "127.0.0.1@a.example", "127.0.0.2", "[::1"],
)
def test_other_names_are_not(host: str) -> None:
    """However much they look like it."""
    assert not is_own(host, [])


@pytest.mark.parametrize(
    "origin", ["null", "", "http://photos.example", "http://127.0.0.1:1", "https://127.0.0.1:80"]
)
def test_other_origins_are_not(origin: str) -> None:
    """Another port of this machine is another page."""
    assert not is_own("127.0.0.1:80", [origin])


def passed(scope: dict[str, Any]) -> tuple[bool, list[dict[str, Any]]]:
    """Send a question to a guarded page; return whether it came through, and what was answered."""
    came, said = [], list[dict[str, Any]]()

    async def page(_scope: Scope, _receive: Receive, send: Send) -> None:
        came.append(True)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    run(Guard(page)(scope, receive, send))
    return bool(came), said


def test_web_socket_of_another_origin_is_closed_before_it_opens() -> None:
    """Through it the whole page could be read."""
    headers = [(b"host", b"127.0.0.1:18880"), (b"origin", b"http://photos.example")]
    came, said = passed({"type": "websocket", "path": "/", "headers": headers})
    assert not came
    assert [("websocket.close", 1008)] == [(one["type"], one["code"]) for one in said]


def test_own_question_is_answered_with_the_headers() -> None:
    """Nothing from elsewhere runs, and nobody frames the page."""
    came, said = passed({"type": "http", "path": "/", "headers": [(b"host", b"localhost:18880")]})
    assert came
    assert (b"content-security-policy", POLICY.encode()) in said[0]["headers"]
    assert (b"x-frame-options", b"DENY") in said[0]["headers"]


def test_two_host_headers_are_refused() -> None:
    """Nobody can know which of them was meant."""
    headers = [(b"host", b"127.0.0.1:18880"), (b"host", b"photos.example")]
    came, _ = passed({"type": "http", "path": "/", "headers": headers})
    assert not came


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_what_changes_something_states_its_origin(method: str) -> None:
    """Every browser does; whoever hides it may be any web site."""
    scope = {"type": "http", "method": method, "path": "/", "headers": [(b"host", b"localhost:18880")]}
    assert not passed(scope)[0]
    scope["headers"] = [*scope["headers"], (b"origin", b"http://localhost:18880")]
    assert passed(scope)[0]
