"""Whatever comes, how often and in which order: one row per image, and figures that agree with the rows."""

import shutil
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.messages import Message
from broker.settings import Store
from store import queries
from store.database import writing_engine
from store.queries import reading
from store.schema import CLASSES
from store.upgrading import upgrade
from store.writer import Writer
from tests.store.workbench import Make

MAKE = Make()
names = st.sampled_from([f"{n}.png" for n in range(8)])
jobs = st.sampled_from(["j1", "j2"])


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Return a batch, a failure, a rejected batch or a job's progress, over few images and few ids."""
    job, images = draw(jobs), draw(st.lists(names, min_size=1, max_size=5, unique=True))
    batch = f"{job}-{draw(st.integers(0, 4))}"
    match draw(st.sampled_from(["batch", "batch", "failure", "reject", "open", "closed"])):
        case "batch":
            labels = draw(st.lists(st.sampled_from(CLASSES[:3]), min_size=5, max_size=5))
            made = [MAKE.prediction(image, label) for image, label in zip(images, labels, strict=False)]
            return MAKE.batch(*made, batch=batch, job_id=job)
        case "failure":
            return MAKE.failure(images[0], batch=batch, job_id=job)
        case "reject":
            return MAKE.reject(batch_id=batch, job_id=job, source="shop", images=tuple(images))
        case "open":
            return MAKE.progress("open", draw(st.integers(0, 9)), job_id=job)
        case _:
            return MAKE.progress("closed", draw(st.integers(0, 9)), job_id=job)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database's file, to be copied: making one takes longer than the rest of an example."""
    path = tmp_path_factory.mktemp("promise") / "store.db"
    engine = writing_engine(Store(url=f"sqlite:///{path}"))
    upgrade(engine, path)
    engine.dispose()
    return path


@settings(max_examples=50)
@given(groups=st.lists(st.lists(messages(), min_size=1, max_size=6), max_size=6))
def test_any_order_of_messages_keeps_the_promise(empty: Path, groups: list[list[Message]]) -> None:
    """Each image has one row; counts, means and receipts say what the rows say."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(url=f"sqlite:///{folder}/store.db")
        shutil.copy(empty, folder)
        engine = writing_engine(store)
        writer = Writer(engine)
        said: dict[tuple[str, str], set[str]] = defaultdict(set)
        for group in groups:
            for receipt in writer.write(group).receipts:
                for stored in receipt.stored:
                    said[receipt.job_id, stored.image].add(stored.label)
                for failed in receipt.failed:
                    said[receipt.job_id, failed.image].add("")
        engine.dispose()
        agree(store, said)


def agree(store: Store, said: dict[tuple[str, str], set[str]]) -> None:
    """Hold the rows, the jobs' figures and what the receipts said to each other."""
    with reading(store) as connection:
        standing: dict[tuple[str, str], set[str]] = {}
        for job in queries.jobs(connection):
            predictions = list(queries.predictions(connection, job.job_id))
            failures = list(queries.failures(connection, job.job_id))
            standing |= {(job.job_id, row.image): {row.label} for row in predictions}
            standing |= {(job.job_id, row.image): {""} for row in failures}
            images = {row.image for row in predictions} | {row.image for row in failures}
            assert len(images) == job.stored + job.failed
            assert (job.stored, job.failed) == (len(predictions), len(failures))
            assert job.images >= job.stored + job.failed
            labels = Counter(row.label for row in predictions)
            assert {row.label: row.images for row in queries.classes(connection, job.job_id)} == labels
            assert job.mean_confidence == (pytest.approx(0.75) if predictions else None)
        assert said == standing
