"""Whom the page asks about what, with a database that a store's own writer made."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from broker.reviewer import answer
from broker.settings import Store
from dashboard.questions import Asking
from dashboard.reservations import HELD_S, Reservations
from store import answers, queries
from store.review_scope import Scope
from store.writer import Writer
from tests.store.workbench import JOB, Make, writing


@pytest.fixture
def settings(tmp_path: Path) -> Store:
    """A database's settings."""
    return Store(url=f"sqlite:///{tmp_path}/store.db", min_free_mb=0)


@pytest.fixture
def writer(settings: Store) -> Iterator[Writer]:
    """Its writer, which has written three images."""
    make = Make()
    with writing(settings) as made:
        made.write([make.progress("open", 3), make.batch("a", "b", "c")])
        yield made


def test_two_people_are_asked_about_different_images(settings: Store, writer: Writer) -> None:
    """What one looks at comes to the other last, and not at all once it is answered."""
    reservations = Reservations()
    anna, nora = (Asking(settings, Scope(), reservations, Random(place)) for place in (1, 2))
    first, second = anna.next(), anna.next()
    assert first is not None
    assert second is not None
    third = nora.next()
    assert third is not None
    assert {"a", "b", "c"} == {one.question.image for one in (first, second, third)}

    writer.write([answer("anna", first.key, "Coat", how="asked", replaces="")])
    fourth = nora.next()

    assert fourth is not None
    assert second.key == fourth.key
    assert nora.next() is None
    said = anna.again(first).said
    assert said is not None
    assert ("Coat", "anna") == (said.label, said.reviewer)


def test_image_is_let_go_by_who_leaves_or_sleeps() -> None:
    """Another may have it then; whoever holds it may hold it on."""
    now = [0.0]
    reservations = Reservations(lambda: now[0])
    assert reservations.take(("j", "a"), 1)
    assert reservations.take(("j", "a"), 1)
    assert not reservations.take(("j", "a"), 2)
    reservations.free(1, ("j", "b"))
    assert not reservations.take(("j", "a"), 2)
    now[0] = HELD_S
    assert reservations.take(("j", "a"), 2)
    reservations.free(2)
    assert reservations.take(("j", "a"), 1)


def test_what_people_say_is_found_by_job_and_image(settings: Store, writer: Writer) -> None:
    """Of those that somebody has looked at."""
    review = answer("anna", (JOB, "a"), "Coat", how="selection")
    writer.write([review])

    with queries.reading(settings) as connection:
        found = answers.said(connection, [(JOB, "a"), (JOB, "b"), ("other", "a")])

    assert [((JOB, "a"), "Coat", review.review_id)] == [
        (key, one.label, one.review_id) for key, one in found.items()
    ]
