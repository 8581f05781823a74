"""A model bundle ready to answer: pixels in, calibrated probabilities and verdicts out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from model.calibration import softmax
from model.engines import open_engines
from model.guard import measure, read_guard
from model.manifest import SECOND, Manifest, load_manifest, resolve_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model.engines import Engine
    from model.guard import Guard
    from model.preprocessing import InputSpec


@dataclass(frozen=True)
class Classified:
    """The answer for n images.

    `probabilities` is (n, classes) float32, calibrated, rows sum to 1; `labels` (n,) are indices of
    classes; `verdicts` are `ok` or `suspect`, with the `reasons` of each image; `bins` (n,) tell for each
    statistic of the pixels in which bin of the bundle's reference an image lies.
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.intp]
    verdicts: list[str]
    reasons: list[tuple[str, ...]]
    bins: Mapping[str, NDArray[np.intp]] = field(default_factory=dict)


class Network:
    """One network in an engine, with its calibration."""

    def __init__(self, manifest: Manifest, engine: Engine) -> None:
        self.engine = engine
        self._calibration = (manifest.temperature_of(engine.precision), manifest.spread)

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn logits (n, classes) into calibrated probabilities."""
        return softmax(logits, *self._calibration)


class Classifier:
    """One bundle in one engine. Build it with `Classifier.open`.

    In a bundle with two networks the first, a small one, answers every image, and the second those for
    which the first is not confident enough (a cascade: Viola and Jones 2001). The guard looks at the first.
    """

    def __init__(self, manifest: Manifest, networks: Sequence[Network], guard: Guard | None) -> None:
        self._first, *self._others = networks
        self._below = float(manifest.second.get("below", 0.0))
        self._guard = guard
        engine = self._first.engine
        self.version: str = manifest.version
        self.expectations: dict[str, Any] = dict(manifest.expectations)
        self._edges = {
            name: np.asarray(found.get("edges", ()))
            for name, found in self.expectations.get("statistics", {}).items()
        }
        self.classes: tuple[str, ...] = manifest.classes
        self.input: InputSpec = manifest.input
        self.engine: str = f"{engine.name}/{engine.precision}"

    @classmethod
    def open(cls, bundle_path: Path, engine: str = "auto", threads: int = 0) -> Classifier:
        """Load a bundle, or the current one of a directory of bundles, into an engine.

        `threads` 0 leaves their number to the engine. Raises `BundleError` or `EngineError`.
        """
        bundle = resolve_bundle(bundle_path)
        manifest = load_manifest(bundle)
        parts = [bundle, bundle / SECOND] if manifest.second else [bundle]
        engines = open_engines(parts, engine, threads)
        networks = [Network(load_manifest(part), one) for part, one in zip(parts, engines, strict=True)]
        return cls(manifest, networks, read_guard(bundle, manifest.thresholds))

    def classify(self, pixels: NDArray[np.uint8]) -> Classified:
        """Answer for pixels of shape (n, 28, 28), uint8, garment bright on black; n may be 0.

        Raises `ValueError` for another shape or type.
        """
        wanted = (self.input.height, self.input.width)
        if pixels.ndim != 3 or pixels.shape[1:] != wanted or pixels.dtype != np.uint8:
            found = f"{pixels.dtype} {pixels.shape}"
            raise ValueError(f"expected uint8 pixels of shape (n, {wanted[0]}, {wanted[1]}), got {found}")
        answer = self._first.engine.answer(pixels)
        probabilities = self._first.probabilities(answer.logits)
        for second in self._others:
            unclear = np.flatnonzero(probabilities.max(axis=1) < self._below)
            probabilities[unclear] = second.probabilities(second.engine.logits(pixels[unclear]))
        seen = measure(pixels)
        reasons: list[tuple[str, ...]] = [()] * len(pixels)
        if self._guard is not None:
            reasons = self._guard.reasons(seen, answer)
        verdicts = ["suspect" if reason else "ok" for reason in reasons]
        bins = {name: np.searchsorted(edges, getattr(seen, name)) for name, edges in self._edges.items()}
        return Classified(probabilities, probabilities.argmax(axis=1), verdicts, reasons, bins)
