"""A model card: what a bundle is and how good, in Markdown with three pictures drawn by OpenCV."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from model.bundle import CARD
from model.evaluation import ECE_BINS, Evaluation, Reliability

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from model.manifest import Manifest

INK, PALE, BLUE, ORANGE = (40, 40, 40), (225, 225, 225), (180, 110, 30), (40, 120, 230)


def write_card(
    bundle: Path,
    manifest: Manifest,
    figures: Evaluation,
    bins: Reliability,
    history: list[Mapping[str, Any]],
) -> None:
    """Write the card and its pictures into a bundle's directory.

    `figures` and `bins` are the validation's; `history` has validation_accuracy (0..1) after each part of a
    network's training, and which `network` that was.
    """
    pictures = {"confusion.png": draw_confusion(figures), "reliability.png": draw_reliability(bins)}
    if history:
        pictures["training.png"] = draw_training(history)
    for name, picture in pictures.items():
        _save(bundle / name, picture)
    (bundle / CARD).write_text(_text(manifest, figures, list(pictures)), encoding="utf-8")


def _save(file: Path, picture: NDArray[np.uint8]) -> None:
    file.write_bytes(cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes())


def _text(manifest: Manifest, figures: Evaluation, pictures: list[str]) -> str:
    rows = "\n".join(
        f"| {name} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} | {row['support']} |"
        for name, row in figures.per_class.items()
    )
    shown = "\n\n".join(f"![{name.removesuffix('.png')}]({name})" for name in pictures)
    return f"""# Model {manifest.version}

What it is for: photos of single garments, best on an even ground, or 28x28 pixels as in Fashion-MNIST, into
ten classes. What it is not for: people, several garments in one picture, anything else; the guard marks most
of that `suspect`.

{manifest.weights:,} weights, made {manifest.created_at}, temperature {manifest.temperature:.3f},
spread {manifest.spread:.2f}, input {manifest.input.version}. All figures are for {figures.images:,}
validation images that were not trained on: accuracy {figures.accuracy:.2%}, balanced accuracy
{figures.balanced_accuracy:.2%}, expected calibration error {figures.ece:.2%}.

| class | precision | recall | F1 | images |
|---|---|---|---|---|
{rows}

{shown}
"""


def draw_confusion(figures: Evaluation) -> NDArray[np.uint8]:
    """Draw the confusion matrix: rows the truth, columns the answer, darker where there are more."""
    names, cell, margin = list(figures.per_class), 44, 110
    picture = _canvas(margin + cell * len(names) + 10, margin + cell * len(names) + 10)
    counts = np.array(figures.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, column in np.ndindex(counts.shape):
        corner = (margin + column * cell, margin + row * cell)
        depth = float(np.sqrt(shares[row, column]))
        shade: Any = tuple(round(255 - depth * (255 - part)) for part in (BLUE if row == column else ORANGE))
        cv2.rectangle(picture, corner, (corner[0] + cell - 2, corner[1] + cell - 2), shade, cv2.FILLED)
        if counts[row, column]:
            _write(picture, str(counts[row, column]), (corner[0] + 4, corner[1] + 27))
    for index, name in enumerate(names):
        _write(picture, name, (6, margin + index * cell + 27))
        _write(picture, name[:6], (margin + index * cell, margin - 8))
    _write(picture, "truth below, answer to the right", (margin, 30))
    return picture


def draw_reliability(bins: Reliability) -> NDArray[np.uint8]:
    """Draw accuracy over confidence: on the diagonal a confidence means what it says."""
    picture, place = _axes("confidence", "accuracy", 0.0, 1.0, 0.0, 1.0)
    for index in np.flatnonzero(bins.counts):
        left, right = index / ECE_BINS, (index + 1) / ECE_BINS
        cv2.rectangle(
            picture, place(left + 0.004, 0), place(right - 0.004, bins.accuracy[index]), BLUE, cv2.FILLED
        )
        cv2.circle(
            picture, place(bins.confidence[index], bins.accuracy[index]), 3, ORANGE, cv2.FILLED, cv2.LINE_AA
        )
    cv2.line(picture, place(0, 0), place(1, 1), INK, 1, cv2.LINE_AA)
    return picture


def draw_training(history: list[Mapping[str, Any]]) -> NDArray[np.uint8]:
    """Draw each network's validation accuracy over its training."""
    networks: dict[str, list[float]] = {}
    for point in history:
        networks.setdefault(str(point.get("network", "")), []).append(float(point["validation_accuracy"]))
    lowest = min(min(values) for values in networks.values())
    low = max(0.0, min(0.95, float(np.floor(lowest * 20) / 20)))
    picture, place = _axes("share of its training", "validation accuracy", 0.0, 1.0, low, 1.0)
    for (name, values), colour in zip(networks.items(), cycle((BLUE, ORANGE)), strict=False):
        points = [place(number / len(values), value) for number, value in enumerate(values, start=1)]
        cv2.polylines(picture, [np.array(points, np.int32)], False, colour, 2, cv2.LINE_AA)  # noqa: FBT003
        _write(picture, name, (points[-1][0] - 50, points[-1][1] - 8))
    return picture


def _axes(
    across: str, up: str, left: float, right: float, low: float, high: float
) -> tuple[NDArray[np.uint8], Callable[[float, float], tuple[int, int]]]:
    """Draw a frame with four steps each way; return it and the function from values to its pixels."""
    width, height, edge = 460, 340, 55
    picture = _canvas(width, height)

    def place(x: float, y: float) -> tuple[int, int]:
        along = edge + (x - left) / (right - left) * (width - edge - 20)
        down = height - 45 - (y - low) / (high - low) * (height - 45 - 30)
        return round(along), round(down)

    for step in range(5):
        x, y = left + (right - left) * step / 4, low + (high - low) * step / 4
        cv2.line(picture, place(left, y), place(right, y), PALE, 1)
        _write(picture, f"{y:.4g}", (12, place(left, y)[1] + 4))
        _write(picture, f"{x:.4g}", (place(x, low)[0] - 8, height - 26))
    _write(picture, across, (width // 2 - 20, height - 8))
    _write(picture, up, (12, 18))
    return picture, place


def _canvas(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 255, np.uint8)


def _write(picture: NDArray[np.uint8], text: str, at: tuple[int, int]) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.38, INK, 1, cv2.LINE_AA)
