"""The connection for the answers of who typed the command."""

import contextlib
from collections.abc import Iterator

from broker.reviewer import Reviewer, connection_of
from broker.settings import Settings
from broker.topics import Topics
from cli.connecting import connected


@contextlib.contextmanager
def reviewing(settings: Settings, name: str) -> Iterator[Reviewer]:
    """Yield a reviewer whose connection stands. Raises CannotRun when the broker is not there."""
    connection = connection_of(settings)
    with connected(connection, settings.broker):
        yield Reviewer(connection, Topics(settings.broker.root), name)
