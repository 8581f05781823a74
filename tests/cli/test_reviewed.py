"""People's answers become images to learn from, and some to measure with."""

from pathlib import Path

import numpy as np

from broker.messages import PixelBatch, Review
from broker.settings import Store
from cli.candidates import relabelled
from cli.reviewed import is_held_out, reviewed
from model.classifier import Classified
from model.manifest import CLASSES
from model.preprocessing import InputSpec
from store.database import file_of, writing_engine
from store.queries import reading
from store.upgrading import upgrade
from store.writer import Writer
from tests.store.workbench import JOB, Make

NAMES = tuple(f"{number}.png" for number in range(20))


class Bags:
    """A model that calls everything a bag."""

    classes = CLASSES
    input = InputSpec()

    def classify(self, pixels: np.ndarray) -> Classified:
        """Answer without looking."""
        n = len(pixels)
        return Classified(np.zeros((n, 10), np.float32), np.full(n, 8), ["ok"] * n, [()] * n)


def coat(image: str, at: str) -> Review:
    """Return the answer that an image shows a coat."""
    return Review(review_id=image, job_id=JOB, image=image, label="Coat", reviewer="anna", reviewed_at=at)


def filled(folder: Path) -> Store:
    """Return the settings of a database with a closed job of twenty images, all reviewed as coats."""
    settings = Store(url=f"sqlite:///{folder}/store.db", min_free_mb=0)
    engine = writing_engine(settings)
    upgrade(engine, file_of(settings.url))
    make = Make()
    pixels = np.repeat(np.arange(20, dtype=np.uint8), 784).tobytes()
    batch = make.batch(*(make.prediction(name, "Coat" if name == "0.png" else "Bag") for name in NAMES))
    Writer(engine).write(
        [
            PixelBatch(
                batch_id="b1", job_id=JOB, source="shop", images=NAMES, shape=(20, 28, 28), pixels=pixels
            ),
            batch,
            make.batch("unkept.png", batch="b2"),
            make.progress("closed", 21),
            *(coat(name, make.at) for name in (*NAMES, "unkept.png")),
        ]
    )
    engine.dispose()
    return settings


def test_reviewed_images_are_split_by_their_pixels(tmp_path: Path) -> None:
    """Each image is on one side, with its own pixels and people's label; what was not kept is counted."""
    with reading(filled(tmp_path)) as connection:
        found = reviewed(connection, CLASSES, (28, 28))

    assert 1 == found.unusable
    assert {f"{JOB}/{name}" for name in NAMES} == {*found.training.names, *found.held_out.names}
    assert all(is_held_out(image) for image in found.held_out.images)
    assert not any(is_held_out(image) for image in found.training.images)
    assert 0 < len(found.held_out) < len(found.training)
    for part in (found.training, found.held_out):
        assert [CLASSES.index("Coat")] * len(part) == part.labels.tolist()
        assert [f"{JOB}/{image[0, 0]}.png" for image in part.images] == list(part.names)


def test_candidate_is_held_to_what_stands(tmp_path: Path) -> None:
    """The share of kept images of the latest jobs that would get another label."""
    with reading(filled(tmp_path)) as connection:
        row = relabelled(connection, Bags())  # type: ignore[arg-type]

    assert (20, 0.05) == (row.images, row.after)
