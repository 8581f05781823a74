"""Who looks at the page, and what they may do.

The guard decides who it is before anything else sees the request; pages and handlers ask here, and are told
how it is now: a session that has ended since may do nothing any more.
"""

from nicegui import Client, ui
from starlette.requests import HTTPConnection

from dashboard.gate import Visit
from dashboard.roles import LOCAL, Person, Role

__all__ = ["LOCAL", "AccessError", "Person", "Role", "here", "person_of", "require", "visit_of"]


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
