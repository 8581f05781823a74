"""From the model's arrays to messages."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from broker.messages import PixelBatch, Prediction, PredictionBatch, now
from model.classifier import Classified
from model.expectations import BINS
from model.preprocessing import InputSpec


class Model(Protocol):
    """What the service asks of a classifier."""

    version: str
    classes: tuple[str, ...]
    input: InputSpec

    def classify(self, pixels: NDArray[np.uint8]) -> Classified:
        """Answer for pixels (n, 28, 28) uint8."""
        ...


def pixels_of(batch: PixelBatch) -> NDArray[np.uint8]:
    """Return the batch's pixels as (n, height, width) uint8, without a copy."""
    return np.frombuffer(batch.pixels, dtype=np.uint8).reshape(batch.shape)


def answer(
    batch: PixelBatch, part: Classified, model: Model, predictor: str, predict_s: float
) -> PredictionBatch:
    """Return the predictions for a batch; `part` holds its images in its order.

    `predict_s`, the batch's share of the time that the model took, joins the agent's timings as `predict`.
    """
    # A millionth is finer than any engine's own error, and keeps the JSON short.
    rows = np.round(part.probabilities.astype(np.float64), 6).tolist()
    predictions = tuple(
        Prediction(
            image=image,
            label=model.classes[label],
            confidence=row[label],
            probabilities=dict(zip(model.classes, row, strict=True)),
            verdict="ok" if verdict == "ok" else "suspect",
            reasons=reasons,
        )
        for image, label, row, verdict, reasons in zip(
            batch.images, part.labels.tolist(), rows, part.verdicts, part.reasons, strict=True
        )
    )
    return PredictionBatch(
        batch_id=batch.batch_id,
        job_id=batch.job_id,
        source=batch.source,
        model_version=model.version,
        predictor=predictor,
        predicted_at=now(),
        predictions=predictions,
        timings={**batch.timings, "predict": round(predict_s, 6)},
        statistics={
            name: tuple(np.bincount(bins, minlength=BINS).tolist()) for name, bins in part.bins.items()
        },
    )


def part_of(whole: Classified, first: int, count: int) -> Classified:
    """Return the answers for `count` images from `first` on."""
    cut = slice(first, first + count)
    bins = {name: found[cut] for name, found in whole.bins.items()}
    return Classified(
        whole.probabilities[cut], whole.labels[cut], whole.verdicts[cut], whole.reasons[cut], bins
    )
