"""Letting go of images whose files are gone."""

from pathlib import Path

import pytest

from ingest_agent.inbox import Inbox
from ingest_agent.ledger import Ledger, LedgerTrouble
from ingest_agent.pruning import RETRY_S, Pruner


def test_ledger_in_trouble_is_left_alone_for_a_while(tmp_path: Path) -> None:
    """Else every turn of the agent would end in it."""
    pruner = Pruner(Ledger(tmp_path / "closed.db"), Inbox(tmp_path))
    with pytest.raises(LedgerTrouble):
        pruner.step("root", 10.0)
    pruner.step("root", 10.0 + RETRY_S / 2)
    with pytest.raises(LedgerTrouble):
        pruner.step("root", 10.0 + RETRY_S)
