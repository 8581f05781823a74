"""What a receipt says."""

from broker.messages import FailedImage, Receipt, StoredImage
from ingest_agent.receipts import answered_images, milliseconds

AT = "2026-11-22T13:44:25.229Z"


def receipt(stored: tuple[str, ...] = (), failed: tuple[str, ...] = ()) -> Receipt:
    """Return a receipt that names these images."""
    return Receipt(
        batch_id="b",
        job_id="j",
        source="shop",
        kind="predictions",
        stored_at=AT,
        stored=tuple(
            StoredImage(image=name, label="Bag", confidence=0.5, model_version="m", predicted_at=AT)
            for name in stored
        ),
        failed=tuple(FailedImage(image=name, reason="rejected") for name in failed),
    )


def test_only_images_without_an_answer_are_taken() -> None:
    """Strangers and repeats are passed over."""
    left = {"a": (b"a", 1, 2, 3, 4), "b": (b"b", 4, 5, 6, 7)}
    found = list(answered_images(receipt(("a", "a", "x"), ("b", "a")), left))
    assert [(b"a", "Bag", None), (b"b", None, "rejected")] == [
        (of.image[0], of.label, of.note) for of in found
    ]
    assert 2 == len(left)


def test_time_on_the_wire_becomes_milliseconds() -> None:
    """UTC since 1970; a text that is no time is now."""
    assert 1_795_355_065_229 == milliseconds(AT)
    assert milliseconds("yesterday") > 1_700_000_000_000


def test_doubt_becomes_the_note() -> None:
    """What the model's guard says stands in results.csv; nothing does when all is well."""
    stored = {"label": "Bag", "confidence": 0.5, "model_version": "m", "predicted_at": AT}
    doubtful = Receipt(
        batch_id="b",
        job_id="j",
        source="shop",
        kind="predictions",
        stored_at=AT,
        stored=(
            StoredImage(image="a", verdict="suspect", reasons=("inverted", "blank"), **stored),  # type: ignore[arg-type]
            StoredImage(image="b", **stored),  # type: ignore[arg-type]
        ),
    )
    left = {name: (name.encode(), 1, 2, 3, 4) for name in ("a", "b")}
    assert ["suspect: inverted; blank", None] == [of.note for of in answered_images(doubtful, left)]
