"""Who is signed in: sessions in memory, which end by themselves. A restart of the page signs everybody out.

A browser holds a random word of 256 bits; here only its hash is kept.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dashboard.accounts import Account

MOST = 1000
"""Sessions at any time; the one that was used the longest ago goes first."""


@dataclass
class Session:
    """One browser's session. `begun` and `used` are monotonic seconds."""

    account: Account
    begun: float
    used: float
    ended: float | None = None
    """When it was seen to have ended."""


class Sessions:
    """All sessions; `idle_s` and `most_s` are how long one lasts unused, and at all."""

    def __init__(self, idle_s: float, most_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle_s = idle_s
        self._most_s = most_s
        self._clock = clock
        self._kept: dict[bytes, Session] = {}

    def begin(self, account: Account) -> str:
        """Begin a session, and return the word for the browser."""
        now = self._clock()
        self._forget(now)
        if len(self._kept) >= MOST:
            oldest = min(self._kept, key=lambda key: self._kept[key].used)
            self._kept.pop(oldest).ended = now
        word = secrets.token_urlsafe(32)
        self._kept[_key(word)] = Session(account, now, now)
        return word

    def of(self, word: str, accounts: Mapping[str, Account]) -> Session | None:
        """Return the session of a browser's word, None where it has none that lasts."""
        found = self._kept.get(_key(word))
        return found if found is not None and self.lasts(found, accounts) else None

    def lasts(self, session: Session, accounts: Mapping[str, Account]) -> bool:
        """Tell whether a session lasts: its time, and its account as it was when it began."""
        now = self._clock()
        if session.ended is None and (
            self._is_over(session, now) or accounts.get(session.account.name) != session.account
        ):
            session.ended = now
        return session.ended is None

    def use(self, session: Session) -> None:
        """Note that somebody does something."""
        session.used = self._clock()

    def end(self, session: Session) -> None:
        """End a session."""
        if session.ended is None:
            session.ended = self._clock()

    def ended_s(self, session: Session) -> float:
        """Return how long ago a session ended; 0 while it lasts."""
        return 0.0 if session.ended is None else self._clock() - session.ended

    def _is_over(self, session: Session, now: float) -> bool:
        return now - session.used >= self._idle_s or now - session.begun >= self._most_s

    def _forget(self, now: float) -> None:
        self._kept = {
            key: one for key, one in self._kept.items() if one.ended is None and not self._is_over(one, now)
        }


def _key(word: str) -> bytes:
    return hashlib.sha256(word.encode("utf-8", "surrogateescape")).digest()
