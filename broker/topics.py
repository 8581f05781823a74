"""Every topic of the project is made here, below `<root>/v1/` (the table in docs/reference/topics.md)."""

import re
from dataclasses import dataclass

from broker.errors import MessageError

PROTOCOL = "v1"
SOURCE_CHARS = 64
SOURCE_PATTERN = rf"^[A-Za-z0-9][A-Za-z0-9_-]{{0,{SOURCE_CHARS - 1}}}\Z"
CANARY_PREFIX = "canary-"
MAX_TOPIC_CHARS = 10_000


def is_source(name: str) -> bool:
    """Tell whether `name` may stand in a topic as a source: 1 to 64 of A-Z a-z 0-9 _ -."""
    return re.fullmatch(SOURCE_PATTERN, name) is not None


def is_canary(source: str) -> bool:
    """Tell whether a source is an agent's canary, whose pictures no report counts."""
    return source.startswith(CANARY_PREFIX)


def canary_source(source: str) -> str:
    """Return the source under which an agent's canary flies."""
    return f"{CANARY_PREFIX}{source}"[:SOURCE_CHARS]


@dataclass(frozen=True)
class Topics:
    """The topics below one root. A method per topic; `source="+"` makes a subscription to all sources."""

    root: str = "tailorbird"

    def _below(self, *levels: str) -> str:
        return "/".join((self.root, PROTOCOL, *levels))

    def pixels(self, source: str = "+") -> str:
        """Pixel batches: a source -> predictors."""
        return self._below("pixels", source)

    def predictions(self, source: str = "+") -> str:
        """Predictions: predictors -> store and subscribers."""
        return self._below("predictions", source)

    def inputs(self, source: str = "+") -> str:
        """Pixels that were predicted, to be kept: predictors -> store."""
        return self._below("inputs", source)

    def shadows(self, source: str = "+") -> str:
        """Answers of a model that is on trial: shadow predictors -> store and subscribers."""
        return self._below("shadows", source)

    def receipts(self, source: str = "+") -> str:
        """Receipts: store -> the source's agent."""
        return self._below("receipts", source)

    def failures(self, source: str = "+") -> str:
        """Failures: agent -> store and subscribers."""
        return self._below("failures", source)

    def rejects(self, service: str = "+") -> str:
        """Rejected messages: any service -> store and subscribers."""
        return self._below("rejects", service)

    def jobs(self, source: str = "+") -> str:
        """Progress of a job: agent -> store and subscribers."""
        return self._below("jobs", source)

    def summaries(self, source: str = "+") -> str:
        """Figures of a closed job: store -> subscribers."""
        return self._below("summaries", source)

    def alerts(self) -> str:
        """Alerts: store -> subscribers."""
        return self._below("alerts")

    def reviews(self) -> str:
        """People's answers: command line, dashboard -> store."""
        return self._below("reviews")

    def corrections(self, source: str = "+") -> str:
        """Reviews of a source's images that were stored: store -> subscribers."""
        return self._below("corrections", source)

    def events(self, service: str = "+") -> str:
        """Lines of the event log: any service -> store."""
        return self._below("events", service)

    def model(self) -> str:
        """Name of the model that serves, retained: predictor -> agents."""
        return self._below("model")

    def model_requests(self) -> str:
        """Wishes for another model: dashboard -> a predictor of that machine."""
        return self._below("model-requests")

    def model_answers(self) -> str:
        """Answers to such wishes: predictor -> dashboard."""
        return self._below("model-answers")

    def status(self, service: str = "+", instance: str = "+") -> str:
        """Whether a service is there, retained: each service -> whoever asks."""
        return self._below("status", service, instance)

    def answers(self, client: str) -> str:
        """Response topic of one client's requests."""
        return self._below("answers", client)

    def everything(self) -> str:
        """Filter for all of these topics."""
        return self._below("#")

    def shared(self, topic: str, group: str = "predictors") -> str:
        """Turn a topic filter into a shared subscription, of which one member gets each message."""
        return f"$share/{group}/{topic}"

    def kind(self, topic: str) -> str:
        """Return the level below the version (`pixels`, `receipts`, …), or "" for a foreign topic."""
        prefix = self._below("")
        return topic.removeprefix(prefix).split("/", 1)[0] if topic.startswith(prefix) else ""

    def last(self, topic: str) -> str:
        """Return the last level: the source of `pixels/<source>`, the instance of a status."""
        return topic.rsplit("/", 1)[-1]


def check_topic(topic: str) -> None:
    """Raise MessageError for a topic at which a broker cuts the connection; a stranger may have chosen it."""
    if not topic or len(topic) > MAX_TOPIC_CHARS or not topic.isprintable() or set(topic) & {"+", "#"}:
        raise MessageError(f"nothing can be published on the topic {topic[:100]!r}")


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a topic matches a filter with `+` and `#` (MQTT 5, 4.7; `$share/g/` is stripped).

    A share of nothing, `$share/g`, matches nothing.
    """
    if topic_filter.startswith("$share/"):
        topic_filter = topic_filter.removeprefix("$share/").partition("/")[2]
        if not topic_filter:
            return False
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in {"+", "#"}:
        return False
    for i, part in enumerate(wanted):
        if part == "#":
            return True
        if i >= len(levels) or part not in {"+", levels[i]}:
            return False
    return len(wanted) == len(levels)
