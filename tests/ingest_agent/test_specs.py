"""How pixels have to be made, and who says so."""

from pathlib import Path

import pytest

from broker.messages import ModelAnnouncement
from broker.messages import now as wire_now
from ingest_agent.specs import InputSpecs
from model.preprocessing import InputSpec


def announcement(**spec: object) -> ModelAnnouncement:
    """Return an announcement of a model with this input spec."""
    wanted = {**InputSpec().to_dict(), **spec}
    return ModelAnnouncement(
        version="m1", classes=("a", "b"), input=wanted, engine="", announced_at=wire_now()
    )


def test_announcement_counts_when_it_is_new(tmp_path: Path) -> None:
    """The same spec of another model changes nothing, and stays the same object."""
    specs = InputSpecs(tmp_path)
    assert (None, True) == (specs.current, specs.announced(announcement()))
    before = specs.current
    assert (False, True) == (specs.announced(announcement()), specs.current is before)
    assert (True, 14) == (specs.announced(announcement(height=14)), specs.current and specs.current.height)


def test_announcement_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    """And the spec before it stays."""
    specs = InputSpecs(tmp_path)
    specs.announced(announcement())
    with pytest.raises(ValueError, match="height"):
        specs.announced(announcement(height=0))
    assert InputSpec() == specs.current


def test_missing_bundle_says_nothing(tmp_path: Path) -> None:
    """The agent waits."""
    assert not InputSpecs(tmp_path / "none").from_bundle()
