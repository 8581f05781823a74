"""A subscriber for commands, which end with one line where the broker does not come."""

from collections.abc import Sequence

from broker import reader
from broker.settings import Settings
from cli.connecting import CONNECT_S, wait_for_broker


class Reader(reader.Reader):
    """Messages of the given topics while the `with` block lasts."""

    def __init__(self, settings: Settings, topics: Sequence[str]) -> None:
        super().__init__(settings, topics)
        self._broker = settings.broker

    def connect(self, timeout_s: float = CONNECT_S) -> None:
        """Wait for the broker. Raises CannotRun when it does not come."""
        wait_for_broker(self.connection, self._broker, timeout_s)
