"""One message of each kind, as the golden files in `golden/` have it on the wire."""

from broker.messages import (
    ClassSummary,
    Event,
    FailedImage,
    Failure,
    JobProgress,
    JobSummary,
    Message,
    ModelAnnouncement,
    PixelBatch,
    Prediction,
    PredictionBatch,
    Receipt,
    Reject,
    ShadowBatch,
    Status,
    StoredImage,
)

AT = "2026-03-04T05:06:07.089Z"
BATCH = "0123456789abcdef0123456789abcdef"
JOB = "shop-20260304T050600Z-0a1b2c3d"
NAMES = ("shirts/a.png", "Größe \\xff.jpg")

EXAMPLES: dict[str, Message] = {
    "pixel_batch.msgpack": PixelBatch(
        batch_id=BATCH,
        source="shop",
        images=NAMES,
        shape=(2, 2, 3),
        pixels=bytes(range(0, 240, 20)),
        job_id=JOB,
        timings={"read": 0.001, "prepare": 0.0005, "wait": 0.02},
    ),
    "prediction_batch.json": PredictionBatch(
        batch_id=BATCH,
        job_id=JOB,
        source="shop",
        model_version="2026-03-01-1",
        predictor="1",
        predicted_at=AT,
        predictions=(
            Prediction(
                image=NAMES[0], label="Shirt", confidence=0.75, probabilities={"Shirt": 0.75, "Coat": 0.25}
            ),
            Prediction(
                image=NAMES[1],
                label="Coat",
                confidence=0.5,
                probabilities={"Shirt": 0.5, "Coat": 0.5},
                verdict="suspect",
                reasons=("low-confidence",),
            ),
        ),
        timings={"predict": 0.004},
    ),
    "shadow_batch.json": ShadowBatch(
        batch_id=BATCH,
        job_id=JOB,
        source="shop",
        model_version="2026-03-02-1",
        predictor="shadow",
        predicted_at=AT,
        predictions=(
            Prediction(
                image=NAMES[0], label="Coat", confidence=0.75, probabilities={"Shirt": 0.25, "Coat": 0.75}
            ),
        ),
        timings={"predict": 0.004},
    ),
    "receipt.json": Receipt(
        batch_id=BATCH,
        job_id=JOB,
        source="shop",
        kind="predictions",
        stored_at=AT,
        stored=(
            StoredImage(
                image=NAMES[0], label="Shirt", confidence=0.75, model_version="2026-03-01-1", predicted_at=AT
            ),
        ),
        failed=(FailedImage(image=NAMES[1], reason="rejected", detail="failed twice"),),
    ),
    "failure.json": Failure(
        batch_id=BATCH,
        job_id=JOB,
        source="shop",
        image=NAMES[1],
        reason="truncated",
        detail="the file ends in the middle of the picture",
        failed_at=AT,
    ),
    "reject.json": Reject(
        service="predictor_service",
        instance="1",
        topic="tailorbird/v1/pixels/shop",
        reason="not-decodable",
        detail="PixelBatch: Input data was truncated",
        first_bytes=b"\x00\xff!",
        size_bytes=3,
        rejected_at=AT,
        batch_id=BATCH,
        job_id=JOB,
        source="shop",
        images=NAMES,
    ),
    "job_progress.json": JobProgress(
        batch_id=f"{BATCH}-closed",
        job_id=JOB,
        source="shop",
        state="closed",
        folder="spring",
        opened_at=AT,
        seen=2,
        sent=1,
        stored=1,
        failed=1,
        process_s=1.5,
        closed_at=AT,
        timings={"read": 0.5},
    ),
    "job_summary.json": JobSummary(
        job_id=JOB,
        source="shop",
        folder="spring",
        opened_at=AT,
        closed_at=AT,
        images=2,
        stored=1,
        failed=1,
        process_s=1.5,
        predict_s=0.25,
        time_per_prediction_s=0.25,
        mean_confidence=0.75,
        classes={"Shirt": ClassSummary(images=1, mean_confidence=0.75)},
        flags=("one-class: Shirt 100 %",),
    ),
    "event.json": Event(
        service="store",
        instance="main",
        at=AT,
        level="warning",
        event="disk-full",
        detail="no room left",
        job_id=JOB,
        batch_id=BATCH,
    ),
    "status.json": Status(
        service="predictor_service",
        instance="1",
        state="online",
        pid=42,
        host="till",
        version="0.1.0",
        since=AT,
        detail={"model": "2026-03-01-1"},
    ),
    "model_announcement.json": ModelAnnouncement(
        version="2026-03-01-1",
        classes=("Shirt", "Coat"),
        input={"height": 28, "width": 28},
        engine="openvino",
        announced_at=AT,
    ),
}
