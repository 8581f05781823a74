"""Answers that are published until they stand."""

from collections.abc import Iterator

import pytest

from broker.connection import Connection
from broker.memory import MemoryBroker
from broker.reviewer import WINDOW, Reviewer
from tests.cli.fake_store import TOPICS, fake_store


@pytest.fixture
def broker() -> MemoryBroker:
    """A broker within the process."""
    return MemoryBroker()


@pytest.fixture
def connection(broker: MemoryBroker) -> Iterator[Connection]:
    """Anna's."""
    made = broker.connect("anna", [TOPICS.corrections()])
    made.start()
    yield made
    made.stop(1.0)


def test_answers_stand_when_their_corrections_have_come(broker: MemoryBroker, connection: Connection) -> None:
    """More than are under way at once; each is published once."""
    reviewer = Reviewer(connection, TOPICS, "anna", resend_s=60.0, patience_s=60.0)
    answers = [reviewer.answer("j1", f"{place}.png", "Bag", how="selection") for place in range(WINDOW + 100)]
    counts: list[int] = []

    with fake_store(broker) as heard:
        assert [] == reviewer.submit(answers, counts.append)

    assert answers == heard
    assert {("anna", "selection", "")} == {(one.reviewer, one.how, one.stratum) for one in heard}
    assert sorted(counts) == counts
    assert len(answers) == counts[-1]


def test_answer_without_a_correction_is_sent_again(broker: MemoryBroker, connection: Connection) -> None:
    """The same message, which changes nothing if the first one was written."""
    reviewer = Reviewer(connection, TOPICS, "anna", resend_s=0.5, patience_s=60.0)
    answer = reviewer.answer("j1", "a.png", "Bag", how="asked", stratum="suspect")
    deaf = [True, True]

    with fake_store(broker, lambda _: not (deaf and deaf.pop())) as heard:
        assert [] == reviewer.submit([answer])

    assert len(heard) >= 3
    assert [answer] * len(heard) == heard


def test_store_that_is_away_gets_no_answer_to_stand(broker: MemoryBroker, connection: Connection) -> None:
    """What does not stand comes back, after a bounded time."""
    reviewer = Reviewer(connection, TOPICS, "anna", resend_s=0.1, patience_s=2.0)
    good, bad = (reviewer.answer("j1", name, "Bag", how="asked") for name in ("good", "bad"))

    with fake_store(broker, lambda review: review.image == "good"):
        assert [bad] == reviewer.submit([good, bad])

    broker.go_away()
    assert [bad] == reviewer.submit([bad])
