"""Strata, answers and draws, on SQLite and PostgreSQL."""

from collections import Counter
from random import Random
from typing import Literal

import pytest
import sqlalchemy as sa

from broker.messages import Message, Review, ShadowBatch
from store.questions import Questions, question
from store.review_queue import Standing, drawn, population, standing
from store.review_scope import Scope
from store.sampling import STRATA, Stratum, stratum_of
from store.writer import Writer
from tests.store.workbench import AT, JOB, Make

ALL = Scope()
EMPTY = Stratum()


def shadow(make: Make, *images: str, label: str = "Coat") -> ShadowBatch:
    """Return what a model on trial said of images that are bags."""
    return ShadowBatch(
        batch_id="b1",
        job_id=JOB,
        source="shop",
        model_version="m2",
        predictor="2",
        predicted_at=AT,
        predictions=tuple(make.prediction(image, label, 0.5) for image in images),
    )


def review(
    image: str, label: str = "Bag", how: Literal["asked", "selection"] = "asked", stratum: str = "0.7-0.9"
) -> Review:
    """Return an answer."""
    return Review(
        review_id=f"r-{image}",
        job_id=JOB,
        image=image,
        label=label,
        reviewer="anna",
        reviewed_at=AT,
        how=how,
        stratum=stratum,
    )


@pytest.fixture
def images(make: Make) -> list[Message]:
    """One image in each stratum but two in that of 0.75."""
    confidences = {"50": 0.5, "70": 0.7, "75": 0.75, "98": 0.98, "40": 0.4, "90": 0.9}
    known = [make.prediction(f"{name}.png", "Bag", value) for name, value in confidences.items()]
    doubtful = make.prediction("s.png", "Bag", 0.99, verdict="suspect", reasons=("busy-ground",))
    disputed = make.prediction("d.png", "Bag", 0.99, verdict="suspect")
    return [
        make.batch(*known, doubtful, disputed),
        shadow(make, "d.png"),
        shadow(make, "98.png", label="Bag"),
    ]


def test_population_has_the_strata_of_sampling(
    writer: Writer, engine: sa.Engine, images: list[Message]
) -> None:
    """SQL sorts as `stratum_of` does, the bounds included; a shadow that agrees is no disagreement."""
    writer.write(images)
    values = (0.99, 0.99, 0.4, 0.5, 1.45, 0.9, 0.98)

    with engine.connect() as connection:
        found = population(connection, ALL)
        assert (EMPTY,) * 7 == population(connection, Scope(job="another"))
        assert 8 == sum(one.images for one in population(connection, Scope(JOB, "Bag", "m1")))

    assert [1, 1, 1, 1, 2, 1, 1] == [one.images for one in found]
    assert values == pytest.approx([one.confidence_sum for one in found])
    assert [2, 3, 4, 5, 6] == [
        stratum_of(value, suspect=False, disagreed=False) for value in (0.4, 0.5, 0.7, 0.9, 0.98)
    ]


def test_every_stratum_draws_its_own_images(writer: Writer, engine: sa.Engine, images: list[Message]) -> None:
    """Which is the same sorting written the other way, as conditions."""
    writer.write(images)
    expected = ["d.png", "s.png", "40.png", "50.png", "70.png", "90.png", "98.png"]

    with engine.connect() as connection:
        found = [drawn(connection, ALL, place, 9, Random(1)) for place in range(len(STRATA))]

    assert [{(JOB, name)} for name in expected] == [set(one) - {(JOB, "75.png")} for one in found]
    assert 2 == len(found[4])


def test_answers_count_where_chance_drew_them(writer: Writer, engine: sa.Engine, make: Make) -> None:
    """Others are known for themselves: chosen, or drawn within a narrower scope; a wider one is as good."""
    writer.write([make.batch(*"abcdef"), make.batch("z", batch="z", job_id="other")])
    of_job = Scope(job=JOB)
    writer.write(
        [
            review("a"),
            review("b", "Coat"),
            review("c", how="selection"),
            review("d", stratum=of_job.written("0.7-0.9")),
        ]
    )

    with engine.connect() as connection:
        everywhere = standing(connection, ALL, population(connection, ALL))
        in_job = standing(connection, of_job, population(connection, of_job))

    assert Stratum(5, 3.75, 2, 1) == everywhere.strata[4]
    assert (2, 2) == (everywhere.known_images, everywhere.known_right)
    assert Stratum(5, 3.75, 3, 2) == in_job.strata[4]
    assert (1, 1) == (in_job.known_images, in_job.known_right)


def test_standing_of_an_older_count_has_no_fewer_images_than_answers(
    writer: Writer, engine: sa.Engine, make: Make
) -> None:
    """Images that came after the count were answered."""
    writer.write([make.batch("a", "b"), review("a"), review("b")])

    with engine.connect() as connection:
        found = standing(connection, ALL, (EMPTY,) * 7)

    assert 2 == found.strata[4].images
    assert found.accuracy.value == 1.0
    assert 0 == found.needed()


def test_empty_standing_has_no_accuracy() -> None:
    """Nothing was predicted."""
    assert Standing((EMPTY,) * 7).accuracy.value is None


def test_draw_favours_nothing(writer: Writer, engine: sa.Engine, make: Make) -> None:
    """Neither a name after a gap nor an image of a small job; reviewed ones never come."""
    writer.write([make.batch("a1", "a2", "a3", "z9"), make.batch("a", batch="b2", job_id="small")])
    writer.write([review("a2")])

    with engine.connect() as connection:
        chance = Random(5)
        counts = Counter(drawn(connection, ALL, 4, 1, chance)[0] for _ in range(400))

    assert {(JOB, "a1"), (JOB, "a3"), (JOB, "z9"), ("small", "a")} == set(counts)
    assert all(70 <= count <= 130 for count in counts.values())


def test_draw_is_the_same_for_the_same_seed(writer: Writer, engine: sa.Engine, make: Make) -> None:
    """And without replacement."""
    writer.write([make.batch(*"abcdefgh")])

    with engine.connect() as connection:
        first, again = (drawn(connection, ALL, 4, 5, Random(3)) for _ in range(2))

    assert first == again
    assert 5 == len(set(first))


def test_question_tells_all_that_is_known(writer: Writer, engine: sa.Engine, make: Make) -> None:
    """The likeliest classes first, and what a model on trial said."""
    writer.write([make.progress("open", 1), make.batch("d.png"), shadow(make, "d.png")])

    with engine.connect() as connection:
        found = question(connection, JOB, "d.png", "suspect")
        assert question(connection, JOB, "nobody.png") is None

    assert found is not None
    assert ("autumn", "Bag", 0.75, "m1") == (found.folder, found.label, found.confidence, found.model_version)
    assert [("Bag", 0.75), ("Ankle boot", 0.25)] == found.likeliest[:2]
    assert [("m2", "Coat", 0.5)] == [(one.model_version, one.label, one.confidence) for one in found.shadows]
    assert 10 == len(found.classes)


def test_questions_bring_every_image_once(writer: Writer, engine: sa.Engine, images: list[Message]) -> None:
    """Until none is left; those that were skipped do not come again, nor those that others have answered."""
    writer.write([*images, review("75.png")])
    asked = Questions(ALL, Random(1))

    with engine.connect() as connection:
        found = iter(lambda: asked.next(connection), None)
        names = [one.image for one in found]

    assert ["40.png", "50.png", "70.png", "90.png", "98.png", "d.png", "s.png"] == sorted(names)


def test_questions_name_the_stratum_and_the_scope(writer: Writer, engine: sa.Engine, make: Make) -> None:
    """So that the answer counts where chance has drawn the image."""
    writer.write([make.batch("a.png")])

    with engine.connect() as connection:
        found = Questions(Scope(label="Bag"), Random(1)).next(connection)

    assert found is not None
    assert '0.7-0.9 {"class": "Bag"}' == found.stratum


def test_images_are_counted_again_when_it_is_cheap(writer: Writer, engine: sa.Engine, make: Make) -> None:
    """A count that takes a second is good for twenty."""
    writer.write([make.batch("a.png")])
    times = iter([0.0, 1.0, 20.9, 21.0, 21.0])
    asked = Questions(ALL, Random(1), clock=lambda: next(times))

    with engine.connect() as connection:
        asked.standing(connection)
    writer.write([make.batch("b.png", batch="b2")])
    with engine.connect() as connection:
        assert 1 == asked.standing(connection).strata[4].images
        assert 2 == asked.standing(connection).strata[4].images
