"""The agent as a process: `python -m ingest_agent`."""

import ctypes
import sys
from collections.abc import Sequence

from broker.line import Line
from broker.process import service_main
from broker.settings import Settings
from broker.topics import Topics, canary_source
from ingest_agent.agent import Agent
from ingest_agent.decoder_process import PR_SET_DUMPABLE
from ingest_agent.ledger import LedgerTrouble
from ingest_agent.lock import AlreadyRunning


def subscriptions(settings: Settings, topics: Topics) -> Sequence[str]:
    """Return what the agent listens to."""
    source = settings.ingest_agent.source
    return (
        topics.receipts(source),
        topics.receipts(canary_source(source)),
        topics.model(),
        topics.status("predictor_service"),
        topics.status("store"),
    )


def close_memory() -> None:
    """Let no other process of this user read this one's memory, passwords included, nor dump it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def run(settings: Settings, line: Line) -> None:
    """Be the agent until the line is asked to stop."""
    close_memory()
    with Agent(settings, line) as agent:
        agent.run()


def main() -> int:
    """Run the service."""
    return service_main(
        "ingest_agent",
        subscriptions,
        run,
        lambda s: s.ingest_agent.source,
        cannot_run=(AlreadyRunning, LedgerTrouble),
    )


if __name__ == "__main__":
    sys.exit(main())
