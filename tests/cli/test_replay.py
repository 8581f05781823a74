"""`replay`, on pixels that the store's own writer kept."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from broker.messages import JobProgress, PixelBatch, Prediction, PredictionBatch, Review
from broker.settings_reader import PROJECT, read_settings
from cli.application import main
from model.manifest import load_manifest, resolve_bundle
from model.preprocessing import prepare
from store import database
from store.answers import answered
from store.queries import reading
from store.upgrading import upgrade
from store.writer import Writer
from tests.cli.conftest import PICTURES
from tests.cli.test_models import add_bundle

AT = "2026-11-22T13:16:01.123Z"
OF: dict[str, Any] = {"job_id": "j1", "source": "shop"}
Call = Callable[..., tuple[int, str, str]]


def pixels_of_a_bag() -> bytes:
    """Return one of the sample pictures as the model sees it."""
    spec = load_manifest(resolve_bundle(PROJECT / "model" / "bundles")).input
    return prepare(min((PICTURES / "Bag").iterdir()).read_bytes(), spec).tobytes()


def predicted(image: str, label: str, **fields: Any) -> Prediction:
    """Return what stands: sure of a label."""
    return Prediction(image=image, label=label, confidence=0.875, probabilities={label: 0.875}, **fields)


@pytest.fixture
def engine(config: Path) -> Iterator[sa.Engine]:
    """An empty database."""
    settings = read_settings(config, {}).settings
    settings.paths.state.mkdir()
    made = database.writing_engine(settings.store)
    upgrade(made, database.file_of(settings.store.url))
    yield made
    made.dispose()


@pytest.fixture
def writer(engine: sa.Engine) -> Writer:
    """A job of three images, twice the same bag and one whose pixels are gone."""
    found = Writer(engine)
    progress = {"folder": "autumn", "opened_at": AT, "seen": 3, "sent": 3, "stored": 0, "failed": 0}
    batch = {**OF, "model_version": "m1", "predictor": "1", "predicted_at": AT}
    one, images = pixels_of_a_bag(), ("a.png", "=b.png")
    found.write(
        [
            JobProgress(batch_id="j", state="open", **OF, **progress),  # type: ignore[arg-type]
            PixelBatch(batch_id="b1", images=images, shape=(2, 28, 28), pixels=2 * one, **OF),
            PredictionBatch(
                batch_id="b1",
                predictions=(predicted("a.png", "Bag"), predicted("=b.png", "Coat", verdict="suspect")),
                **batch,
            ),
            PredictionBatch(batch_id="b2", predictions=(predicted("c.png", "Bag"),), **batch),
        ]
    )
    return found


@pytest.fixture
def call(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """`call("j1", "--diff")`: a replay; exit code, stdout and stderr."""
    bundles = tmp_path / "bundles"
    add_bundle(bundles, "old", AT)
    add_bundle(bundles, "new", AT)
    (bundles / "current").write_text("old\n")
    monkeypatch.setenv("TAILORBIRD__MODEL__BUNDLE", str(bundles))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["replay", *arguments, "--config", str(config)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def reviewed(writer: Writer) -> None:
    """Somebody says that both kept images are bags."""
    for image in ("a.png", "=b.png"):
        review = Review(
            review_id=image, job_id="j1", image=image, label="Bag", reviewer="eva", reviewed_at=AT
        )
        writer.write([review])


@pytest.mark.usefixtures("reviewed")
def test_replay_counts_changes_suspects_and_right_answers(call: Call) -> None:
    """The model sees two bags where a bag and a coat stand; the third image cannot be rescored."""
    code, out, _ = call("j1", "--json")
    found = json.loads(out)

    assert (0, "old", 2, 1) == (code, found["model_version"], found["images"], found["without_pixels"])
    assert [{"before": "Coat", "after": "Bag", "images": 1}] == found["pairs"]
    assert (2, 1, 2) == (found["reviewed"], found["before"]["right"], found["after"]["right"])
    assert (0.875, 1) == (found["before"]["mean_confidence"], found["before"]["suspect"])
    assert ["=b.png"] == [one["image"] for one in found["changes"]]


@pytest.mark.usefixtures("writer")
def test_replay_as_text_says_what_was_left_out(call: Call) -> None:
    """Beside the answer, whose first line is the share that changes."""
    code, out, err = call("j1", "--model", "new")

    assert (0, "1 of 2 images would get another label: 50.00%") == (code, out.splitlines()[0])
    assert "1 images were left out: their pixels are not kept\n" == err
    assert "=b.png" not in out


@pytest.mark.usefixtures("writer")
def test_diff_names_the_images_that_change(call: Call) -> None:
    """With both answers; those beyond the limit are counted."""
    assert "j1   =b.png  Coat 87.5%, suspect" in call("j1", "--diff")[1]
    assert "1 more: --limit N, or -o FILE for all" in call("j1", "--diff", "--limit", "0")[2]


@pytest.mark.usefixtures("writer")
def test_csv_has_all_that_change(call: Call, tmp_path: Path) -> None:
    """And no cell that a spreadsheet would run."""
    call("j1", "-o", str(tmp_path / "changes.csv"))
    header, line = (tmp_path / "changes.csv").read_text().splitlines()

    assert "job,image,before,before_percent,after,after_percent,right" == header
    assert line.startswith("j1,'=b.png,Coat,87.5,Bag,")


@pytest.mark.usefixtures("writer")
def test_replay_writes_no_row(call: Call, config: Path) -> None:
    """What stood stands."""
    call("j1")

    with reading(read_settings(config, {}).settings.store) as connection:
        found = answered(connection, "j1", ["a.png", "=b.png", "nobody.png"])
    assert {"a.png": "Bag", "=b.png": "Coat"} == {name: one.label for name, one in found.items()}


@pytest.mark.usefixtures("writer")
@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["j9"], 1, "the database knows no job 'j9'"),
        (["j1", "--model", "nobody"], 1, "no bundle is called 'nobody'"),
        (["j1", "--json", "-o", "-"], 2, "--json and -o - both want the terminal"),
    ],
)
def test_replay_of_what_is_not_there_is_one_line(
    call: Call, arguments: list[str], code: int, line: str
) -> None:
    """It names what was typed."""
    found, _, err = call(*arguments)

    assert (code, 1) == (found, err.count("\n"))
    assert line in err


@pytest.mark.usefixtures("writer")
def test_pixels_of_another_shape_are_one_line(call: Call, engine: sa.Engine) -> None:
    """The bundle's input differs from what was kept."""
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE pixels SET shape = '[2, 14, 56]'"))

    code, _, err = call("j1")

    assert (3, "tailorbird: the pixels of j1 are 14x56, and old takes 28x28\n") == (code, err)


def test_job_without_kept_pixels_is_one_line(call: Call, writer: Writer, engine: sa.Engine) -> None:
    """Nothing can be rescored."""
    del writer
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM pixels"))

    code, _, err = call("j1")

    assert (1, "tailorbird: no pixels of j1 are kept ([store] keep_pixels_days)\n") == (code, err)


def test_images_are_answered_in_slices(call: Call, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each image gets its own answer, however a batch is cut."""
    del writer
    whole = json.loads(call("j1", "--json")[1])
    monkeypatch.setattr("cli.replay.AT_ONCE", 1)
    sliced = json.loads(call("j1", "--json")[1])

    assert np.isclose(whole["after"]["mean_confidence"], sliced["after"]["mean_confidence"])
    assert whole["pairs"] == sliced["pairs"]
