"""Predictions that somebody picks."""

import pytest

from broker.messages import ModelAnnouncement, Review
from broker.settings import Store
from store.queries import reading
from store.schema import CLASSES
from store.selections import Labelled, Selection, known_classes, selected
from store.writer import Writer
from tests.store.workbench import AT, JOB, Make


@pytest.fixture(autouse=True)
def images(writer: Writer, make: Make) -> None:
    """Four images in two folders; one of them a person has called a coat."""
    doubtful = make.prediction("bags/2.jpg", "Dress", 0.5, verdict="suspect")
    review = Review(review_id="r1", job_id=JOB, image="a.png", label="Coat", reviewer="anna", reviewed_at=AT)
    writer.write(
        [
            make.progress("open", 3),
            make.batch("a.png", "bags/1.png", doubtful),
            make.batch("z.png", batch="b2", job_id="other"),
            review,
        ]
    )


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Selection(), ["a.png", "bags/1.png", "bags/2.jpg", "z.png"]),
        (Selection(job="other"), ["z.png"]),
        (Selection(label="Coat"), ["a.png"]),
        (Selection(label="Bag"), ["bags/1.png", "z.png"]),
        (Selection(folder="aut*"), ["a.png", "bags/1.png", "bags/2.jpg"]),
        (Selection(image="bags/*.png"), ["bags/1.png"]),
        (Selection(below=0.75), ["bags/2.jpg"]),
        (Selection(suspect=True), ["bags/2.jpg"]),
        (Selection(reviewed=True), ["a.png"]),
        (Selection(reviewed=False, label="Coat"), []),
    ],
)
def test_selection_takes_what_it_names(anywhere: Store, wanted: Selection, expected: list[str]) -> None:
    """The label is the person's, where there is one."""
    with reading(anywhere) as connection:
        assert expected == sorted(one.image for one in selected(connection, wanted))


def test_selected_image_has_both_labels(anywhere: Store) -> None:
    """The model's and the person's, and the id of the latter's answer."""
    with reading(anywhere) as connection:
        (found,) = selected(connection, Selection(image="a.png"))

    assert Labelled(JOB, "shop", "autumn", "a.png", "Bag", 0.75, "m1", found.batch, "Coat", "r1") == found


def test_known_classes_are_those_of_all_models(anywhere: Store, writer: Writer) -> None:
    """This release's where no model has said any."""
    with reading(anywhere) as connection:
        assert CLASSES == known_classes(connection)
    announced = ModelAnnouncement(
        version="m1", classes=("Bag", "Hat"), input={}, engine="onnx", announced_at=AT
    )
    writer.write([announced])
    with reading(anywhere) as connection:
        assert ("Bag", "Hat") == known_classes(connection)
