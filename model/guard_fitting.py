"""Fit the guard's score to garments and drawn outliers, and its threshold to validation images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from model.guard import THRESHOLDS, Guard, measure, score_columns
from model.outliers import KINDS, outliers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from model.data import Dataset
    from model.engines import Answer

# Of the validation images, this share may be suspect by the score, and this by roughness alone.
SHARE = 0.009
ROUGH_SHARE = 0.001
GARMENTS = 12_000
OUTLIERS_PER_KIND = 1_500


def fit_guard(
    answers: Callable[[NDArray[np.uint8]], Answer], training: Dataset, validation: Dataset, seed: int = 0
) -> Guard:
    """Fit a guard; `answers` runs the network on images (n, 28, 28) uint8.

    Half of the garments are dimmed, blurred or grained first, so that photos are no outliers for that alone.
    """
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(training))[:GARMENTS]
    images, labels = training.images[chosen], training.labels[chosen]
    plain = answers(images)
    means, whitening = _whitened(plain.features, labels, len(training.classes))
    garments = np.concatenate([images, np.stack([_photo_like(random, image) for image in images[::2]])])
    drawn = min(OUTLIERS_PER_KIND, len(training) // 4)
    strange = np.concatenate([outliers(kind, drawn, seed, training.images) for kind in KINDS])
    columns = [score_columns(measure(part), answers(part), means, whitening) for part in (garments, strange)]
    weights = _logistic(np.concatenate(columns), np.repeat([0.0, 1.0], [len(garments), len(strange)]))
    roughness = float(np.quantile(measure(validation.images).roughness, 1 - ROUGH_SHARE))
    guard = Guard(means, whitening, weights, {**THRESHOLDS, "roughness": roughness})
    return with_score(guard, [answers(validation.images)], validation.images)


def with_score(guard: Guard, answers: list[Answer], images: NDArray[np.uint8]) -> Guard:
    """Set the score's threshold so that no precision doubts more than its share of garments.

    `answers` are those of each precision for the validation `images`: rounding moves features.
    """
    seen = measure(images)
    scores = [score_columns(seen, answer, guard.means, guard.whitening) @ guard.weights for answer in answers]
    limit = max(float(np.quantile(score, 1 - SHARE)) for score in scores)
    return replace(guard, thresholds={**guard.thresholds, "score": limit})


def _whitened(
    features: NDArray[np.float32], labels: NDArray[np.intp], classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Class means in features whitened by the covariance within classes, and that whitening."""
    values = features.astype(np.float64)
    means = np.stack([values[labels == label].mean(axis=0) for label in range(classes)])
    covariance = np.cov((values - means[labels]).T)
    width = len(covariance)
    covariance += np.eye(width) * max(1e-3 * np.trace(covariance) / width, 1e-12)
    whitening = np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float16).astype(np.float32)
    return (means @ whitening).astype(np.float32), whitening


def _photo_like(random: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Dim, blur or grain a garment as photos do."""
    flow: NDArray[Any] = image.astype(np.float32)
    if random.random() < 0.3:
        flow = np.asarray(cv2.GaussianBlur(flow, (3, 3), random.uniform(0.3, 0.8)))
    flow = 255 * (flow / 255) ** random.uniform(0.6, 1.6) * random.uniform(0.4, 1.0)
    if random.random() < 0.3:
        flow = flow + np.where(flow > 8, random.normal(0, random.uniform(1, 12), flow.shape), 0)
    return np.clip(np.rint(flow), 0, 255).astype(np.uint8)


def _logistic(columns: NDArray[np.float32], outlier: NDArray[np.float64]) -> NDArray[np.float32]:
    """Weights of a logistic regression with a small ridge, by Newton's method."""
    values = columns.astype(np.float64)
    weights = np.zeros(values.shape[1])
    ridge = np.eye(len(weights))
    for _ in range(15):
        odds = np.clip(values @ weights, -15, 15)
        likelihood = 1 / (1 + np.exp(-odds))
        slope = values.T @ (likelihood - outlier) + weights
        curve = (values * (likelihood * (1 - likelihood) + 1e-6)[:, None]).T @ values + ridge
        weights -= np.linalg.solve(curve, slope)
    return weights.astype(np.float32)
