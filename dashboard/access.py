"""Who looks at the page, and what they may do.

The guard decides who it is before anything else sees the request; pages and handlers ask here.
"""

import enum
from dataclasses import dataclass

from nicegui import ui
from starlette.requests import HTTPConnection


class Role(enum.IntEnum):
    """What somebody may do; each may do what those before it may."""

    VIEWER = 1
    REVIEWER = 2
    ADMIN = 3


@dataclass(frozen=True)
class Person:
    """Somebody at the page; the name is what reviews and events are signed with."""

    name: str
    role: Role


class AccessError(Exception):
    """What was asked for needs another role; the text says which."""


def person_of(connection: HTTPConnection) -> Person:
    """Return who sent a request, as the guard found."""
    found: Person = connection.state.person
    return found


def here() -> Person:
    """Return who has the page open whose event is handled. Raises RuntimeError outside of a page."""
    return person_of(ui.context.client.request)


def require(role: Role) -> Person:
    """Return who has the page open. Raises AccessError when they may not do what needs the role."""
    found = here()
    if found.role < role:
        raise AccessError(
            f"this needs the role {role.name.lower()}; {found.name} has {found.role.name.lower()}"
        )
    return found
