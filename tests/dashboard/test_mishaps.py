"""Pages that are not there, that fail, or that somebody may not see whole: without a browser or a line."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import nicegui
import pytest
from nicegui import ui
from starlette.types import ASGIApp, Receive, Scope, Send

from broker.errors import SettingsError
from broker.health import Health
from broker.messages import Status
from broker.reviewer import connection_of
from broker.settings import Settings
from broker.settings_reader import read_settings
from broker.topics import Topics
from dashboard import access, mishaps, models, system
from dashboard.access import Person, Role
from dashboard.answers import Answers
from dashboard.frame import PAGES
from dashboard.gate import Gate, Visit
from dashboard.guard import Guard
from dashboard.mishaps import DEFECT, NO_PAGE, TOO_SLOW
from dashboard.server import server
from dashboard.site import Site
from dashboard.watch import Present, Watch
from store.times import stamp_of
from tests.dashboard.conftest import Page
from tests.dashboard.test_page import answered
from tests.waiting import until


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A state of its own, without a database or a bundle."""
    state = tmp_path_factory.mktemp("state")
    password = {"TAILORBIRD__STORE__URL": "postgresql+psycopg://anna:secret@127.0.0.1:1/photos"}
    bundle = {"TAILORBIRD__MODEL__BUNDLE": str(state / "bundles")}
    return read_settings(None, {"TAILORBIRD__PATHS__STATE": str(state), **password, **bundle}).settings


class As:
    """Comes as somebody with a role, behind the guard."""

    role = Role.ADMIN
    lasts = True

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, signed."""
        scope.setdefault("state", {})["visit"] = Visit(Person("vera", self.role), lambda: self.lasts)
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def site(settings: Settings) -> Iterator[Page]:
    """The page, served by a thread, with three pages that fail."""
    answers = Answers(connection_of(settings), Topics(settings.broker.root))
    web = server(
        Site(settings, Watch(settings), answers), Health(), Gate(settings.dashboard, settings.paths.state)
    )
    guard = web.config.app
    assert isinstance(guard, Guard)
    guard.app = As(guard.app)

    @ui.page("/defect")
    def page_defect() -> None:
        raise RuntimeError("a-secret-word")

    @ui.page("/late-defect")
    async def page_late_defect() -> None:
        raise SettingsError("the database is away")

    @ui.page("/slow", response_timeout=0.01)
    async def page_slow() -> None:
        await asyncio.sleep(1)

    with socket.create_server(("127.0.0.1", 0)) as place:
        thread = threading.Thread(target=web.run, kwargs={"sockets": [place]})
        thread.start()
        until(lambda: web.started)
        yield Page(f"http://127.0.0.1:{place.getsockname()[1]}", settings.ingest_agent.inbox)
        web.should_exit = True
        thread.join()


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/defect", 500, DEFECT),
        ("/late-defect", 500, "the database is away"),
        ("/slow", 500, TOO_SLOW),
        ("/nowhere", 404, NO_PAGE),
    ],
)
def test_page_that_fails_is_one_of_ours(site: Page, path: str, status: int, said: str) -> None:
    """In the frame, with one sentence; what was raised stands in the log only."""
    found, text = answered(site, path)
    assert status == found
    for part in (said, "Go to Today", "Times are UTC"):
        assert part in text
    for hidden in ("a-secret-word", "Traceback", "sad_face"):
        assert hidden not in text


def test_page_or_file_that_fails_is_an_event(site: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, with where it was and what was raised, and not what that said; the world's troubles are none."""
    found: list[tuple[str, str, dict[str, object]]] = []

    def heard(level: str, event: str, **fields: object) -> None:
        found.append((level, event, fields))

    def fails(_: object) -> None:
        raise RuntimeError("a-secret-word")

    monkeypatch.setattr(mishaps, "tell", heard)
    monkeypatch.setattr(models, "look", fails)
    for path in ("/defect", "/late-defect", "/model.csv?version=v&plot=training"):
        status, said = answered(site, path)
        assert 500 == status
        assert "a-secret-word" not in said
    assert [
        ("error", "page-failed", {"page": path, "error": "RuntimeError"})
        for path in ("/defect", "/model.csv")
    ] == found


def test_script_that_is_not_there_is_no_page(site: Page) -> None:
    """What a page asks for gets a short answer."""
    status, said = answered(site, f"/_nicegui/{nicegui.__version__}/libraries/x.js")
    assert (404, {"detail": 'library "x.js" not found'}) == (status, json.loads(said))


def test_viewer_sees_no_paths_no_settings_and_no_events(site: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is no admin sees how it is, and not where; nobody sees a password."""
    monkeypatch.setattr(Watch, "present", lambda _: Present(datetime.now(UTC), connected=False))
    monkeypatch.setattr(system, "FIRST_S", 25.0)
    whole = answered(site, "/system")[1]
    assert "anna:***@127.0.0.1:1" in whole
    assert "anna:secret" not in whole
    monkeypatch.setattr(As, "role", Role.VIEWER)
    part = answered(site, "/system")[1]
    assert "needs the administrator" in part
    assert "anna" not in part
    assert "Settings that are not the default" not in part
    for path in ("/events.csv", "/export/events.csv"):
        assert 403 == answered(site, path)[0]
    assert "needs the role admin" in answered(site, "/events")[1]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/events.csv"), ("GET", "/export/days.csv"), ("POST", "/drop/begin")]
)
def test_what_is_asked_for_when_the_session_has_ended_is_refused(
    site: Page, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    """The guard had let it pass a moment before: no defect, but a sentence."""
    monkeypatch.setattr(As, "lasts", False)
    asked = Request(site.url + path, headers={"Origin": site.url}, method=method)
    with pytest.raises(HTTPError) as refused:
        urlopen(asked)
    said = refused.value.read().decode()
    assert (401, "You are signed out: load the page again to sign in.\n") == (refused.value.code, said)


PLACES = (
    *(address for _, address, role in PAGES if role == Role.VIEWER),
    *("/job?job_id=x", "/job.csv?job_id=x", "/quality.csv?plot=x", "/models.csv", "/disagreements.csv"),
    *("/original?job_id=x&image=y", "/export/results.csv", "/late-defect"),
)
STORE = Status(
    service="store",
    instance="main",
    state="online",
    pid=424_242,
    host="host-of-theirs",
    version="1",
    since=stamp_of(datetime.now(UTC)),
)


@pytest.mark.parametrize("path", PLACES)
def test_only_admins_are_told_where_things_are(
    site: Page, settings: Settings, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Neither the database's address, nor folders, nor processes: wherever a viewer looks."""
    now = Present(datetime.now(UTC), connected=True, services=(STORE,), why="anna@127.0.0.1: away")
    monkeypatch.setattr(Watch, "present", lambda _: now)
    monkeypatch.setattr(As, "role", Role.VIEWER)
    said = answered(site, path)[1]
    hidden = ("anna", "127.0.0.1:1/", str(settings.paths.state), "424242", "host-of-theirs", "is away")
    assert [] == [word for word in hidden if word in said]
    monkeypatch.setattr(As, "role", Role.ADMIN)
    if path in {"/", "/jobs", "/quality", "/models", "/system", "/job?job_id=x"}:
        assert "anna" in answered(site, path)[1]


def test_inbox_is_named_to_those_who_drop_photos(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Viewers hear of the inbox only."""
    inbox = str(settings.ingest_agent.inbox)
    for role, name in ((Role.VIEWER, "the inbox"), (Role.REVIEWER, inbox), (Role.ADMIN, inbox)):
        monkeypatch.setattr(access, "here", lambda role=role: Person("vera", role))
        assert name == access.inbox_name(settings)


def test_database_that_is_away_is_a_trouble_to_the_list_of_jobs(site: Page) -> None:
    """And not an empty list with what to do first."""
    said = answered(site, "/jobs")[1]
    assert "trouble" in said
    assert "No job yet" not in said
