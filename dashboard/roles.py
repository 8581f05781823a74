"""Who may do what at the page: the roles, and a person who has one."""

import enum
from dataclasses import dataclass


class Role(enum.IntEnum):
    """What somebody may do; each may do what those before it may."""

    VIEWER = 1
    REVIEWER = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The role as people write it."""
        return self.name.lower()


ROLES = {role.word: role for role in Role}
"""The roles by the words that people write."""


@dataclass(frozen=True)
class Person:
    """Somebody at the page; the name is what reviews and events are signed with."""

    name: str
    role: Role


LOCAL = Person(name="", role=Role.ADMIN)
"""Whoever sits at this machine: without accounts the page knows no name."""
