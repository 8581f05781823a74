"""What the guard lets through: own names and origins, people who may, and sessions that last."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from broker.settings import Dashboard
from dashboard import guard as guard_module
from dashboard import passwords
from dashboard.access import AccessError, person_of
from dashboard.accounts import add_account, change_account, remove_account
from dashboard.door import SIGNED_OUT, WRONG, own_path
from dashboard.gate import Gate
from dashboard.guard import POLICY, Guard, is_own, least_role
from dashboard.roles import Role
from tests.dashboard.asgi import Answer, Browser, Refused

URL = "http://127.0.0.1:18880"
PASSWORD = "a long walk home"
OTHER = "another long walk"


@pytest.mark.parametrize("host", ["127.0.0.1:18880", "localhost:18880", "LOCALHOST", "[::1]:18880"])
def test_loopback_is_own(host: str) -> None:
    """By each of its names, without an origin or with its own."""
    assert is_own(host, [])
    assert is_own(host, [f"http://{host}"])


def test_names_of_the_configuration_are_own_and_under_tls_so_is_https() -> None:
    """The scheme belongs to the origin."""
    names = Gate(Dashboard(host="192.0.2.7", names=("Photos.example",)), Path("nowhere")).names
    assert is_own("photos.example:18880", ["https://photos.example:18880"], names, "https")
    assert is_own("192.0.2.7:18880", [], names, "https")
    assert not is_own("photos.example:18880", ["http://photos.example:18880"], names, "https")
    assert not is_own("other.example:18880", [], names, "https")


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


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("/job?job_id=a%2Fb&page=2", "/job?job_id=a%2Fb&page=2"),
        ("", "/"),
        ("//photos.example", "/"),
        ("/\\photos.example", "/"),
        ("https://photos.example/", "/"),
        ("photos.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/jobs\r\nSet-Cookie: a=b", "/"),
        ("/\t/photos.example", "/"),
        ("/login?to=/jobs", "/"),
        ("/logout", "/"),
        ("/[", "/["),
        ("//[", "/"),
    ],
)
def test_signing_in_leads_nowhere_else(to: str, expected: str) -> None:
    """Only to a path of the page's own, however it is written."""
    assert expected == own_path(to)


def test_least_role_holds_below_an_address_and_for_its_csv(monkeypatch: pytest.MonkeyPatch) -> None:
    """One place says it for the page, its files and what is sent to it."""
    pages = (("Today", "/", Role.VIEWER), ("Review", "/review", Role.REVIEWER))
    monkeypatch.setattr(guard_module, "PAGES", pages)
    for path in ("/review", "/review/", "/review/upload", "/review.csv"):
        assert least_role(path) == Role.REVIEWER
    for path in ("/", "/reviews", "/job", "/job.csv"):
        assert least_role(path) == Role.VIEWER


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """Say who asks; by web socket, each time that something comes."""
    if scope["type"] == "http":
        said = await Request(scope, receive).body()
        person = person_of(HTTPConnection(scope))
        await PlainTextResponse(f"{person.name} {person.role.word} {len(said)}")(scope, receive, send)
        return
    socket = WebSocket(scope, receive, send)
    await socket.accept()
    try:
        while True:
            await socket.receive_text()
            await socket.send_text(person_of(socket).name)
    except WebSocketDisconnect:
        pass


class Clock:
    """Time that a test turns."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The page's clock."""
    return Clock()


@pytest.fixture(scope="module", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Hashes that take neither memory nor time, which are other tests' matter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="module")
def hashed_once(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with an admin and a viewer."""
    state = tmp_path_factory.mktemp("accounts")
    add_account(state, "anna", Role.ADMIN, PASSWORD)
    add_account(state, "vera", Role.VIEWER, OTHER)
    return (state / "page-accounts.json").read_text("utf-8")


@pytest.fixture
def state(tmp_path: Path, hashed_once: str) -> Path:
    """A state with these accounts."""
    (tmp_path / "page-accounts.json").write_text(hashed_once, "utf-8")
    return tmp_path


def client_of(state: Path, clock: Clock, **keys: Any) -> Browser:
    """Return a browser in front of a guarded page."""
    made = Gate(Dashboard(**keys), state, clock)
    url = "https://photos.example:18880" if made.tls else URL
    return Browser(Guard(page, made), url)


@pytest.fixture
def client(state: Path, clock: Clock) -> Iterator[Browser]:
    """A browser in front of a page with accounts; it stays one loop, as a page's server does."""
    with client_of(state, clock) as made:
        yield made


def sign_in(client: Browser, name: str, password: str, to: str = "/", origin: str = "") -> Answer:
    """Send the form, as a browser does."""
    return client.form("/login", {"name": name, "password": password, "to": to}, origin or client.url)


def test_without_accounts_whoever_is_here_is_admin(tmp_path: Path, clock: Clock) -> None:
    """With the headers: nothing from elsewhere runs, and nobody frames the page."""
    with client_of(tmp_path, clock) as client:
        answer = client.get("/")
        assert " admin 0" == answer.text
        assert POLICY == answer.headers["content-security-policy"]
        assert "DENY" == answer.headers["x-frame-options"]
        assert "strict-transport-security" not in answer.headers
        assert "/jobs" == client.get("/login?to=/jobs").headers["location"]


@pytest.mark.parametrize("host", [["127.0.0.1:18880", "photos.example"], ["photos.example"]])
def test_other_or_two_host_headers_are_refused(client: Browser, host: list[str]) -> None:
    """Nobody can know which of them was meant; signing in is refused as well."""
    for path in ("/", "/login"):
        assert 421 == client.get(path, headers=[("Host", one) for one in host]).status


def test_web_socket_of_another_origin_is_closed_before_it_opens(tmp_path: Path, clock: Clock) -> None:
    """Through it the whole page could be read."""
    with (
        client_of(tmp_path, clock) as client,
        pytest.raises(Refused, match="1008"),
        client.socket("/_nicegui_ws/", [("Origin", "http://photos.example")]),
    ):
        pass


def test_stranger_gets_the_door_and_nothing_else(client: Browser) -> None:
    """Pages lead there and back; files, scripts and sockets are refused."""
    answer = client.get("/job?job_id=a%20b&page=2")
    assert (303, "/login?to=%2Fjob%3Fjob_id%3Da%2520b%26page%3D2") == (
        answer.status,
        answer.headers["location"],
    )
    for path in ("/job.csv?job_id=x", "/_nicegui/3/static/nicegui.js", "/_nicegui_ws/socket.io/"):
        assert 401 == client.get(path).status
    assert 401 == client.post("/upload", headers=[("Origin", URL)]).status
    with pytest.raises(Refused), client.socket("/_nicegui_ws/"):
        pass
    assert "<script" not in client.get("/login").text


def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_do_not_get(client: Browser) -> None:
    """And leads back to where one wanted to go."""
    answer = sign_in(client, "vera", OTHER, "/job?job_id=x")
    assert (303, "/job?job_id=x") == (answer.status, answer.headers["location"])
    session, device = answer.headers.getlist("set-cookie")
    assert session.startswith("tailorbird-18880=")
    assert device.startswith("tailorbird-known-18880=")
    for cookie in (session, device):
        assert {"httponly", "samesite=strict", "path=/"} <= set(cookie.lower().split("; "))
    assert "vera viewer 0" == client.get("/").text


def test_under_tls_cookies_are_the_hosts_alone_and_browsers_insist_on_https(
    state: Path, clock: Clock
) -> None:
    """But not for loopback's names, on which others have pages too."""
    with client_of(state, clock, host="0.0.0.0", names=("photos.example",)) as client:
        answer = sign_in(client, "vera", OTHER)
        assert 303 == answer.status
        for cookie in answer.headers.getlist("set-cookie"):
            assert cookie.startswith("__Host-tailorbird-")
            assert "secure" in cookie.lower().split("; ")
        assert "max-age=31536000" == client.get("/").headers["strict-transport-security"]
        local = client.get("/login", headers=[("Host", "127.0.0.1:18880")])
        assert "strict-transport-security" not in local.headers


@pytest.mark.parametrize("origin", ["http://photos.example", "null", "http://127.0.0.1:1"])
def test_form_of_another_page_is_refused(client: Browser, origin: str) -> None:
    """So nobody is signed in, or out, by a page that he looks at."""
    assert 421 == sign_in(client, "vera", OTHER, origin=origin).status
    sign_in(client, "vera", OTHER)
    assert 421 == client.post("/logout", headers=[("Origin", origin)]).status
    assert 200 == client.get("/").status


def test_what_changes_something_must_state_its_page(client: Browser) -> None:
    """A browser always does; without an origin nothing is changed, whatever the cookie says."""
    sign_in(client, "anna", PASSWORD)
    assert [403, 403] == [client.post(path).status for path in ("/upload", "/logout")]
    assert "anna admin 3" == client.post("/upload", content=b"abc", headers=[("Origin", URL)]).text


def test_wrong_name_and_wrong_password_say_the_same(client: Browser) -> None:
    """In as many words."""
    answers = [sign_in(client, "anna", OTHER), sign_in(client, "nobody", OTHER)]
    assert [401, 401] == [one.status for one in answers]
    assert all(WRONG in one.text for one in answers)
    first, second = (one.text for one in answers)
    assert first == second.replace("nobody", "anna")


def test_nothing_of_the_form_is_taken_for_html(client: Browser) -> None:
    """The name and the way back stand in the page again."""
    answer = sign_in(client, '"><script>alert(1)</script>', "x", '/"><script>alert(1)</script>')
    assert 401 == answer.status
    assert "<script" not in answer.text
    assert "<script" not in client.get('/login?to=/"><script>').text


@pytest.mark.parametrize("content", [b"x" * 9000, b"name=" + b"a" * 65, b"name=%ff&password=\xff"])
def test_form_that_is_none_is_refused(client: Browser, content: bytes) -> None:
    """Without a word being tried."""
    headers = [("Origin", URL), ("Content-Type", "application/x-www-form-urlencoded")]
    assert 400 == client.post("/login", content=content, headers=headers).status


def test_failures_cost_a_growing_wait_and_known_browsers_none(
    state: Path, clock: Clock, client: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the right password is tried before; a browser of anna's own is not held up by a stranger."""
    assert 303 == sign_in(client, "anna", PASSWORD).status
    known = dict(client.cookies)
    client.cookies.clear()
    monkeypatch.setattr("dashboard.door.fits", lambda password, _: password == PASSWORD)
    answers = [sign_in(client, "anna", OTHER) for _ in range(6)]
    assert [401] * 5 + [429] == [one.status for one in answers]
    assert "15" == answers[-1].headers["retry-after"]
    assert "try again in 15 seconds" in answers[-1].text
    assert 429 == sign_in(client, "anna", PASSWORD).status
    client.cookies.update({name: value for name, value in known.items() if "known" in name})
    assert 303 == sign_in(client, "anna", PASSWORD).status
    client.cookies.clear()
    clock.now += 15
    assert 303 == sign_in(client, "anna", PASSWORD).status


def test_signing_out_ends_the_session_wherever_its_word_is(client: Browser) -> None:
    """The cookie is worth nothing afterwards."""
    sign_in(client, "anna", PASSWORD)
    word = dict(client.cookies)
    answer = client.post("/logout", headers=[("Origin", URL)])
    assert (303, "/login") == (answer.status, answer.headers["location"])
    client.cookies.update(word)
    assert 303 == client.get("/").status


def test_session_ends_unused_and_in_the_end_at_all(client: Browser, clock: Clock) -> None:
    """Twelve hours without a word, seven days in all; what a browser asks by itself does not count."""
    assert SIGNED_OUT not in client.get("/login").text
    sign_in(client, "anna", PASSWORD)
    for _ in range(2):
        clock.now += 11 * 3600
        assert 200 == client.get("/").status
    clock.now += 11 * 3600
    assert 200 == client.get("/_nicegui_ws/socket.io/").status
    assert 303 == client.get("/login").status
    clock.now += 3600
    assert 303 == client.get("/").status
    assert SIGNED_OUT in client.get("/login").text
    sign_in(client, "anna", PASSWORD)
    for _ in range(15):
        clock.now += 11 * 3600
        assert 200 == client.get("/").status
    clock.now += 11 * 3600
    assert 303 == client.get("/").status
    assert SIGNED_OUT in client.get("/login").text


@pytest.mark.parametrize("how", ["password", "role", "remove", "sign out", "expire"])
def test_open_web_socket_is_closed_when_its_session_ends(
    client: Browser, state: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """And what comes by it meanwhile does nothing."""
    monkeypatch.setattr(guard_module, "GRACE_S", 0.2)
    monkeypatch.setattr(guard_module, "LOOK_S", 0.05)
    sign_in(client, "anna", PASSWORD)
    with client.socket("/_nicegui_ws/") as socket:
        socket.say('42["event",1]')
        assert "anna" == socket.hear()
        match how:
            case "password":
                change_account(state, "anna", password=OTHER)
            case "role":
                change_account(state, "anna", role=Role.VIEWER)
            case "remove":
                remove_account(state, "anna")
            case "sign out":
                client.post("/logout", headers=[("Origin", URL)])
            case _:
                clock.now += 12 * 3600
        socket.say('42["event",1]')
        with pytest.raises(Refused):
            socket.hear()
    assert client.get("/").status in {303, 200 if how == "role" else 303}


def test_first_account_ends_what_was_open_without_one(
    tmp_path: Path, clock: Clock, hashed_once: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody stays in who has not signed in."""
    monkeypatch.setattr(guard_module, "GRACE_S", 0.2)
    monkeypatch.setattr(guard_module, "LOOK_S", 0.05)
    with client_of(tmp_path, clock) as client, client.socket("/_nicegui_ws/") as socket:
        socket.say("x")
        assert "" == socket.hear()
        (tmp_path / "page-accounts.json").write_text(hashed_once, "utf-8")
        with pytest.raises(Refused):
            socket.hear()
        assert 303 == client.get("/").status


@pytest.mark.parametrize("text", ["", "{}", "[{}]", "[1]", '[{"name": "x"}]'])
def test_accounts_that_cannot_be_read_let_nobody_in(client: Browser, state: Path, text: str) -> None:
    """Neither whoever sits at the machine nor those who were signed in."""
    sign_in(client, "anna", PASSWORD)
    (state / "page-accounts.json").write_text(text, "utf-8")
    assert [503, 503] == [client.get(path).status for path in ("/", "/login")]


def test_page_for_other_machines_lets_nobody_in_without_an_account(tmp_path: Path, clock: Clock) -> None:
    """Also when the last account was taken away while it runs."""
    with client_of(tmp_path, clock, host="0.0.0.0", names=("photos.example",)) as client:
        assert 503 == client.get("/").status


def test_viewer_is_refused_a_page_of_reviewers(client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence; what would be sent there as well."""
    pages = (("Today", "/", Role.VIEWER), ("Review", "/review", Role.REVIEWER))
    monkeypatch.setattr(guard_module, "PAGES", pages)
    sign_in(client, "vera", OTHER)
    answer = client.get("/review")
    assert 403 == answer.status
    assert "This needs the role reviewer; vera has viewer." in answer.text
    assert 403 == client.post("/review/upload", headers=[("Origin", URL)]).status


def test_who_was_asked_for_is_how_it_is_now(state: Path, clock: Clock) -> None:
    """A handler that asks later is told so."""
    gate = Gate(Dashboard(), state, clock)
    word = gate.sessions.begin(gate.accounts.now()["anna"])
    visit = gate.visit({gate.cookie: word})
    connection = HTTPConnection({"type": "http", "headers": [], "state": {"visit": visit}})
    assert "anna" == person_of(connection).name
    change_account(state, "anna", role=Role.VIEWER)
    with pytest.raises(AccessError, match="signed out"):
        person_of(connection)
