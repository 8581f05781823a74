"""Any bytes on any topic become a valid message of the topic's kind, or the one documented error."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.connection import Delivery
from broker.errors import MessageError
from broker.messages import JobProgress, PredictionBatch, encode
from broker.topics import Topics
from store.intake import KINDS, Item, opened, subscriptions
from store.parts import rows_of
from store.writer import Writer
from tests.store.workbench import Make

TOPICS = Topics()
WIRE = [
    encode(Make().batch("a.png", "b.png")),
    encode(Make().failure("a.png")),
    encode(Make().progress("closed", 2)),
    encode(Make().reject(batch_id="b1", job_id="b1", source="shop", images=("a.png",))),
]
topics = st.sampled_from([f"tailorbird/v1/{kind}/shop" for kind in KINDS])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a real message with one field changed to anything, or with some bytes changed or cut off."""
    payload = draw(st.sampled_from(WIRE))
    if draw(st.booleans()):
        fields: dict[str, Any] = json.loads(payload)
        fields[draw(st.sampled_from(sorted(fields)))] = draw(json_values)
        return json.dumps(fields).encode(errors="surrogatepass")
    at = draw(st.integers(0, len(payload)))
    return payload[:at] + draw(st.binary(max_size=4)) + payload[at + draw(st.integers(0, 4)) :]


payloads = st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()) | mutated()


@given(topic=topics, payload=payloads)
def test_any_bytes_become_an_item_or_one_line(topic: str, payload: bytes) -> None:
    """Nothing but MessageError comes out, and it fits on one line."""
    try:
        item = opened(Delivery(topic, payload), TOPICS)
    except MessageError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most of the bytes raise, some do not
    else:
        assert isinstance(item.message, KINDS[TOPICS.kind(topic)])


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sent=st.lists(st.tuples(topics, payloads), max_size=5))
def test_whatever_is_valid_can_be_written(writer: Writer, sent: list[tuple[str, bytes]]) -> None:
    """No message that the store accepts can be one that the database refuses; on every database."""
    messages = []
    for topic, payload in sent:
        try:
            messages.append(opened(Delivery(topic, payload), TOPICS).message)
        except MessageError:
            continue
    outcome = writer.write(messages)
    for said in (*outcome.receipts, *outcome.summaries):
        encode(said)


@pytest.mark.parametrize(
    "topic",
    ["tailorbird/v1/receipts/shop", "tailorbird/v1/pixels/shop", "tailorbird/v2/predictions/shop", "x"],
)
def test_topic_that_is_not_the_stores(topic: str) -> None:
    """What the store has no table for is refused by its topic."""
    with pytest.raises(MessageError, match="the store takes nothing on"):
        opened(Delivery(topic, WIRE[0]), TOPICS)


@pytest.mark.parametrize("at", ["2026-13-01T00:00:00Z", "2026-11-22T25:00:00Z", "2026-02-30T00:00:00.123Z"])
def test_time_that_no_calendar_has(make: Make, at: str) -> None:
    """A time that only looks like one is no valid message."""
    with pytest.raises(MessageError, match="is no time in ISO 8601"):
        opened(Delivery("tailorbird/v1/predictions/shop", encode(make.batch("a", predicted_at=at))), TOPICS)


def test_rows_of_a_batch_are_its_images(make: Make) -> None:
    """Transactions are bounded by rows, so a batch counts as its images."""
    delivery = Delivery("x", b"")
    batch, progress = make.batch("a", "b", "c"), make.progress("open", 1)
    assert (type(batch), type(progress)) == (PredictionBatch, JobProgress)
    assert rows_of([Item(delivery, batch), Item(delivery, progress)]) == 4


def test_every_kind_is_subscribed_to() -> None:
    """What has a table is listened to, and nothing else."""
    assert sorted(TOPICS.kind(wanted) for wanted in subscriptions(TOPICS)) == sorted(KINDS)
