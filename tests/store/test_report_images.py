"""The images that a report shows."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from broker.messages import PixelBatch, Review
from broker.settings import Store
from store.png import png
from store.queries import reading
from store.report_figures import Scope
from store.report_images import (
    Shown,
    least_sure,
    pictures,
    pictures_of_job,
    reviewed_wrong,
    sheet,
    suspects,
)
from store.writer import Writer
from tests.store.workbench import JOB, Make

Ask = Callable[..., Any]
PIXELS = bytes(range(18))


@pytest.fixture
def ask(anywhere: Store, writer: Writer, make: Make) -> Ask:
    """`ask(sheet, JOB, limit=9)`, of three images with pixels and one without."""
    confident = {"a": 0.5, "b": 0.75, "c": 0.875}
    answers = [make.prediction(name, confidence=p) for name, p in confident.items()]
    doubtful = make.prediction("d", confidence=0.9375, verdict="suspect", reasons=("blank",))
    kept = PixelBatch(
        batch_id="b1", job_id=JOB, source="shop", images=("a", "b", "c"), shape=(3, 2, 3), pixels=PIXELS
    )
    writer.write([kept, make.batch(*answers), make.batch(doubtful, batch="b2"), make.progress("open", 4)])
    by: dict[str, Any] = {"reviewer": "eva", "reviewed_at": make.at}
    for image, label in (("a", "Coat"), ("b", "Bag"), ("c", "Coat")):
        writer.write([Review(review_id=image, job_id=JOB, image=image, label=label, **by)])

    def asked(function: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        with reading(anywhere) as connection:
            return function(connection, *arguments, **more)

    return asked


def names(found: list[Shown]) -> str:
    """Return the images' names in their order."""
    return "".join(one.image for one in found)


def test_wrong_images_come_the_surest_first(ask: Ask) -> None:
    """What people agree with does not come."""
    assert "ca" == names(ask(reviewed_wrong, Scope(), limit=9))
    assert "c" == names(ask(reviewed_wrong, Scope(), limit=1))


def test_doubtful_images_come_the_least_confident_first(ask: Ask) -> None:
    """Suspects by themselves."""
    assert "d" == names(ask(suspects, Scope(), limit=9))
    assert "ab" == names(ask(least_sure, Scope(), limit=2))
    assert "" == names(ask(least_sure, Scope(job_id="nobody"), limit=2))


def test_sheet_is_by_name_and_leaves_out_the_surest(ask: Ask) -> None:
    """The suspect stays, however sure the model is."""
    assert "abcd" == names(ask(sheet, JOB, limit=9))
    assert "abd" == names(ask(sheet, JOB, limit=3))


def test_image_is_shown_with_its_folder_and_its_right_label(ask: Ask) -> None:
    """None where nobody has looked."""
    a, *_, d = ask(sheet, JOB, limit=9)

    assert Shown(JOB, "autumn", "a", "Bag", 0.5, "ok", "", "Coat") == a
    assert ("suspect", "blank", None) == (d.verdict, d.reasons, d.right)


def test_pictures_are_of_those_whose_pixels_are_kept(ask: Ask) -> None:
    """One by one, or all of a job at once: the same files."""
    shown = ask(sheet, JOB, limit=9)
    found = ask(pictures, shown)

    assert [(JOB, "a"), (JOB, "b"), (JOB, "c")] == sorted(found)
    assert png((2, 3), PIXELS[6:12]) == found[JOB, "b"]
    assert {(JOB, "b"): found[JOB, "b"]} == ask(pictures_of_job, JOB, {"b", "d"})


@pytest.mark.parametrize("shape", [(28, 28), (1, 5), (3, 1)])
def test_png_holds_the_pixels(shape: tuple[int, int]) -> None:
    """As another program reads it."""
    pixels = np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape)
    found = cv2.imdecode(np.frombuffer(png(shape, pixels.tobytes()), np.uint8), cv2.IMREAD_UNCHANGED)

    assert found is not None
    assert np.array_equal(pixels, found)
