"""One person at the keyboard, with a database that a store's own writer made."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest

from broker.memory import MemoryBroker
from broker.messages import Correction, PixelBatch, Review, ShadowBatch
from broker.reviewer import Reviewer, answer
from broker.settings import Store
from cli.pictures import Way
from cli.review_screen import choices, shown
from cli.screen import printable
from cli.sitting import Sitting
from store.answers import said
from store.queries import reading
from store.questions import Question, Questions, question
from store.review_scope import Scope
from store.writer import Writer
from tests.cli.fake_store import TOPICS, correction, fake_store
from tests.store.workbench import JOB, Make, writing

Sit = Callable[..., list[str]]


@pytest.fixture
def settings(tmp_path: Path) -> Store:
    """A database's settings."""
    return Store(url=f"sqlite:///{tmp_path}/store.db", min_free_mb=0)


@pytest.fixture
def writer(settings: Store) -> Iterator[Writer]:
    """Its writer; the images are bags, one has pixels and a second opinion."""
    make = Make()
    with writing(settings) as made:
        made.write(
            [
                make.progress("open", 3),
                PixelBatch(
                    batch_id="b1",
                    job_id=JOB,
                    source="shop",
                    images=("a",),
                    shape=(1, 2, 2),
                    pixels=b"\0\xff\0\xff",
                ),
                make.batch("a"),
                make.batch(
                    make.prediction("b", verdict="suspect", reasons=("busy-ground",)), "c", batch="b2"
                ),
                ShadowBatch(
                    batch_id="b2",
                    job_id=JOB,
                    source="shop",
                    model_version="m2",
                    predictor="2",
                    predicted_at=make.at,
                    predictions=(make.prediction("b", "Coat", 0.5),),
                ),
            ]
        )
        yield made


def corrected(settings: Store, review: Review) -> Correction:
    """Return what a store that has written a review tells of it."""
    key = (review.job_id, review.image)
    with reading(settings) as connection:
        stands = said(connection, [key]).get(key)
    return msgspec.structs.replace(
        correction(review),
        label=stands.label if stands else "",
        reviewer=stands.reviewer if stands else review.reviewer,
        standing=stands.review_id if stands else "",
    )


@pytest.fixture
def sit(settings: Store, writer: Writer) -> Iterator[Sit]:
    """`sit("1", "u")`: press keys, return what was said; a store of the line's own writes the answers."""
    broker = MemoryBroker()
    connection = broker.connect("anna", [TOPICS.corrections()])
    connection.start()

    def press(
        *pressed: str, limit: int | None = None, lost: int = 0, meanwhile: Sequence[str] = ()
    ) -> list[str]:
        """`meanwhile`: what somebody else says of the same image just before each answer comes."""
        said: list[str] = []
        left, others, seen = [lost * 100], list(meanwhile), set[str]()

        def write(review: Review) -> bool | Correction:
            if left[0]:
                left[0] -= 1
                return False
            came_again = review.review_id in seen
            seen.add(review.review_id)
            if label := others.pop(0) if others and not came_again else "":
                writer.write([answer("nora", (review.job_id, review.image), label, how="selection")])
            writer.write([review])
            return corrected(settings, review)

        # It sends again, and loses patience, only where answers get lost: a busy machine stores late.
        resend_s, patience_s = (0.05, 0.3) if lost else (60.0, 60.0)
        reviewer = Reviewer(connection, TOPICS, "anna", resend_s=resend_s, patience_s=patience_s)
        sitting = Sitting(
            questions=Questions(Scope(), Random(1)),
            reviewer=reviewer,
            reading=lambda: reading(settings),
            read_key=iter([*pressed, None]).__next__,
            say=said.append,
            original=lambda _: None,
            limit=limit,
        )
        with fake_store(broker, write):
            sitting.run()
        return said

    yield press
    connection.stop(1.0)


def answers(settings: Store) -> list[tuple[str, ...]]:
    """Return what stands in the database."""
    with reading(settings) as connection:
        found = connection.exec_driver_sql("SELECT image, label, how, stratum, reviewer FROM reviews")
        return sorted(tuple(row) for row in found)


def test_every_image_is_asked_until_none_is_left(sit: Sit, settings: Store) -> None:
    """The answers say by which draw they came; after each the accuracy is told."""
    said = sit("", "e", "")

    assert "nothing is left to ask" == said[-1]
    assert 3 == len(answers(settings))
    assert {("asked", "anna")} == {(how, who) for _, _, how, _, who in answers(settings)}
    assert ["disagreement", "0.7-0.9", "0.7-0.9"] == [
        row[3] for row in sorted(answers(settings), key=lambda r: r[0] != "b")
    ]
    assert any("Coat, not Bag: stored" == line for line in said)
    assert "true accuracy 66.7% (66.7% to 66.7%) from 3 answers; known to ±1 %" in said[-2]


def test_undo_takes_back_and_asks_again(sit: Sit, settings: Store) -> None:
    """As often as there are answers."""
    said = sit("", "", "u", "u", "u", "2", "q")

    assert 2 == said.count("Bag was taken back")
    assert "there is no answer to take back" in said
    assert ["Ankle boot"] == [label for _, label, *_ in answers(settings)]


def test_skipped_image_comes_no_more(sit: Sit, settings: Store) -> None:
    """And has no answer."""
    assert "nothing is left to ask" == sit("s", "s", "s")[-1]
    assert [] == answers(settings)


def test_limit_ends_the_sitting(sit: Sit, settings: Store) -> None:
    """After so many answers that stand."""
    sit("", "u", "", "", limit=1)
    assert 1 == len(answers(settings))


def test_key_that_means_nothing_names_the_others(sit: Sit, settings: Store) -> None:
    """The question stays."""
    said = sit("?", "q")
    assert "that key means nothing: Enter, 123abcdefghij, s, u or q" == said[-1]
    assert [] == answers(settings)


def test_answer_that_is_not_stored_is_said_and_asked_for_again(sit: Sit, settings: Store) -> None:
    """Nothing is lost: the same image waits for its key."""
    said = sit("1", lost=1)
    assert "the store does not answer: Bag was not stored; press the key again, or q" == said[-1]
    assert [] == answers(settings)


def test_somebody_else_is_not_overwritten_unseen(sit: Sit, settings: Store) -> None:
    """Who answered meanwhile is said, and the key asked for again; then it is replaced."""
    said = sit("1", "1", limit=1, meanwhile=["Coat"])

    assert 1 == sum(
        "nora called it Coat at " in line
        and line.endswith(", since it was shown: Bag was not stored; press the key again to replace it, or s")
        for line in said
    )
    assert [("Bag", "anna")] == [(label, who) for _, label, _, _, who in answers(settings)]


def test_the_same_answer_of_somebody_else_is_not_ones_own(sit: Sit, settings: Store) -> None:
    """It stands once, and is not ours to take back; nor is what replaced ours."""
    said = sit("1", "u", "1", "u", meanwhile=["Bag", "", "Dress"])

    assert any("nora called it Bag at " in line and line.endswith(" just before") for line in said)
    assert "there is no answer to take back" in said
    assert any("nora called it Dress at " in line and line.endswith(": that stays") for line in said)
    assert ["Bag", "Dress"] == sorted(label for _, label, *_ in answers(settings))


def the(settings: Store, image: str) -> Question:
    """Return the question of an image."""
    with reading(settings) as connection:
        found = question(connection, JOB, image)
    assert found is not None
    return found


@pytest.mark.usefixtures("writer")
def test_question_shows_verdict_opinion_and_keys(settings: Store) -> None:
    """Without pixels it is text alone."""
    lines = shown(the(settings, "b"), None, Path("/inbox/b"), Way.BLOCKS).splitlines()

    assert ["/inbox/b", "Bag 75.0%, suspect: busy-ground", "m2 says Coat 50.0%", ""] == lines[:4]
    assert ["1 Bag 75.0%", "2 Ankle boot 25.0%", "3 T-shirt/top 0.0%"] == lines[4:7]
    assert "(its pixels were not kept)" == lines[-1]
    assert "Coat" == choices(the(settings, "b"))["e"]


@pytest.mark.usefixtures("writer")
def test_picture_stands_beside_the_text(settings: Store) -> None:
    """Or above it, where the terminal draws it itself."""
    picture = ((2, 2), b"\0\xff\0\xff")
    assert ["autumn/a", " @  Bag 75.0%"] == shown(
        the(settings, "a"), picture, None, Way.LETTERS
    ).splitlines()[:2]
    assert "Bag 75.0%" == shown(the(settings, "a"), picture, None, Way.KITTY).splitlines()[2]


def test_name_is_shown_without_what_a_terminal_obeys() -> None:
    """A stranger may have chosen it."""
    assert "a?[2Jb" == printable("a\x1b[2Jb")
