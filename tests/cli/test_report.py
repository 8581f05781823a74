"""`report`, on a database that the store's own writer made."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import pytest
import sqlalchemy as sa

from broker.messages import (
    Failure,
    JobProgress,
    ModelAnnouncement,
    PixelBatch,
    Prediction,
    PredictionBatch,
    Review,
)
from broker.settings_reader import read_settings
from cli.application import main
from dashboard.quality_plots import LEAST_REVIEWED, step_texts
from store import database
from store.schema import CLASSES, alerts
from store.upgrading import upgrade
from store.writer import Writer

AT = "2026-11-22T13:16:01.123Z"
HOSTILE = "<script>alert('x')</script>\"&.png"
OF: dict[str, Any] = {"job_id": "j1", "source": "shop"}
Call = Callable[..., tuple[int, str, str]]


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
def call(config: Path, tmp_path: Path, engine: sa.Engine, capsys: pytest.CaptureFixture[str]) -> Call:
    """`call("j1")`: a report; exit code, the page, and what was said beside it."""
    del engine

    def run(*arguments: str) -> tuple[int, str, str]:
        file = tmp_path / "report.html"
        code = main(["report", *arguments, "-o", str(file), "--config", str(config)])
        return code, file.read_text() if file.exists() else "", capsys.readouterr().err

    return run


def prediction(image: str, label: str = "Bag", **fields: Any) -> Prediction:
    """Return an answer of 87.5 %."""
    return Prediction(
        image=image,
        label=label,
        confidence=0.875,
        probabilities={**dict.fromkeys(CLASSES, 0.0), label: 0.875},
        **fields,
    )


@pytest.fixture
def writer(engine: sa.Engine) -> Writer:
    """A job: a right image, a wrong one with a hostile name, a suspect without pixels, and a failure."""
    found = Writer(engine)
    batch = {**OF, "model_version": "m1", "predictor": "1", "predicted_at": AT, "timings": {"read": 0.25}}
    images = ("a.png", HOSTILE)
    counts: dict[str, Any] = {"seen": 4, "sent": 4, "stored": 3, "failed": 1, "process_s": 2.0}
    found.write(
        [
            PixelBatch(batch_id="b1", images=images, shape=(2, 28, 28), pixels=bytes(2 * 784), **OF),
            PredictionBatch(batch_id="b1", predictions=tuple(map(prediction, images)), **batch),
            PredictionBatch(
                batch_id="b2",
                predictions=(prediction("c.png", "Coat", verdict="suspect", reasons=("blank",)),),
                **batch,
            ),
            Failure(batch_id="f", image="d.txt", reason="not-an-image", detail="a text", failed_at=AT, **OF),
            JobProgress(
                batch_id="j", state="closed", folder="autumn", opened_at=AT, closed_at=AT, **OF, **counts
            ),
        ]
    )
    review(found, "a.png", "Bag")
    review(found, HOSTILE, "Shirt")
    return found


def review(writer: Writer, image: str, label: str, how: Literal["asked", "selection"] = "selection") -> None:
    """Let somebody say what an image is."""
    said = {"image": image, "label": label, "reviewer": "eva", "reviewed_at": AT}
    writer.write([Review(review_id=image, job_id="j1", how=how, **said)])


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self._texts.append(data)

    @property
    def text(self) -> str:
        """All texts, with plain single spaces."""
        return " ".join(" ".join(self._texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a kind."""
        return [attributes for found, attributes in self.elements if found == tag]


@pytest.mark.usefixtures("writer")
@pytest.mark.parametrize("arguments", [[], ["j1"]])
def test_page_loads_nothing_from_elsewhere(call: Call, arguments: list[str]) -> None:
    """No script, no address, and a policy that allows nothing but its own pictures and style."""
    code, text, _ = call(*arguments)
    page = Page(text)

    assert 0 == code
    assert not re.search(r"https?:|//[a-z]|url\(|@import", text)
    assert [] == [tag for tag, _ in page.elements if tag in {"script", "link", "iframe", "object", "embed"}]
    assert all((one["src"] or "").startswith("data:image/png;base64,") for one in page.all("img"))
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text


@pytest.mark.usefixtures("writer")
@pytest.mark.parametrize("arguments", [[], ["j1"]])
def test_hostile_name_is_a_text_like_any_other(call: Call, arguments: list[str]) -> None:
    """It stands on the page, and is no part of it."""
    page = Page(call(*arguments)[1])

    assert HOSTILE in page.text
    assert [] == page.all("script")


@pytest.mark.usefixtures("writer")
def test_period_says_how_much_and_how_well(call: Call) -> None:
    """Each figure with its unit."""
    page = Page(call()[1])

    assert "Images answered 3 of 4 seen" in page.text
    assert "Failed 1 25.0 %: not-an-image 1" in page.text
    assert "Suspect 1 33.3 %: blank 1" in page.text
    assert "not enough data: 2 images that are not suspect" in page.text
    assert "Accuracy in reviews 50.0 % 1 of 2 reviewed images" in page.text
    assert "Speed 2 images/s 2.0 s in all" in page.text


def test_accuracy_is_told_of_all_images_where_chance_drew_enough(call: Call, writer: Writer) -> None:
    """Here every image was looked at. Of a period with an end it is told of the reviewed ones alone."""
    review(writer, "c.png", "Coat")

    assert "66.7 % 66.7 % to 66.7 % of all images; right are 2 of 3 reviewed images" in Page(call()[1]).text
    assert "2 of 3 reviewed images, of which many" in Page(call("--until", "2026-11-23")[1]).text


@pytest.mark.usefixtures("writer")
def test_every_plot_has_a_title(call: Call) -> None:
    """What it shows, over what, and the figures behind it."""
    page = Page(call()[1])
    titles = [one["aria-label"] for one in page.all("svg")]

    assert [
        "Mean confidence of Coat: mean confidence over opening of the job, UTC",
        "Mean confidence of Bag: mean confidence over opening of the job, UTC",
        "Class mix over time: share of the images over opening of the job, UTC",
        "Latency of a batch by part: ms, mean of a batch over opening of the job, UTC",
        "Speed: images/s, first seen to last answered over opening of the job, UTC",
    ] == titles
    assert all(one.get("role") == "img" for one in page.all("svg"))
    assert 4 == len(page.all("details"))


@pytest.mark.usefixtures("writer")
def test_worst_images_come_with_their_pictures(call: Call) -> None:
    """What it is, why it is doubted, and a place for the picture that is not kept."""
    page = Page(call()[1])

    assert f"Bag 87.5 % is: Shirt {HOSTILE}" in page.text
    assert "no picture kept Coat 87.5 % suspect: blank c.png" in page.text
    assert ["Bag, 87.5\N{NO-BREAK SPACE}%"] * 3 == [one["alt"] for one in page.all("img")]


def test_threshold_is_what_the_model_should_reach(call: Call, writer: Writer) -> None:
    """Less the margin: a dashed line."""
    expectations = {"classes": {"Bag": {"accuracy": 0.9375, "share": 0.1}}, "accuracy": 0.9375}
    announced: dict[str, Any] = {
        "engine": "numpy",
        "input": {},
        "announced_at": AT,
        "expectations": expectations,
    }
    writer.write([ModelAnnouncement(version="m1", classes=CLASSES, **announced)])
    text = call()[1]

    assert "threshold 88.8 %" in Page(text).text
    assert 1 == text.count('<line class="dash"')
    assert "m1 3 2026-11-22T13:16:01.123Z 2026-11-22T13:16:01.123Z 93.8 %" in Page(text).text


def test_reliability_waits_for_enough_reviews(call: Call, writer: Writer) -> None:
    """Those that chance drew count, and not what somebody chose to correct; until then it says how many."""
    wanted = f"Not enough answers that chance drew: 0, it takes {LEAST_REVIEWED}."
    assert wanted in Page(call()[1]).text
    names = tuple(f"{n}.png" for n in range(LEAST_REVIEWED))
    batch = {**OF, "model_version": "m1", "predictor": "1", "predicted_at": AT}
    writer.write([PredictionBatch(batch_id="b3", predictions=tuple(map(prediction, names)), **batch)])
    for name in names:
        review(writer, name, "Bag", "asked")
    page = Page(call()[1])

    assert "Not enough answers" not in page.text
    assert "Reliability: share that was right over confidence" in [
        one["aria-label"] for one in page.all("svg")
    ]


def test_alerts_of_the_period_are_listed(call: Call, engine: sa.Engine) -> None:
    """Even where no job was opened."""
    row = {"alert_id": "1", "rule": "disk", "state": "open", "value": 1.5, "bound": 2.0, "opened_at": AT}
    with engine.begin() as connection:
        connection.execute(alerts.insert().values(**row, detail="little room"))

    assert f"disk open 1.5 2 {AT} little room" in Page(call()[1]).text


def test_report_of_nothing_says_so(call: Call, request: pytest.FixtureRequest) -> None:
    """An empty database, and a period without a job."""
    code, text, _ = call()
    assert (0, True) == (code, "There is nothing to report: no job was opened." in text)
    request.getfixturevalue("writer")
    assert "no job was opened in this period." in call("--since", "2026-11-23")[1]
    assert "no job was opened in this period." in call("--until", "2026-11-22")[1]
    assert "Images answered" in call("--since", "2026-11-22", "--until", "2026-11-23")[1]


@pytest.mark.usefixtures("writer")
def test_job_has_its_failures_and_a_sheet_of_its_images(call: Call) -> None:
    """By name, the doubtful ones marked; and its classes."""
    page = Page(call("j1")[1])

    assert "Job j1 of shop, closed" in page.text
    assert "d.txt not-an-image a text" in page.text
    assert ["j1: autumn/" + HOSTILE, "j1: autumn/a.png", "j1: autumn/c.png"] == [
        one["title"] for one in page.all("li") if "title" in one
    ]
    assert "least sure" in page.text
    assert "Coat 1 87.5 % \N{EN DASH} not known" in page.text


@pytest.mark.usefixtures("writer")
def test_sheet_is_bounded(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how many are left out."""
    monkeypatch.setattr("store.report_contents.SHEET", 2)
    page = Page(call("j1")[1])

    assert "1 images are left out, those of which the model is surest." in page.text


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["j9"], 1, "the database knows no job 'j9'"),
        (["j1", "--since", "2h"], 2, "a job is reported whole: leave out --since and --until"),
        (["--since", "yesterday"], 2, "expected a time such as"),
    ],
)
def test_what_cannot_be_reported_is_one_line(call: Call, arguments: list[str], code: int, line: str) -> None:
    """And no page."""
    found, page, err = call(*arguments)

    assert (code, "", 1) == (found, page, err.count("\n"))
    assert line in err


def test_report_says_where_it_is(call: Call, tmp_path: Path) -> None:
    """Beside the answer."""
    assert f"the report is in {tmp_path / 'report.html'}\n" == call()[2]


def test_steps_are_as_short_as_can_be() -> None:
    """No year; no day where there is but one."""
    assert ["13:16:01"] == step_texts([AT])
    assert ["11-22 13:16", "11-23 13:16"] == step_texts([AT, AT.replace("22T", "23T")])
    assert ["2026-11", "11-22", "11-22 13h"] == [step_texts([AT[:n]])[0] for n in (7, 10, 13)]
