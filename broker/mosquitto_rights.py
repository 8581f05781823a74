"""Who may read and write which topics at the managed broker."""

from collections.abc import Collection

from broker.client_accounts import ClientAccount, Role
from broker.settings import Settings
from broker.topics import Topics, canary_source

Rights = list[tuple[str, str]]


def access_list(settings: Settings, clients: Collection[ClientAccount] = ()) -> str:
    """Return Mosquitto's ACL file: every account and its topics, nothing for anybody else."""
    topics = Topics(settings.broker.root)
    accounts = {
        "ingest_agent": _ingest_agent(topics, settings.ingest_agent.source),
        "predictor_service": _predictor_service(topics),
        "store": _store(topics),
        "reader": _reader(topics),
        "client": _client(topics, "client"),
        "reviewer": _reviewer(topics),
        "dashboard": _dashboard(topics),
        **{one.name: rights_of(one.role, topics, one.name) for one in clients},
    }
    return "\n".join(_account(name, rights) for name, rights in accounts.items())


def rights_of(role: Role, topics: Topics, name: str) -> Rights:
    """Return what a program outside may do, by its role."""
    match role:
        case "reader":
            return _outside_reader(topics)
        case "source":
            return _client(topics, name)
        case "reviewer":
            return _reviewer(topics)


def _account(name: str, rights: Rights) -> str:
    lines = [f"user {name}", *(f"topic {access} {topic}" for access, topic in rights)]
    return "\n".join(lines) + "\n"


def _ingest_agent(topics: Topics, source: str) -> Rights:
    """One agent's own source and its canary."""
    own = (source, canary_source(source))
    given = (topics.pixels, topics.failures, topics.jobs)
    writes = [("write", topic(name)) for topic in given for name in own]
    reads = [("read", topics.receipts(name)) for name in own]
    return [*writes, *reads, ("read", topics.model()), *_itself(topics, "ingest_agent")]


def _predictor_service(topics: Topics) -> Rights:
    return [
        ("read", topics.pixels()),
        ("write", topics.predictions()),
        ("write", topics.shadows()),
        ("write", topics.inputs()),
        ("write", topics.answers("#")),
        ("write", topics.model()),
        ("read", topics.model_requests()),
        ("write", topics.model_answers()),
        *_itself(topics, "predictor_service"),
    ]


def _store(topics: Topics) -> Rights:
    heard = (topics.predictions, topics.shadows, topics.failures, topics.rejects, topics.jobs, topics.events)
    said = (topics.receipts, topics.summaries, topics.alerts, topics.corrections)
    return [
        *(("read", topic()) for topic in heard),
        *(("read", topic()) for topic in (topics.model, topics.inputs, topics.reviews)),
        *(("write", topic()) for topic in said),
        *_itself(topics, "store"),
    ]


def _reader(topics: Topics) -> Rights:
    return [("read", topics.everything())]


def _outside_reader(topics: Topics) -> Rights:
    """Let a program see what was answered and how the line does, but no pixels and nobody's reviews."""
    several = (topics.predictions, topics.jobs, topics.summaries, topics.failures, topics.receipts)
    return [
        *(("read", topic()) for topic in several),
        *(("read", topic) for topic in (topics.alerts(), topics.model(), topics.status())),
    ]


def _client(topics: Topics, source: str) -> Rights:
    """Let a program publish pixels under one source, and see what became of them."""
    return [
        ("write", topics.pixels(source)),
        *(("read", topic(source)) for topic in (topics.predictions, topics.receipts)),
        ("read", topics.answers(f"{source}/#")),  # the topic itself, too
        ("read", topics.model()),
        ("read", topics.status()),
    ]


def _reviewer(topics: Topics) -> Rights:
    """Let people's answers be published, and see that they were stored."""
    return [("write", topics.reviews()), ("read", topics.corrections()), ("read", topics.status())]


def _dashboard(topics: Topics) -> Rights:
    """Let the page ask for another model, and tell what happened at it.

    What it shows it reads as `reader`, and reviews as `reviewer`.
    """
    return [
        ("write", topics.model_requests()),
        ("write", topics.events("dashboard")),
        ("read", topics.model_answers()),
        ("read", topics.status()),
    ]


def _itself(topics: Topics, service: str) -> Rights:
    """Return what every service says of itself, and whom else it may see."""
    return [
        ("write", topics.status(service)),
        ("write", topics.events(service)),
        ("write", topics.rejects(service)),
        ("read", topics.status()),
    ]
