"""What becomes of a wish for another model: the gate's verdict, and `current` where it lets it pass."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from broker.messages import UNMEASURED, ModelAnswer, ModelDifference, ModelRequest, now
from broker.settings import Model
from model import registry
from model.manifest import (
    BundleError,
    Manifest,
    bundles_folder,
    current_version,
    history,
    load_manifest,
    named_bundle,
)
from model.measuring import recorded
from model.registry import Difference, objections

Measure = Callable[[Path, Path, Path], list[Difference]]
"""Measures two bundles on labelled images; raises BundleError."""

KNOWN_S = 600.0
"""How long a measurement stands: who promotes after a try is judged by the figures that were shown."""
GATE_SAYS_MORE = "the gate says more by now than was shown: look again"
OTHER_IMAGES = "the bundles recorded nothing on the same validation images"


@dataclass(frozen=True)
class Verdict:
    """What the gate found: the figures, whether they were measured here, and what speaks against."""

    differences: Sequence[Difference] = ()
    measured: bool = False
    objections: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Known:
    bundles: tuple[Manifest, Manifest]
    verdict: Verdict
    at: float


class Verdicts:
    """The bundles that a predictor's configuration names, for one thread. `settings` say where they lie."""

    def __init__(
        self, settings: Model, measure: Measure, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bundles = bundles_folder(settings.bundle)
        self._for_good = settings.bundle != self._bundles
        self._images = settings.gate_images
        self._measure = measure
        self._clock = clock
        self._known: _Known | None = None

    def on(self, request: ModelRequest) -> ModelAnswer:
        """Do what is asked, if it may be done; what the file system refuses is refused in its words."""
        try:
            return self._decided(request)
        except (BundleError, OSError) as error:
            return self._answer(request, "refused", detail=str(error))

    def _decided(self, request: ModelRequest) -> ModelAnswer:
        if wrong := self._wrong(request):
            return self._answer(request, "refused", detail=wrong)
        if request.action == "rollback":
            registry.rollback(self._bundles, replaces=request.current, to=request.version)
            return self._answer(request, "done")
        verdict = self._verdict(request.current, request.version)
        if request.action == "try":
            return self._answer(request, "done", verdict)
        if not set(verdict.objections) <= set(request.overrides):
            detail = GATE_SAYS_MORE if request.overrides else "the gate does not let it pass"
            return self._answer(request, "refused", verdict, detail=detail)
        force = bool(verdict.objections)  # each of them was seen
        figures = list(verdict.differences)
        try:  # measuring takes its time, and somebody else may have been faster
            registry.promote(self._bundles, request.version, figures, force=force, replaces=request.current)
        except (BundleError, OSError) as error:
            return self._answer(request, "refused", verdict, detail=str(error))
        return self._answer(request, "done", verdict)

    def _wrong(self, request: ModelRequest) -> str:
        """Say why nothing can be done as it is asked, "" if it can. Raises BundleError if another serves."""
        if self._for_good:
            return f"[model] bundle names one bundle for good; to choose, let it name {self._bundles}"
        serves = registry.serving(self._bundles, request.current)
        if request.action == "rollback":
            past = history(self._bundles)
            if past[-1:] != [request.version]:
                return f"a rollback leads to {past[-1] if past else 'nothing'}, not to {request.version}"
        elif request.version == serves:
            return f"{serves} serves already"
        return ""

    def _verdict(self, before: str, after: str) -> Verdict:
        folders = [named_bundle(self._bundles, version) for version in (before, after)]
        both = load_manifest(folders[0]), load_manifest(folders[1])
        known = self._known
        if known is not None and known.bundles == both and self._clock() - known.at < KNOWN_S:
            return known.verdict
        verdict = self._measured(*folders) if self._images else _as_recorded(*both)
        self._known = _Known(both, verdict, self._clock())
        return verdict

    def _measured(self, before: Path, after: Path) -> Verdict:
        found = self._measure(before, after, Path(self._images))
        return Verdict(found, measured=True, objections=tuple(objections(found)))

    def _answer(
        self,
        request: ModelRequest,
        state: Literal["done", "refused"],
        verdict: Verdict | None = None,
        detail: str = "",
    ) -> ModelAnswer:
        found = verdict or Verdict()
        past = history(self._bundles)
        return ModelAnswer(
            request_id=request.request_id,
            action=request.action,
            version=request.version,
            state=state,
            answered_at=now(),
            current=current_version(self._bundles) or "",
            previous=past[-1] if past else "",
            measured=found.measured,
            differences=tuple(
                ModelDifference(figure=one.figure, before=one.before, after=one.after)
                for one in found.differences
            ),
            objections=found.objections,
            detail=detail,
        )


def _as_recorded(before: Manifest, after: Manifest) -> Verdict:
    """Judge by what both recorded. That nothing was measured is an objection of its own."""
    found = recorded(before, after)
    less = () if found else (OTHER_IMAGES,)
    return Verdict(found, objections=(UNMEASURED, *less, *objections(found)))
