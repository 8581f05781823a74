"""Models on trial: their rows stand beside the line's and never touch it."""

from typing import Any

import pytest
import sqlalchemy as sa

from broker.messages import ShadowBatch
from store.disagreements import Disagreement, Disputed, Pair, disagreement, disputed
from store.schema import metadata
from store.writer import Outcome, Writer
from tests.store.workbench import Bench, Make, Rows


def shadow(make: Make, answers: dict[str, str], version: str = "m2", **fields: Any) -> ShadowBatch:
    """Return what a model on trial says of each image."""
    batch = make.batch(*[make.prediction(image, label) for image, label in answers.items()])
    given: dict[str, Any] = {"batch_id": "b1", "job_id": make.job, "source": "shop", "predicted_at": make.at}
    return ShadowBatch(
        **(given | fields), model_version=version, predictor="shadow", predictions=batch.predictions
    )


def test_shadows_are_rows_of_their_own(writer: Writer, rows: Rows, make: Make) -> None:
    """No receipt, no job, no figure comes of them; a repeated batch changes nothing."""
    batch = shadow(make, {"a.png": "Bag", "b.png": "Coat"})
    assert writer.write([batch, batch]) == Outcome()
    assert rows("shadows") == [
        (make.job, "a.png", "m2", "Bag", 0.75, make.at),
        (make.job, "b.png", "m2", "Coat", 0.75, make.at),
    ]
    others = [table.name for table in metadata.sorted_tables if table.name != "shadows"]
    assert [name for name in others if rows(name)] == []


def test_shadows_of_canaries_are_passed_over(writer: Writer, rows: Rows, make: Make) -> None:
    """A canary is no image of anybody's."""
    writer.write([shadow(make, {"canary": "Bag"}, source="canary-shop")])
    assert rows("shadows") == []


def test_shadows_come_over_the_line(bench: Bench, make: Make) -> None:
    """On their own topic; nothing is said in return."""
    bench.send(shadow(make, {"a.png": "Bag"}))
    bench.work()
    assert bench.receipts() == []
    assert bench.read("SELECT image, model_version FROM shadows") == [("a.png", "m2")]
    assert bench.unacknowledged == 0


def test_shadows_under_anothers_name_are_rejected(bench: Bench, make: Make) -> None:
    """The topic says whose they are, as with predictions."""
    bench.agent.publish(bench.topics.shadows("other"), b"{}")
    bench.work()
    assert len(bench.heard("rejects")) == 1


def test_shadow_that_cannot_be_written_costs_no_image(bench: Bench, make: Make) -> None:
    """It is put aside by itself and names no image: those belong to the line."""
    with bench.service.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER never BEFORE INSERT ON shadows BEGIN SELECT RAISE(ABORT, 'never'); END"
        )
    bench.send(shadow(make, {"a.png": "Bag"}), make.batch("a.png"))
    bench.work(3)
    assert bench.read("SELECT image FROM predictions") == [("a.png",)]
    assert bench.read("SELECT image FROM failures") == []
    assert bench.read("SELECT reason, images FROM rejects") == [("poison", 0)]


@pytest.fixture
def two(writer: Writer, engine: sa.Engine, make: Make) -> sa.Engine:
    """Four images that m1 has answered while it served, three of them m2 in the shadow."""
    served = {"a.png": "Bag", "b.png": "Bag", "c.png": "Coat", "d.png": "Dress"}
    writer.write(
        [
            make.progress("open", 4),
            make.batch(*[make.prediction(image, label) for image, label in served.items()]),
            shadow(make, {"a.png": "Bag", "b.png": "Coat", "c.png": "Bag"}),
        ]
    )
    return engine


def test_disagreement_counts_pairs_of_labels(two: sa.Engine) -> None:
    """Over the images that both have answered."""
    with two.connect() as connection:
        found = disagreement(connection, "m1", "m2")
    assert found == Disagreement(3, 2, (Pair("Bag", "Coat", 1), Pair("Coat", "Bag", 1)))
    assert round(found.rate, 3) == 0.667


def test_disagreement_with_a_stranger_is_of_no_images(two: sa.Engine) -> None:
    """A version that nobody has seen has answered nothing."""
    with two.connect() as connection:
        found = disagreement(connection, "m1", "m9")
    assert (found, found.rate) == (Disagreement(0, 0, ()), 0.0)


def test_disputed_images_have_both_answers(two: sa.Engine, make: Make) -> None:
    """With the job's folder; in either direction."""
    with two.connect() as connection:
        found = disputed(connection, "m2", "m1", limit=1)
    assert found == [Disputed(make.job, "autumn", "b.png", "Coat", 0.75, "Bag", 0.75)]


def test_version_that_served_and_was_a_shadow_counts_once(two: sa.Engine, writer: Writer, make: Make) -> None:
    """An image that it answered in both roles is one image, with the line's answer."""
    writer.write([shadow(make, {"a.png": "Dress", "b.png": "Bag"}, version="m1")])
    with two.connect() as connection:
        assert disagreement(connection, "m1", "m2").images == 3
