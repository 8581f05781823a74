"""Which troubles of single topics have begun, so that each is told once when it begins and when it ends."""

from broker.connection import Notice


class TopicTroubles:
    """The open troubles of one connection, by topic."""

    def __init__(self) -> None:
        self._open: dict[str, str] = {}

    def begin(self, kind: str, topic: str, detail: str) -> list[Notice]:
        """Return what to tell: nothing when this trouble of this topic is known, else its beginning."""
        known = self._open.get(topic)
        if known == kind:
            return []
        over = self.end(topic)
        self._open[topic] = kind
        return [*over, Notice(kind, detail, topic)]

    def end(self, topic: str) -> list[Notice]:
        """Return what to tell when a message on the topic went well: the end of its trouble, if any."""
        kind = self._open.pop(topic, None)
        return [] if kind is None else [Notice(kind, "messages go through again on", topic, over=True)]
