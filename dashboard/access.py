"""Who looks at the page, and what they may do.

The guard decides who it is before anything else sees the request; pages and handlers ask here, and are told
how it is now: a session that has ended since may do nothing any more.
"""

from nicegui import Client, ui
from starlette.requests import HTTPConnection

from broker.errors import SettingsError
from broker.settings import Settings
from dashboard.gate import Visit
from dashboard.roles import LOCAL, Person, Role

__all__ = [
    "LOCAL",
    "UNREADABLE",
    "AccessError",
    "Person",
    "Role",
    "here",
    "inbox_name",
    "may",
    "person_of",
    "require",
    "trouble",
    "visit_of",
]

UNREADABLE = "The database cannot be read; an administrator sees why."
"""What those are told who are not to see where it lies."""


class AccessError(Exception):
    """What was asked for needs another role, or a session that has ended; the text says which."""


def visit_of(connection: HTTPConnection | Client) -> Visit | None:
    """Return the visit that a request, or an open page, belongs to; None where the guard let none through."""
    try:
        found = connection.request if isinstance(connection, Client) else connection
    except RuntimeError:  # NiceGUI's own, of no request
        return None
    visit: Visit | None = getattr(found.state, "visit", None)
    return visit


def person_of(connection: HTTPConnection) -> Person:
    """Return who sent a request. Raises AccessError when they are signed in no longer."""
    visit = visit_of(connection)
    if visit is None or not visit.lasts:
        raise AccessError("you are signed out: load the page again to sign in")
    return visit.person


def here() -> Person:
    """Return who has the page open whose event is handled. Raises AccessError when they are signed out.

    Raises RuntimeError outside of a page.
    """
    return person_of(ui.context.client.request)


def require(role: Role) -> Person:
    """Return who has the page open. Raises AccessError when they may not do what needs the role."""
    found = here()
    if found.role < role:
        raise AccessError(f"this needs the role {role.word}; {found.name} has {found.role.word}")
    return found


def trouble(problem: Exception) -> str:
    """Return what whoever has the page open may know of a problem: where the database lies, admins only."""
    return str(problem) if not isinstance(problem, SettingsError) or may(Role.ADMIN) else UNREADABLE


def inbox_name(settings: Settings) -> str:
    """Return what whoever has the page open may call the inbox: its path, or just that."""
    return str(settings.ingest_agent.inbox) if may(Role.REVIEWER) else "the inbox"


def may(role: Role) -> bool:
    """Tell whether whoever has the page open may do what needs the role."""
    try:
        return here().role >= role
    except AccessError:
        return False
