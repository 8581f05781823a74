"""The connection for the answers of who typed the command."""

import contextlib
from collections.abc import Iterator

from broker.reviewer import Reviewer, connection_of
from broker.settings import Settings
from broker.topics import Topics
from cli.connecting import wait_for_broker


@contextlib.contextmanager
def reviewing(settings: Settings, name: str) -> Iterator[Reviewer]:
    """Yield a reviewer whose connection stands. Raises CannotRun when the broker is not there."""
    connection = connection_of(settings)
    connection.start()
    try:
        wait_for_broker(connection, settings.broker)
        yield Reviewer(connection, Topics(settings.broker.root), name)
    finally:
        connection.stop(1.0)
