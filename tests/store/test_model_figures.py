"""What the database knows of each model."""

from collections.abc import Callable
from typing import Any

import pytest

from broker.messages import Review
from broker.settings import Store
from store.disagreements import disputed_lines
from store.model_figures import Answered, answered, has_answered_beside, has_reviews
from store.queries import reading
from store.writer import Writer
from tests.store.test_shadows import shadow
from tests.store.workbench import JOB as FIRST
from tests.store.workbench import Make

Ask = Callable[..., Any]


@pytest.fixture
def ask(anywhere: Store, writer: Writer, make: Make) -> Ask:
    """`ask(answered)`: a job of m1 with a suspect, one of m2, and one that both answered."""
    doubtful = make.prediction("b", verdict="suspect", reasons=("blank",))
    writer.write([make.batch("a", doubtful), make.progress("open", 2)])
    writer.write([make.batch("c", batch="b2", job_id="second", model_version="m2")])
    writer.write([make.batch("d", batch="b3", job_id="third")])
    writer.write([make.batch("e", batch="b4", job_id="third", model_version="m2")])

    def asked(function: Callable[..., Any], *arguments: Any) -> Any:
        with reading(anywhere) as connection:
            return function(connection, *arguments)

    return asked


def test_models_are_counted_by_the_jobs_that_were_theirs_alone(ask: Ask, make: Make) -> None:
    """A job of two models says nothing of either's confidence."""
    first = make.batch("x").model_version
    found = ask(answered)
    assert {first: (3, 2, 1), "m2": (2, 1, 0)} == {
        name: (one.images, one.counted, one.suspect) for name, one in found.items()
    }
    assert (0.75, 0.5) == (found[first].mean_confidence, found[first].suspect_share)


def test_model_without_a_job_of_its_own_has_no_shares() -> None:
    """Nothing is divided by nothing."""
    one = Answered("m1", 3, "", "")
    assert (None, None) == (one.mean_confidence, one.suspect_share)


def test_reviews_are_those_of_the_models_own_images(ask: Ask, writer: Writer, make: Make) -> None:
    """Of another model's there are none."""
    said = Review(
        review_id="r1",
        job_id=FIRST,
        image="a",
        label="Bag",
        reviewer="anna",
        reviewed_at=make.at,
        how="asked",
    )
    writer.write([said])
    assert ask(has_reviews, make.batch("x").model_version)
    assert not ask(has_reviews, "m2")


def test_disputed_images_are_lines_of_csv(ask: Ask, writer: Writer, make: Make) -> None:
    """Once one of the two has answered beside the line."""
    first = make.batch("x").model_version
    assert not ask(has_answered_beside, first, "m3")
    writer.write([shadow(make, {"a": "Coat", "b": make.prediction("b").label}, version="m3")])
    assert ask(has_answered_beside, first, "m3")
    lines = ask(lambda connection: list(disputed_lines(connection, first, "m3")))
    assert f"job,folder,image,{first},{first}_percent,m3,m3_percent\r\n" == lines[0]
    assert [f",a,{make.prediction('a').label},75.0,Coat,75.0\r\n"] == [
        line[line.index(",a,") :] for line in lines[1:]
    ]
