"""Messages that mean harm: each is one MessageError, at once and without much memory."""

import socket
import struct
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from broker.errors import MessageError
from broker.messages import JSON_TYPE, MSGPACK_TYPE, Event, JobProgress, Message, PixelBatch, Status, decode
from broker.topics import Topics
from tests.broker.reaching import Reaching, Watch, wait_connected
from tests.broker.wire_examples import EXAMPLES
from tests.running_mosquitto import TESTER, RunningMosquitto
from tests.waiting import until

BATCH = {"batch_id": "b", "source": "shop", "images": ["a"], "shape": [1, 2, 2], "pixels": [0, 1, 2, 3]}
KINDS = sorted({type(example) for example in EXAMPLES.values()}, key=lambda kind: kind.__name__)
MANY = 100_000


@pytest.fixture
def reach() -> Iterator[Reaching]:
    """Connections that are stopped after the test."""
    made = Reaching()
    yield made
    made.stop()


def batch(**fields: Any) -> bytes:
    """Return a pixel batch's JSON with some fields replaced; bytes stand as they are."""
    parts = [
        f'"{name}":'.encode() + (value if isinstance(value, bytes) else msgspec.json.encode(value))
        for name, value in {**BATCH, **fields}.items()
    ]
    return b"{" + b",".join(parts) + b"}"


def refused(kind: type[Message], payload: bytes, declared: str | None = JSON_TYPE) -> None:
    """Expect one short line, within a second and a few times the payload's size."""
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(MessageError) as caught:
            decode(kind, payload, declared)
        seconds = time.process_time() - began
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert peak < 40 * len(payload) + 1_000_000
    assert seconds < 5


def test_honest_batch_is_none_of_these() -> None:
    """What the others are made of is a message."""
    assert isinstance(decode(PixelBatch, batch(), JSON_TYPE), PixelBatch)


@pytest.mark.parametrize(
    "fields",
    [
        {"shape": [1, -2, -2]},
        {"shape": [2**62, 2, 2]},
        {"shape": [2**64, 2**64, 2**64]},
        {"shape": [1, 65536, 65536]},
        {"shape": [1, 0, 4]},
        {"shape": [1.5, 2, 2]},
        {"shape": ["1", "2", "2"]},
        {"shape": [1, 2, 2, 1]},
        {"shape": b"[1e400,2,2]"},
        {"shape": b"[" + b"9" * MANY + b",2,2]"},
        {"shape": b"[NaN,2,2]"},
        {"pixels": [0, 1, 2]},
        {"pixels": [0, 1, 2, 3, 4]},
        {"pixels": [0, 1, 2, 256]},
        {"pixels": [0, 1, 2, -1]},
        {"pixels": b"[0,1,2,NaN]"},
        {"pixels": b"[0,1,2,1e999]"},
        {"pixels": b"[0,1,2," + b"1" * MANY + b"]"},
        {"pixels": [True, 1, 2, 3]},
        {"pixels": "AAA"},
        {"pixels": b"[" * MANY + b"]" * MANY},
        {"images": ["../../etc/passwd\x00"]},
        {"timings": b'{"read":1e999}'},
        {"timings": b'{"read":NaN}'},
        {"source": "../shop"},
        {"source": "+"},
        {"source": "shop/#"},
        {"batch_id": "b" * 1000},
    ],
)
def test_batch_that_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    """Wrong lengths, absurd shapes, numbers that are none, names that climb."""
    refused(PixelBatch, batch(**fields))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"detail":{"a":'])
def test_deep_json_is_refused(kind: type[Message], opening: bytes) -> None:
    """A hundred thousand levels fill neither the stack nor the memory; the bytes end before they close."""
    refused(kind, opening * MANY)


@pytest.mark.parametrize(
    "payload",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x81\xa6pixels\xc6\xff\xff\xff\xff",
        b"\x81\xa6images\xdd\xff\xff\xff\xff",
        b"\x91" * MANY,
        b"\x81\xa1a" * MANY,
        b"\xc1",
        b"\xc9\xff\xff\xff\xff\x01",
    ],
)
def test_messagepack_that_claims_more_than_it_has_is_refused(payload: bytes) -> None:
    """Four billion elements of five bytes are not made room for; deep nests end as well."""
    refused(PixelBatch, payload, MSGPACK_TYPE)


@pytest.mark.parametrize(
    "declared", [None, MSGPACK_TYPE, "image/jpeg", "text/html", "a" * 10_000, "\x00", "/"]
)
def test_json_under_another_content_type_is_refused(declared: str | None) -> None:
    """It is taken for MessagePack then, and is none."""
    refused(PixelBatch, batch(), declared)


def test_messagepack_under_jsons_content_type_is_refused() -> None:
    """And the other way round."""
    refused(PixelBatch, msgspec.msgpack.encode({**BATCH, "pixels": bytes(4)}), JSON_TYPE)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (Event, b'{"service":"\\ud800","instance":"a","at":"x","level":"info","event":"e"}'),
        (Status, b'{"service":"a","pid":1e400}'),
        (JobProgress, b'{"seen":-1}'),
        (JobProgress, b"null"),
        (JobProgress, b'"' + b"\\u0000" * MANY + b'"'),
    ],
)
def test_other_messages_that_cannot_be_are_refused(kind: type[Message], payload: bytes) -> None:
    """Half characters, numbers beyond all bounds, and what is no object."""
    refused(kind, payload)


def text(value: bytes) -> bytes:
    """Return MQTT's form of a text."""
    return struct.pack(">H", len(value)) + value


def packet(kind: int, content: bytes) -> bytes:
    """Return an MQTT packet of less than 16 KB."""
    return bytes([kind, len(content) % 128 | 0x80, len(content) // 128]) + content


@pytest.mark.parametrize(
    "topic", [b"pixels/+", b"pixels/#", b"#", b"pixels/a\x00b", b"pixels/\xff\xfe", b"", b"$share/g/pixels"]
)
def test_topic_that_is_none_costs_only_its_sender_the_connection(
    mosquitto: RunningMosquitto, reach: Reaching, topic: bytes
) -> None:
    """A raw client, such as no library lets be: the broker cuts it off or passes over it, the others stay."""
    port = mosquitto.settings.broker.port
    other = wait_connected(reach(port, "hostile/#", client_id="other", credentials=TESTER))
    account = text(TESTER.user.encode()) + text(TESTER.password.encode())
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        raw.sendall(packet(0x10, text(b"MQTT") + b"\x04\xc2\x00\x3c" + text(b"raw") + account))
        assert b"\x20\x02\x00\x00" == raw.recv(4)
        raw.sendall(packet(0x30, text(topic) + b"payload"))
    other.publish("hostile/still-there", b"hello")
    watch = Watch(other)
    found = until(lambda: [one for one in watch.take() if getattr(one, "payload", None)])
    assert [b"hello"] == [one.payload for one in found if hasattr(one, "payload")]


@pytest.mark.parametrize(
    "topic", ["t/v1/pixels/..", "t/v1/pixels/", "t/v1/pixels//", "t/v1/../v1/pixels/shop", "t/v1", "", "/"]
)
def test_topic_with_dots_and_empty_levels_leads_nowhere(topic: str) -> None:
    """Its last level is no source of any message, and nothing of it becomes a path."""
    topics = Topics("t")
    assert topics.kind(topic) in {"pixels", "..", ""}
    if topics.kind(topic) == "pixels":
        with pytest.raises(MessageError):
            decode(PixelBatch, batch(source=topics.last(topic)), JSON_TYPE)
