"""Among which images a question was drawn."""

from datetime import UTC, datetime, timedelta

import pytest

from store.review_scope import Scope, scope_in

AT = datetime(2026, 11, 22, 13, 16, 1, 123_000, UTC)
FULL = Scope("j1", "T-shirt/top", "m1", AT)


@pytest.mark.parametrize("scope", [Scope(), Scope(label="Bag"), Scope(since=AT), FULL])
def test_scope_that_was_written_is_read_again(scope: Scope) -> None:
    """Behind the stratum's name; that of all images is the name alone."""
    assert scope == scope_in(scope.written("0.98-1"))
    assert "suspect" == Scope().written("suspect")


@pytest.mark.parametrize("text", ["suspect {", "suspect {}x", 'suspect {"since": "soon"}', 'x {"since": 3}'])
def test_scope_that_nobody_can_read_is_none(text: str) -> None:
    """Such an answer counts for its own image only."""
    assert scope_in(text) is None


def test_wider_scope_covers_a_narrower_one() -> None:
    """And no other way round."""
    assert Scope().covers(FULL)
    assert FULL.covers(FULL)
    assert not FULL.covers(Scope())
    assert not Scope(job="j2").covers(FULL)
    assert Scope(since=AT).covers(Scope(since=AT + timedelta(1)))
    assert not Scope(since=AT).covers(Scope(since=AT - timedelta(1)))
