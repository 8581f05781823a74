"""Downloads have an end: else one that nobody takes would keep the store from folding its log for good."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Response

from broker.settings import Settings
from dashboard import downloads
from dashboard.access import LOCAL
from dashboard.downloads import csv_answer
from dashboard.gate import Visit
from dashboard.guard import Guard
from store import queries
from tests.dashboard.conftest import Page
from tests.dashboard.test_page import answered
from tests.waiting import until


class Line:
    """A page with one file that never ends, and what is read of the database."""

    def __init__(self, settings: Settings) -> None:
        self.lasts = True
        self.begun = self.reading = 0
        self.gate: Any = SimpleNamespace(names=("127.0.0.1",), tls=False, visit=self._visit)
        self.made = FastAPI()

        @self.made.get("/endless.csv")
        def endless() -> Response:
            return csv_answer(settings, "endless.csv", lambda _: iter(lambda: "1,2,3\n" * 1000, ""))

    def _visit(self, _: object) -> Visit:
        return Visit(LOCAL, lambda: self.lasts)

    @contextlib.contextmanager
    def read(self, _: object) -> Iterator[None]:
        """Stand in for the database."""
        self.begun += 1
        self.reading += 1
        try:
            yield
        finally:
            self.reading -= 1


@pytest.fixture
def line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Line:
    """One."""
    made = Line(settings)
    monkeypatch.setattr(queries, "reading", made.read)
    return made


@pytest.fixture
def page(line: Line, settings: Settings) -> Iterator[Page]:
    """It, behind the guard, in the web server that the page has."""
    web = uvicorn.Server(uvicorn.Config(Guard(line.made, line.gate), log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as place:
        thread = threading.Thread(target=web.run, kwargs={"sockets": [place]})
        thread.start()
        until(lambda: web.started)
        yield Page(f"http://127.0.0.1:{place.getsockname()[1]}", settings.ingest_agent.inbox)
        web.should_exit = web.force_exit = True
        thread.join()


@contextlib.contextmanager
def asking(page: Page, line: Line) -> Iterator[socket.socket]:
    """Ask for the file, and take nothing of it."""
    port, before = int(page.url.rpartition(":")[2]), line.begun
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET /endless.csv HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        until(lambda: line.begun > before)
        yield connection


def test_download_that_nobody_takes_ends(page: Page, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, and the transaction with it."""
    monkeypatch.setattr(downloads, "LONGEST_S", 0.2)
    with asking(page, line):
        until(lambda: not line.reading)


def test_download_ends_with_its_session(page: Page, line: Line) -> None:
    """Also while nothing of it is taken."""
    with asking(page, line):
        line.lasts = False
        until(lambda: not line.reading)


def test_downloads_are_few_at_a_time(page: Page, line: Line) -> None:
    """One more is told so; who goes away makes room."""
    with contextlib.ExitStack() as stack:
        for _ in range(downloads.MOST):
            stack.enter_context(asking(page, line))
        assert (503, downloads.BUSY) == answered(page, "/endless.csv")
    until(lambda: not line.reading)
    with asking(page, line):
        pass
    until(lambda: not line.reading)
