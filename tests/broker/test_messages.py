"""Messages: their bytes on the wire, and that any bytes become a message or the one documented error."""

import inspect
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import messages
from broker.errors import MessageError
from broker.messages import (
    JSON_TYPE,
    MAX_BATCH_IMAGES,
    MSGPACK_TYPE,
    Event,
    Message,
    PixelBatch,
    Prediction,
    Receipt,
    content_type,
    decode,
    encode,
    finite,
    now,
)
from tests.broker.wire_examples import BATCH, EXAMPLES, JOB

GOLDEN = Path(__file__).parent / "golden"
KINDS = sorted({type(example) for example in EXAMPLES.values()}, key=lambda kind: kind.__name__)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def fields_of(example: Message) -> dict[str, Any]:
    """Return an example as a client without our structs would build it."""
    return dict(json.loads(msgspec.json.encode(example)))


@pytest.mark.parametrize("name", EXAMPLES)
def test_wire_bytes_are_the_golden_ones(name: str) -> None:
    """Others parse these bytes: a change is a visible diff and a question of version."""
    assert (GOLDEN / name).read_bytes() == encode(EXAMPLES[name])


@pytest.mark.parametrize("name", EXAMPLES)
def test_golden_bytes_decode_to_the_message(name: str) -> None:
    """What was sent yesterday is understood today."""
    example = EXAMPLES[name]
    assert example == decode(type(example), (GOLDEN / name).read_bytes(), content_type(example))


def test_every_kind_of_message_has_a_golden_file() -> None:
    """A new message cannot be forgotten here; parts of messages stand within theirs."""
    parts = {"Message", "Prediction", "StoredImage", "FailedImage", "ClassSummary"}
    parts |= {"Expectations", "ClassExpectation", "Reference", "ModelDifference"}
    kinds = {
        name
        for name, kind in inspect.getmembers(messages, inspect.isclass)
        if issubclass(kind, msgspec.Struct) and name not in parts
    }
    assert kinds == {kind.__name__ for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@given(payload=st.binary(max_size=200), declared=st.sampled_from([None, JSON_TYPE, MSGPACK_TYPE, "\x00"]))
def test_any_bytes_become_a_message_or_a_message_error(
    kind: type[Message], payload: bytes, declared: str | None
) -> None:
    """Nothing else than MessageError comes out, whatever comes in."""
    survives(kind, payload, declared)


@pytest.mark.parametrize("name", EXAMPLES)
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 8))
def test_damaged_messages_become_a_message_or_a_message_error(name: str, seed: int, flips: int) -> None:
    """Bytes of a valid message are overwritten, cut off and repeated."""
    dice = random.Random(seed)
    payload = bytearray(encode(EXAMPLES[name]))
    for _ in range(flips):
        at = dice.randrange(len(payload))
        payload[at : at + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
    survives(type(EXAMPLES[name]), bytes(payload), content_type(EXAMPLES[name]))


@pytest.mark.parametrize("name", EXAMPLES)
@given(key=st.integers(0, 20), value=JSON_VALUES)
def test_messages_with_any_value_in_a_field_become_a_message_or_a_message_error(
    name: str, key: int, value: Any
) -> None:
    """One field of a valid message is replaced by any JSON value."""
    fields = fields_of(EXAMPLES[name])
    fields[list(fields)[key % len(fields)]] = value
    survives(type(EXAMPLES[name]), json.dumps(fields).encode("utf-8", "surrogatepass"), JSON_TYPE)


def survives(kind: type[Message], payload: bytes, declared: str | None) -> None:
    """Decode; a message that comes out must go over the wire again unchanged."""
    try:
        message = decode(kind, payload, declared)
    except MessageError:
        return
    assert message == decode(kind, encode(message), content_type(message))


def test_pixel_batch_as_json_holds_numbers_nested_or_flat() -> None:
    """A client without MessagePack sends rows of numbers, a flat list, or base64."""
    batch = EXAMPLES["pixel_batch.msgpack"]
    assert isinstance(batch, PixelBatch)
    flat = list(batch.pixels)
    nested = [[flat[0:3], flat[3:6]], [flat[6:9], flat[9:12]]]
    for pixels in (flat, nested, fields_of(batch)["pixels"]):
        payload = json.dumps({**fields_of(batch), "pixels": pixels}).encode()
        assert batch == decode(PixelBatch, payload, "application/json; charset=utf-8")


def test_pixel_batch_without_a_job_is_its_own_job() -> None:
    """The job's id is then the batch's."""
    batch = PixelBatch(batch_id=BATCH, source="shop", images=("a",), shape=(1, 1, 1), pixels=b"\0")
    assert BATCH == batch.job_id


def changed(**fields: Any) -> Callable[[], bytes]:
    """Return a maker of a pixel batch's bytes with some fields changed."""
    batch = EXAMPLES["pixel_batch.msgpack"]
    plain = {name: getattr(batch, name) for name in batch.__struct_fields__}
    return lambda: msgspec.msgpack.encode({**plain, **fields})


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (changed(images=[], shape=[0, 2, 3], pixels=b""), "length >= 1"),
        (changed(images=[str(i) for i in range(100_000)]), f"length <= {MAX_BATCH_IMAGES}"),
        (changed(images=["a", "a"]), "stands twice"),
        (changed(images=["a", "b\0"]), "images"),
        (changed(images=["a", ""]), "images"),
        (changed(shape=[2, 2, 2]), "wants 8 bytes"),
        (changed(shape=[3, 2, 2]), "does not fit 2 images"),
        (changed(shape=[2, -2, -3]), "does not fit"),
        (changed(shape=[2, 2]), "shape"),
        (changed(dtype="float32"), "dtype"),
        (changed(source="a/b"), "source"),
        (changed(source="shop\n"), "source"),
        (changed(batch_id=""), "batch_id"),
        (changed(job_id="../../etc"), "job_id"),
        (changed(timings={"read": float("nan")}), "timings"),
        (changed(timings={"read": -1.0}), "timings"),
    ],
)
def test_wrong_pixel_batch_is_a_message_error_that_names_what_is_wrong(
    payload: Callable[[], bytes], words: str
) -> None:
    """The sender can read from the reject what to mend."""
    with pytest.raises(MessageError, match=words):
        decode(PixelBatch, payload())


def test_deeply_nested_pixels_are_a_message_error() -> None:
    """A nest of lists neither fills the stack nor the memory."""
    deep = b'{"pixels":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(MessageError):
        decode(PixelBatch, deep, JSON_TYPE)


def test_unknown_fields_are_passed_over() -> None:
    """A field may be added without a new version."""
    fields = {**fields_of(EXAMPLES["event.json"]), "colour": "green"}
    assert EXAMPLES["event.json"] == decode(Event, json.dumps(fields).encode())


def test_prediction_whose_label_has_no_probability_is_a_message_error() -> None:
    """A label must be one of the classes."""
    with pytest.raises(MessageError, match="has no probability"):
        decode(Prediction, b'{"image":"a","label":"Hat","confidence":1,"probabilities":{"Shirt":1}}')


def test_messages_cannot_be_changed() -> None:
    """They are values."""
    with pytest.raises(AttributeError):
        EXAMPLES["event.json"].event = "other"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "field", "item"),
    [("reject.json", "images", "a.png"), ("receipt.json", "failed", {"image": "a.png", "reason": "x"})],
)
def test_message_with_more_images_than_a_batch_is_a_message_error(name: str, field: str, item: Any) -> None:
    """No message names more images than a batch may hold."""
    fields = json.loads(encode(EXAMPLES[name])) | {field: [item] * (MAX_BATCH_IMAGES + 1)}
    with pytest.raises(MessageError, match="length <= 4096"):
        decode(type(EXAMPLES[name]), json.dumps(fields).encode())


def test_receipt_of_a_job_names_no_images() -> None:
    """The lists of images may be left out."""
    receipt = Receipt(batch_id=BATCH, job_id=JOB, source="shop", kind="job", stored_at=now())
    assert receipt == decode(Receipt, encode(receipt))


def test_now_is_utc_with_milliseconds() -> None:
    """The one layout of times on the wire and in SQL."""
    receipt = Receipt(batch_id=BATCH, job_id=JOB, source="shop", kind="job", stored_at=now())
    assert len("2026-03-04T05:06:07.089Z") == len(now())
    assert receipt == decode(Receipt, encode(receipt))


@pytest.mark.parametrize(
    ("value", "expected"), [(1.5, 1.5), (float("nan"), 0.0), (float("inf"), 0.0), (float("-inf"), 0.0)]
)
def test_finite_gives_json_a_number(value: float, expected: float) -> None:
    """JSON knows neither NaN nor infinity."""
    assert expected == finite(value)


@pytest.mark.parametrize("job", [{}, {"job_id": ""}])
def test_pixel_batch_without_a_job_is_its_own(job: dict[str, str]) -> None:
    """No job and an empty one are the same: the batch's own id."""
    fields = {
        "batch_id": "b",
        "source": "client",
        "images": ["a"],
        "shape": [1, 1, 2],
        "pixels": [1, 2],
        **job,
    }
    assert "b" == decode(PixelBatch, json.dumps(fields).encode(), "application/json").job_id
