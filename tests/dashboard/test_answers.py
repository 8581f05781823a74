"""People's answers on their way: on a line within the process, with a store that may be deaf."""

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from broker.memory import MemoryBroker
from broker.messages import ModelAnnouncement, Review
from broker.reviewer import answer
from broker.settings import Store
from dashboard.answers import AWAY, GONE, Answers, Sent, taking_back, unanswered
from store.answers import Said
from tests.cli.fake_store import TOPICS, fake_store
from tests.store.workbench import AT, JOB, Make, writing

T = TypeVar("T")


@pytest.fixture
def broker() -> MemoryBroker:
    """A broker within the process."""
    return MemoryBroker()


@pytest.fixture
def answers(broker: MemoryBroker) -> Iterator[Answers]:
    """The page's thread."""
    with Answers(broker.connect("page", [TOPICS.corrections()]), TOPICS, patience_s=60.0) as made:
        yield made


def run(work: Coroutine[None, None, T]) -> T:
    """Run it in a thread of its own: in this one the browser's tests may have left a loop that runs."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


def given(*images: str) -> list[Review]:
    """Return Anna's answers."""
    return [answer("anna", ("j1", image), "Bag", how="asked", replaces="") for image in images]


def test_answers_of_two_people_do_not_wait_for_each_other(
    broker: MemoryBroker, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One's come back though the store does not answer the other's, which are missing after a while."""
    lost, good = given("bad"), given("a", "b")

    async def both() -> tuple[Sent, Sent]:
        first, second = answers.submit(lost), answers.submit(good)
        await second.over()
        assert not first.done.done()
        monkeypatch.setattr(answers, "_patience_s", 0.0)
        await first.over()
        return first, second

    with fake_store(broker, lambda review: review.image != "bad"):
        first, second = run(both())

    assert (good, [], []) == (second.taken, second.refused, second.missing)
    assert ([], lost) == (first.taken, first.missing)


def test_answer_of_somebody_who_left_is_stored(broker: MemoryBroker, answers: Answers) -> None:
    """A page that is closed while its answer is under way neither stops the thread nor takes it back."""

    async def leaves() -> None:
        task = asyncio.create_task(answers.submit(given("a")).over())
        await asyncio.sleep(0)
        task.cancel()

    async def stays() -> Sent:
        sent = answers.submit(given("b"))
        await sent.over()
        return sent

    with fake_store(broker) as heard:
        run(leaves())
        assert [] == run(stays()).missing

    assert ["a", "b"] == [review.image for review in heard]


def test_answer_that_can_never_be_stored_is_told_as_that(tmp_path: Path) -> None:
    """The store runs; doing it again would not help: the job is gone, or the model knows no such class."""
    settings = Store(url=f"sqlite:///{tmp_path}/store.db", min_free_mb=0)
    model = ModelAnnouncement(version="m1", classes=("Bag", "Coat"), input={}, engine="onnx", announced_at=AT)
    with writing(settings) as writer:
        writer.write([model, Make().batch("a.png")])
    lost, gone, no_class = (
        answer("anna", (JOB, image), label, how="selection")
        for image, label in (("a.png", "Coat"), ("b.png", "Coat"), ("a.png", "Hat"))
    )

    assert {
        AWAY: [lost],
        GONE: [gone],
        "The model that answered knows no class Hat.": [no_class],
    } == unanswered(settings, [lost, gone, no_class])
    assert {AWAY: [lost]} == unanswered(Store(url=f"sqlite:///{tmp_path}/none.db"), [lost])


def test_taking_back_restores_what_stood_before() -> None:
    """With its giver, its time and its way, so that it counts as it did; or nothing, where none did."""
    (mine,) = given("a")
    before = Said("Coat", "nora", "2026-11-22T14:00:00.000Z", "asked", "suspect", "r1")

    back = taking_back("anna", mine, before, mine.review_id)
    none = taking_back("anna", mine, None, mine.review_id)

    assert ("Coat", "nora", before.reviewed_at, "asked", "suspect", mine.review_id) == (
        back.label, back.reviewer, back.given_at, back.how, back.stratum, back.replaces,
    )  # fmt: skip
    assert ("", "anna", mine.review_id) == (none.label, none.reviewer, none.replaces)
