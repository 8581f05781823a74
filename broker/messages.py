"""The messages on the wire: frozen structs that validate themselves.

Unknown fields are ignored, so that a field may be added; anything else is a new version in the topics' root.
Pixel batches travel as MessagePack (or as JSON with numbers), everything else as JSON. Times are UTC in
ISO 8601 with milliseconds, durations are seconds, probabilities 0..1.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from broker.errors import MessageError
from broker.topics import SOURCE_PATTERN

MAX_BATCH_IMAGES = 4096
MAX_NAME_CHARS = 4096
JSON_TYPE = "application/json"
MSGPACK_TYPE = "application/msgpack"

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")]
Source = Annotated[str, msgspec.Meta(pattern=SOURCE_PATTERN)]
ImageName = Annotated[str, msgspec.Meta(pattern=rf"^[^\x00]{{1,{MAX_NAME_CHARS}}}\Z")]
Text = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*\Z")]
"""Any text but NUL, which PostgreSQL does not take: it would be a message that no store could ever write."""
Time = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z\Z")
]
IdOrNone = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._:-]{0,127})?\Z")]
TimeOrNone = Annotated[
    str, msgspec.Meta(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z)?\Z")
]
"""A time, or "" for none: msgspec holds a union with a literal to the pattern of its other half."""
Probability = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=1e9)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
ImageNames = Annotated[tuple[ImageName, ...], msgspec.Meta(max_length=MAX_BATCH_IMAGES)]
Histograms = dict[Text, Annotated[tuple[Count, ...], msgspec.Meta(max_length=100)]]
Timings = dict[Text, Seconds]
"""Seconds by phase: `read`, `prepare`, `wait` (agent), `predict` (predictor)."""


def now() -> str:
    """Return the time now as it stands on the wire and in SQL: UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What all messages share: they are frozen and take keywords only."""


class PixelBatch(Message, frozen=True, kw_only=True):
    """Images as the model sees them: `pixels` is (n, height, width) uint8, by rows, garment bright on black.

    `images` names each one within its job, unique in the batch. Without a `job_id` the batch is its own job.
    """

    batch_id: Id
    source: Source
    images: Annotated[tuple[ImageName, ...], msgspec.Meta(min_length=1, max_length=MAX_BATCH_IMAGES)]
    shape: tuple[int, int, int]
    pixels: bytes
    job_id: IdOrNone = ""
    dtype: Literal["uint8"] = "uint8"
    timings: Timings = {}

    def __post_init__(self) -> None:
        """Hold names, shape and bytes to each other."""
        if not self.job_id:
            msgspec.structs.force_setattr(self, "job_id", self.batch_id)
        n, height, width = self.shape
        if not (n == len(self.images) and 1 <= height <= 4096 and 1 <= width <= 4096):
            raise ValueError(f"shape {self.shape} does not fit {len(self.images)} images")
        if n * height * width != len(self.pixels):
            raise ValueError(
                f"shape {self.shape} wants {n * height * width} bytes of pixels, not {len(self.pixels)}"
            )
        if len(set(self.images)) != n:
            raise ValueError("an image name stands twice in the batch")


class Prediction(Message, frozen=True, kw_only=True):
    """What the model says of one image: `probabilities` by class name, calibrated, `label` the likeliest."""

    image: ImageName
    label: Text
    confidence: Probability
    probabilities: dict[str, Probability]
    verdict: Literal["ok", "suspect"] = "ok"
    reasons: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a label without a probability, and class names that are no `Text`."""
        if self.label not in self.probabilities:
            raise ValueError(f"label {self.label!r} has no probability")
        # A pattern on every key would be two thirds of the time that decoding a batch takes.
        if "\x00" in "".join(self.probabilities):
            raise ValueError("a class name holds NUL")


class PredictionBatch(Message, frozen=True, kw_only=True):
    """The predictions for one pixel batch, in its order, and what made them."""

    batch_id: Id
    job_id: Id
    source: Source
    model_version: Text
    predictor: Text
    predicted_at: Time
    predictions: Annotated[tuple[Prediction, ...], msgspec.Meta(min_length=1, max_length=MAX_BATCH_IMAGES)]
    timings: Timings = {}
    statistics: Histograms = {}
    """How many of the images lie in each bin of the model's reference, by statistic of their pixels."""

    def __post_init__(self) -> None:
        """Refuse an image that stands twice."""
        if len({p.image for p in self.predictions}) != len(self.predictions):
            raise ValueError("an image name stands twice in the batch")


class ShadowBatch(PredictionBatch, frozen=True, kw_only=True):
    """What a model on trial would have answered: it closes no image and gets no receipt."""


class StoredImage(Message, frozen=True, kw_only=True):
    """One image's row as it now stands in `predictions`."""

    image: ImageName
    label: Text
    confidence: Probability
    model_version: Text
    predicted_at: Time
    verdict: Literal["ok", "suspect"] = "ok"
    reasons: tuple[Text, ...] = ()


class FailedImage(Message, frozen=True, kw_only=True):
    """One image's row as it now stands in `failures`."""

    image: ImageName
    reason: Text
    detail: Text = ""


class Receipt(Message, frozen=True, kw_only=True):
    """The store's word after its commit: the batch is in the database, and this is what stands there."""

    batch_id: Id
    job_id: Id
    source: Source
    kind: Literal["predictions", "failure", "job"]
    stored_at: Time
    stored: Annotated[tuple[StoredImage, ...], msgspec.Meta(max_length=MAX_BATCH_IMAGES)] = ()
    failed: Annotated[tuple[FailedImage, ...], msgspec.Meta(max_length=MAX_BATCH_IMAGES)] = ()


class Failure(Message, frozen=True, kw_only=True):
    """A file that cannot be an image: `reason` is a short word in kebab-case, `detail` one sentence."""

    batch_id: Id
    job_id: Id
    source: Source
    image: ImageName
    reason: Text
    detail: Text
    failed_at: Time


class Reject(Message, frozen=True, kw_only=True):
    """A message that a service put aside: where it came from, why, and how it began.

    When the batch could be read, `batch_id`, `job_id`, `source` and `images` say which images it held; the
    store then writes them into `failures`, so that none is without a row.
    """

    service: Text
    instance: Text
    topic: Text
    reason: Text
    detail: Text
    first_bytes: bytes
    size_bytes: Count
    rejected_at: Time
    batch_id: Text = ""
    job_id: Text = ""
    source: Text = ""
    images: ImageNames = ()


class JobProgress(Message, frozen=True, kw_only=True):
    """How far a job is. `closed` is sent once every image is closed, and again until its receipt.

    `process_s` runs from the first image seen to the last one closed, without the quiet time after it.
    """

    batch_id: Id
    job_id: Id
    source: Source
    state: Literal["open", "closed"]
    folder: Text
    opened_at: Time
    seen: Count
    sent: Count
    stored: Count
    failed: Count
    process_s: Seconds = 0.0
    closed_at: TimeOrNone = ""
    timings: Timings = {}


class ClassSummary(Message, frozen=True, kw_only=True):
    """One class within a job."""

    images: Count
    mean_confidence: Probability
    expected_accuracy: Probability | None = None
    """Of the images that are not suspect; None where there are too few to say."""


class JobSummary(Message, frozen=True, kw_only=True):
    """The figures of a closed job."""

    job_id: Id
    source: Source
    folder: Text
    opened_at: Time
    closed_at: Time
    images: Count
    stored: Count
    failed: Count
    process_s: Seconds
    predict_s: Seconds
    time_per_prediction_s: Seconds | None
    mean_confidence: Probability | None
    classes: dict[Text, ClassSummary]
    flags: tuple[Text, ...] = ()
    """What looks wrong about the job as a whole, such as `one-class: Bag 93 %`."""
    suspect: Count = 0
    expected_accuracy: Probability | None = None
    expected_low: Probability | None = None
    expected_high: Probability | None = None
    """The 95 % interval of the expected accuracy of the images that are not suspect; None: too few."""
    timings: Timings = {}
    """Seconds by phase, summed over the job: `read`, `prepare`, `wait`, `predict`, `store`."""


class Alert(Message, frozen=True, kw_only=True):
    """Something is not as it should be, or is so again: which rule, what it saw, and where its bound is.

    `subject` is what the rule is about: a class, a source, or "" for everything.
    """

    alert_id: Id
    rule: Text
    subject: Text
    state: Literal["open", "closed"]
    value: float
    bound: float
    detail: Text
    opened_at: Time
    closed_at: TimeOrNone = ""
    job_id: IdOrNone = ""


class Review(Message, frozen=True, kw_only=True):
    """What somebody says an image shows; the latest stands. An empty label takes the answer back.

    `how` says why this image: `asked` when it was drawn at random from its stratum, so that it counts for
    the true accuracy; `selection` and `import` when somebody chose it. `replaces` names the answer that its
    giver has seen, "" for none: if another one stands by then, this one changes nothing. None: whatever
    stands is replaced. `given_at` is when an answer was first given that is put back by an undo, "" for a
    new one; `reviewed_at` is when it is put back.
    """

    review_id: Id
    job_id: Id
    image: ImageName
    label: Text
    reviewer: Text
    reviewed_at: Time
    how: Literal["asked", "selection", "import"] = "selection"
    stratum: Text = ""
    replaces: IdOrNone | None = None
    given_at: TimeOrNone = ""


class Correction(Message, frozen=True, kw_only=True):
    """A review that stands in the database, for other systems to follow: right label and predicted one.

    `review_id` is the one that came, `standing` the one that stands now: another, if this one changed
    nothing.
    """

    review_id: Id
    job_id: Id
    source: Source
    folder: Text
    image: ImageName
    label: Text
    predicted: Text
    confidence: Probability
    model_version: Text
    reviewer: Text
    reviewed_at: Time
    standing: IdOrNone = ""


class Event(Message, frozen=True, kw_only=True):
    """One line of the event log. `event` is a short word in kebab-case, `detail` one sentence."""

    service: Text
    instance: Text
    at: Time
    level: Literal["debug", "info", "warning", "error"]
    event: Text
    detail: Text = ""
    job_id: Text = ""
    batch_id: Text = ""


class Status(Message, frozen=True, kw_only=True):
    """Whether a service is there: `online`, `stopped` after a clean end, `offline` by last will."""

    service: Text
    instance: Text
    state: Literal["starting", "online", "stopped", "offline"]
    pid: int
    host: Text
    version: Text
    since: Time
    detail: dict[str, Any] = {}


class ClassExpectation(Message, frozen=True, kw_only=True):
    """What a model reached on the validation images that it called so."""

    accuracy: Probability
    share: Probability = 0.0
    calibration_error: Probability = 0.0


class Reference(Message, frozen=True, kw_only=True):
    """One statistic of the validation images' pixels: the edges of its bins, and each class's shares."""

    edges: tuple[float, ...]
    classes: dict[Text, tuple[Probability, ...]]

    def __post_init__(self) -> None:
        """Hold the shares to the bins."""
        if any(len(shares) != len(self.edges) + 1 for shares in self.classes.values()):
            raise ValueError(f"{len(self.edges)} edges want {len(self.edges) + 1} shares of each class")


class Expectations(Message, frozen=True, kw_only=True):
    """What a model should reach and see: `model.manifest.Manifest.expectations`, held to its form."""

    accuracy: Probability
    calibration_error: Probability = 0.0
    classes: dict[Text, ClassExpectation] = {}
    statistics: dict[Text, Reference] = {}


class ModelAnnouncement(Message, frozen=True, kw_only=True):
    """The model that serves, retained, so that an agent elsewhere needs no model file.

    `input` is the input spec as `model.preprocessing.InputSpec.to_dict` gives it.
    """

    version: Text
    classes: tuple[Text, ...]
    input: dict[str, Any]
    engine: Text
    announced_at: Time
    expectations: Expectations | None = None


class ModelRequest(Message, frozen=True, kw_only=True):
    """What somebody at the page wants done with the bundles; only the account `dashboard` may publish it.

    `host` and `bundles` name the machine and the folder that were looked at: predictors with other bundles
    pass it over. `current` is the version that served then, "" for none, so that nobody overrules
    somebody else unseen. A `rollback` names the version that it is to lead to. `overrides` are the gate's
    objections that were shown, in its words: a promotion goes against these, and against no others.
    """

    request_id: Id
    action: Literal["try", "promote", "rollback"]
    version: Id
    current: IdOrNone
    host: Text
    bundles: Text
    by: Text
    requested_at: Time
    overrides: Annotated[tuple[Text, ...], msgspec.Meta(max_length=200)] = ()


class ModelDifference(Message, frozen=True, kw_only=True):
    """One figure of two bundles: shares 0..1, or images per second."""

    figure: Text
    before: float
    after: float


UNMEASURED = "nothing was measured: [model] gate_images names no labelled images"
"""The objection of a gate that had no images to measure on: it says nothing of the model."""


class ModelAnswer(Message, frozen=True, kw_only=True):
    """What became of a `ModelRequest`: `taken` when it is begun, then `done` or `refused`, with the reason.

    `current` serves from then on, and a rollback leads to `previous`. Without `measured` the differences
    are what both bundles recorded when they were trained. `objections` are what the gate has against it.
    """

    request_id: Id
    action: Literal["try", "promote", "rollback"]
    version: Id
    state: Literal["taken", "done", "refused"]
    answered_at: Time
    current: IdOrNone = ""
    previous: IdOrNone = ""
    measured: bool = False
    differences: Annotated[tuple[ModelDifference, ...], msgspec.Meta(max_length=200)] = ()
    objections: Annotated[tuple[Text, ...], msgspec.Meta(max_length=200)] = ()
    detail: Text = ""


def expectations_of(said: Mapping[str, Any]) -> Expectations | None:
    """Return what a bundle's manifest says, None where it says nothing. Raises MessageError."""
    try:
        return msgspec.convert(said, Expectations) if said else None
    except (msgspec.MsgspecError, ValueError) as error:
        raise MessageError(f"the bundle's expectations: {_one_line(error)}") from error


M = TypeVar("M", bound=Message)

_encode_json = msgspec.json.Encoder().encode
_encode_msgpack = msgspec.msgpack.Encoder().encode
_decoders: dict[tuple[type, bool], Any] = {}


def encode(message: Message) -> bytes:
    """Return the message's wire bytes: MessagePack for a pixel batch, JSON for everything else."""
    return _encode_msgpack(message) if isinstance(message, PixelBatch) else _encode_json(message)


def content_type(message: Message) -> str:
    """Return the content type of what `encode` makes."""
    return MSGPACK_TYPE if isinstance(message, PixelBatch) else JSON_TYPE


def decode(kind: type[M], payload: bytes, declared: str | None = None) -> M:
    """Return the message that `payload` holds, or raise MessageError with one line.

    `declared` is the MQTT content type; it matters for pixel batches alone, which come as MessagePack unless
    it says JSON.
    """
    try:
        if kind is PixelBatch:
            return _decode_pixels(payload, declared)  # type: ignore[return-value]
        return _decoder(kind, json=True).decode(payload)  # type: ignore[no-any-return]
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MessageError(f"{kind.__name__}: {_one_line(error)}") from error


def _decoder(kind: type, *, json: bool) -> Any:
    key = (kind, json)
    if key not in _decoders:
        _decoders[key] = msgspec.json.Decoder(kind) if json else msgspec.msgpack.Decoder(kind)
    return _decoders[key]


def _decode_pixels(payload: bytes, declared: str | None) -> PixelBatch:
    if (declared or "").split(";")[0].strip().lower() != JSON_TYPE:
        return _decoder(PixelBatch, json=False).decode(payload)  # type: ignore[no-any-return]
    fields = _decoder(dict, json=True).decode(payload)
    if isinstance(fields.get("pixels"), list):
        fields["pixels"] = bytes(_flat(fields["pixels"]))
        return msgspec.convert(fields, PixelBatch)
    return _decoder(PixelBatch, json=True).decode(payload)  # type: ignore[no-any-return] # pixels as base64


def _flat(numbers: Iterable[Any], depth: int = 0) -> Iterator[int]:
    for item in numbers:
        if isinstance(item, list) and depth < 3:
            yield from _flat(item, depth + 1)
        elif isinstance(item, int) and not isinstance(item, bool) and 0 <= item <= 255:
            yield item
        else:
            raise ValueError("pixels must be whole numbers from 0 to 255, nested at most four deep")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def finite(value: float) -> float:
    """Return `value`, or 0.0 where it is no number: JSON knows neither NaN nor infinity."""
    return value if math.isfinite(value) else 0.0
