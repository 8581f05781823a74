"""How many images there are to ask about is counted now and then."""

from typing import Any

import pytest

from dashboard import populations
from dashboard.populations import KEPT_S, Populations
from store.review_scope import Scope
from store.sampling import Stratum


def test_images_are_counted_again_when_the_count_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each scope and time; the answers are read at every question."""
    counted: list[Scope] = []
    now = [0.0]

    def count(_: object, scope: Scope) -> tuple[Stratum, ...]:
        counted.append(scope)
        return (Stratum(len(counted)),)

    monkeypatch.setattr(populations, "population", count)
    monkeypatch.setattr(populations, "standing", lambda _, __, images: images[0].images)
    known: Any = Populations(clock=lambda: now[0])

    assert [1, 1, 2] == [known.standing(None, scope) for scope in (Scope(), Scope(), Scope(job="j1"))]
    now[0] = KEPT_S + 1
    assert 3 == known.standing(None, Scope())
