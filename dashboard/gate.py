"""Who somebody is: by the session of the browser's cookie; without accounts, whoever sits at the machine."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from broker.errors import SettingsError
from broker.listeners import is_local
from broker.settings import Dashboard
from dashboard.accounts import Account, Accounts
from dashboard.attempts import Attempts
from dashboard.place import has_tls, names_of
from dashboard.roles import LOCAL, Person
from dashboard.sessions import Session, Sessions

HOUR_S = 3600.0


class Visit:
    """What somebody asks for, and whether they still may: asked anew each time, never remembered."""

    def __init__(
        self, person: Person, still: Callable[[], bool], use: Callable[[], None] = lambda: None
    ) -> None:
        self.person = person
        self._still = still
        self._use = use
        self._ended: float | None = None

    @property
    def lasts(self) -> bool:
        """Whether the person is still signed in, with the same account."""
        if self._ended is None and not self._still():
            self._ended = time.monotonic()
        return self._ended is None

    def use(self) -> None:
        """Note that the person does something; what comes too late revives nothing."""
        if self.lasts:
            self._use()

    @property
    def ended_s(self) -> float:
        """How long ago it ended; 0 while it lasts."""
        return 0.0 if self.lasts or self._ended is None else time.monotonic() - self._ended


class Gate:
    """The accounts, the sessions, and the failures of late of one page."""

    def __init__(self, page: Dashboard, state: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.names = names_of(page)
        self.tls = has_tls(page)
        self.accounts = Accounts(state)
        self.sessions = Sessions(HOUR_S * page.session_hours, HOUR_S * page.session_most_hours, clock)
        self.attempts = Attempts(clock)
        prefix = "__Host-" if self.tls else ""
        # A browser sends its cookies to every port of a host: two pages on one machine need two names.
        self.cookie = f"{prefix}tailorbird-{page.port}"
        self.device_cookie = f"{prefix}tailorbird-known-{page.port}"
        self._page = page

    def check(self) -> None:
        """Raise SettingsError when the page would be open to other machines without accounts."""
        if not self.accounts.now() and not is_local(self._page.host):
            raise SettingsError(
                f"[dashboard] host: {self._page.host} is not loopback, and the page has no account yet; type:"
                " ./tailorbird account add NAME --role admin"
            )

    def visit(self, cookies: Mapping[str, str]) -> Visit | None:
        """Return who it is, None for somebody who must sign in. Raises SettingsError while nobody may."""
        accounts = self.accounts.now()
        if not accounts:
            self.check()
            return Visit(LOCAL, self._nobody_has_an_account)
        session = self.session(cookies)
        if session is None:
            return None
        return Visit(
            session.account.person,
            lambda: self.sessions.lasts(session, self._known()),
            lambda: self.sessions.use(session),
        )

    def session(self, cookies: Mapping[str, str]) -> Session | None:
        """Return the session of a browser, None where it has none."""
        return self.sessions.of(cookies.get(self.cookie, ""), self._known())

    def _known(self) -> Mapping[str, Account]:
        try:
            return self.accounts.now()
        except SettingsError:
            return {}

    def _nobody_has_an_account(self) -> bool:
        try:
            return not self.accounts.now()
        except SettingsError:
            return False
