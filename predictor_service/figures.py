"""A predictor's figures for Prometheus, and the one line in the log for each batch."""

from broker.line import Line
from broker.messages import PredictionBatch
from broker.topics import is_canary
from predictor_service.answers import Model


class PredictorFigures:
    """What one predictor counts and measures."""

    def __init__(self, line: Line) -> None:
        metrics = line.metrics
        self._line = line
        self._batches = metrics.counter("predictor_batches", "Batches answered.")
        self._images = metrics.counter("predictor_images", "Images answered.")
        self._suspects = metrics.counter("predictor_images_suspect", "Answers whose verdict is suspect.")
        self._queue = metrics.seconds("predictor_queue", "From a batch's arrival to the model's call.")
        self.infer = metrics.seconds("predictor_infer", "One call of the model, for one group of batches.")
        self.failures = metrics.counter("predictor_failures", "Calls of the model that failed.")
        self._model = metrics.info("predictor_model", "The model that serves.")

    def serves(self, model: Model, engine: str) -> None:
        """Take in which model serves from now on."""
        self._model.info({"version": model.version, "engine": engine})

    def answered(self, batch: PredictionBatch, queue_s: float) -> None:
        """Count a batch that is published and acknowledged, and write its line."""
        images = len(batch.predictions)
        suspects = sum(one.verdict == "suspect" for one in batch.predictions)
        self._batches.inc()
        self._images.inc(images)
        self._suspects.inc(suspects)
        self._queue.observe(queue_s)
        self._line.log(
            "debug" if is_canary(batch.source) else "info",
            "batch-predicted",
            batch_id=batch.batch_id,
            job_id=batch.job_id,
            source=batch.source,
            images=images,
            suspect=suspects,
            queue_s=queue_s,
            predict_s=batch.timings.get("predict"),
            model=batch.model_version,
        )
