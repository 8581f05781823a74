"""What is fuzzed: functions of bytes that raise when a promise is broken, each with its seeds.

A finding that was mended is kept in `findings/TARGET-NAME`, and tried by `test_fuzz` ever after.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from broker.errors import MessageError
from broker.messages import JSON_TYPE, MSGPACK_TYPE, content_type, decode, encode
from broker.topics import Topics, check_topic, is_source, matches
from model.preprocessing import ImageError, InputSpec, prepare
from tests.broker.wire_examples import EXAMPLES

PROJECT = Path(__file__).parents[2]
FINDINGS = Path(__file__).parent / "findings"
KINDS = sorted({type(example) for example in EXAMPLES.values()}, key=lambda kind: kind.__name__)
DECLARED = (None, JSON_TYPE, MSGPACK_TYPE, "text/plain\x00")
TOPICS = Topics("t")
SPEC = InputSpec(max_pixels=4_000_000)
REASONS = {"empty", "too-large", "too-many-pixels", "unsupported-format", "not-an-image", "truncated"}


class PromiseBrokenError(AssertionError):
    """What must not happen."""


def messages(data: bytes) -> None:
    """Bytes are a message that goes over the wire again unchanged, or a MessageError in one line.

    The first byte chooses the kind of message, the second the content type.
    """
    kind, declared = (
        KINDS[data[0] % len(KINDS)] if data else KINDS[0],
        DECLARED[sum(data[1:2]) % len(DECLARED)],
    )
    try:
        message = decode(kind, data[2:], declared)
    except MessageError as error:
        if "\n" in str(error) or len(str(error)) > 500:
            raise PromiseBrokenError("an error is one short line") from error
        return
    if message != decode(kind, encode(message), content_type(message)):
        raise PromiseBrokenError("a message changes on its way")


def topics(data: bytes) -> None:
    """A topic that passes can be published on, and no wildcard of a stranger's reaches a filter."""
    text = data.decode("utf-8", "surrogateescape")
    TOPICS.kind(text)
    if is_source(TOPICS.last(text)) and not set(TOPICS.last(text)) <= set(
        TOPICS.last(text).strip("+#/\x00\n")
    ):
        raise PromiseBrokenError("a source holds a wildcard")
    head, _, tail = text.partition("\n")
    try:
        check_topic(head)
    except MessageError:
        pass
    else:
        if set(head) & {"+", "#", "\x00"} or head.encode().decode() != head:
            raise PromiseBrokenError("a broker would cut the connection")
        if not head.startswith("$") and not (matches(head, head) and matches("#", head)):
            raise PromiseBrokenError("a topic does not match itself")
    matches(tail, head)


def images(data: bytes) -> None:
    """Bytes are pixels of the right shape, or an ImageError with a known reason and one sentence."""
    try:
        pixels = prepare(data, SPEC)
    except ImageError as error:
        if error.reason not in REASONS or "\n" in error.detail or not error.detail.endswith("."):
            raise PromiseBrokenError("an error has a known reason and one sentence") from error
        return
    if pixels.shape != (28, 28) or pixels.dtype != "uint8":
        raise PromiseBrokenError("pixels are (28, 28) uint8")


@dataclass(frozen=True)
class Target:
    """One fuzz target. `modules` are ours that are watched for new ways through them."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    modules: tuple[str, ...]
    longest_bytes: int = 4096


def message_seeds() -> Iterator[bytes]:
    """Yield every example of the wire, as each content type, and what JSON can be at its worst."""
    for example in EXAMPLES.values():
        kind = KINDS.index(type(example))
        declared = 1 if content_type(example) == JSON_TYPE else 2
        yield bytes([kind, declared]) + encode(example)
    batch = next(number for number, kind in enumerate(KINDS) if kind.__name__ == "PixelBatch")
    for payload in (
        b"[" * 500,
        b'{"pixels":[[[[[1]]]]]}',
        b'{"shape":[1e400,-1,18446744073709551616]}',
        b"\xdd\xff",
    ):
        yield bytes([batch, 1]) + payload


def topic_seeds() -> Iterator[bytes]:
    """Yield topics of ours, and those that a broker or a path would trip over."""
    for text in (
        TOPICS.pixels("shop"),
        TOPICS.status("a", "b"),
        "t/v1/../x",
        "a//b",
        "$SYS/x",
        "a\x00b",
        "/",
    ):
        for wanted in (TOPICS.pixels(), TOPICS.everything(), "$share/g/t/#", "+/+"):
            yield f"{text}\n{wanted}".encode()


def image_seeds() -> Iterator[bytes]:
    """Yield the small pictures of the tests and a few of the samples."""
    folders = (PROJECT / "tests" / "model" / "fixtures", PROJECT / "samples" / "pictures" / "Bag")
    for folder in folders:
        for file in sorted(folder.iterdir()):
            if file.suffix != ".md":
                yield file.read_bytes()


TARGETS = {
    "messages": Target(messages, message_seeds, ("broker.messages", "broker.topics")),
    "topics": Target(topics, topic_seeds, ("broker.topics",), 400),
    "images": Target(
        images, image_seeds, ("model.image_formats", "model.decoding", "model.preprocessing"), 65_536
    ),
}


def findings(name: str) -> list[Path]:
    """Return what fuzzing found once for a target."""
    return sorted(FINDINGS.glob(f"{name}-*"))
