"""Batches are full by count, by age and by the broker's packet size."""

from hypothesis import given
from hypothesis import strategies as st

from broker.messages import MAX_BATCH_IMAGES, PixelBatch, Prediction, PredictionBatch, encode
from broker.messages import now as wire_now
from ingest_agent.batching import PACKET_HEAD_BYTES, Builder, Limits
from model.manifest import CLASSES
from model.preprocessing import InputSpec

SPEC = InputSpec()
NAMES = st.lists(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=200),
    unique=True,
    max_size=80,
)


def built(names: list[str], limits: Limits) -> Builder:
    """Return a builder with as many of the names as fit."""
    builder = Builder(SPEC, 0.0)
    for name in names:
        if builder.fits(name, limits):
            builder.add(name, (name.encode(), 1, 2, 3, 4), bytes(784))
    return builder


def test_count_bounds_a_batch() -> None:
    """Three images fit when three are wanted, and never more than a message takes."""
    assert 3 == len(built(["a", "b", "c", "d"], Limits(3, 1.0)))
    assert MAX_BATCH_IMAGES == Limits(100_000, 1.0).most_images


def test_first_image_always_fits() -> None:
    """However small the packet, a batch of one is tried."""
    assert 1 == len(built(["a", "b"], Limits(10, 1.0, packet_bytes=100)))


def test_batch_is_ripe_when_full_or_old() -> None:
    """By count, or after the linger time."""
    builder = built(["a", "b"], Limits(2, 1.0))
    assert builder.is_ripe(0.1, Limits(2, 1.0))
    assert not builder.is_ripe(0.9, Limits(3, 1.0))
    assert builder.is_ripe(1.0, Limits(3, 1.0))


@given(NAMES, st.integers(16_384, 262_144))
def test_packets_keep_below_the_limit(names: list[str], packet_bytes: int) -> None:
    """Neither the pixels nor their predictions are larger than the broker takes, whatever the names."""
    builder = built(names, Limits(4096, 1.0, packet_bytes))
    if not len(builder):
        return
    batch = PixelBatch(
        batch_id="f" * 32,
        source="s" * 64,
        job_id="j" * 128,
        images=tuple(builder.names),
        shape=(len(builder), 28, 28),
        pixels=bytes(builder.pixels),
        timings={"read": 0.123456, "prepare": 0.123456, "wait": 0.123456},
    )
    at = wire_now()
    answer = PredictionBatch(
        batch_id=batch.batch_id,
        job_id=batch.job_id,
        source=batch.source,
        model_version="m" * 40,
        predictor="1",
        predicted_at=at,
        predictions=tuple(
            Prediction(
                image=name,
                label=CLASSES[0],
                confidence=0.123456,
                probabilities=dict.fromkeys(CLASSES, 0.123456),
            )
            for name in builder.names
        ),
        timings=batch.timings,
    )
    room = packet_bytes - 512  # topic and properties
    assert len(encode(batch)) <= room + (PACKET_HEAD_BYTES - 512 if len(builder) == 1 else 0)
    assert len(builder) == 1 or len(encode(answer)) <= room
