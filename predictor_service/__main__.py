"""`python -m predictor_service [--config FILE] [--instance N] [--shadow VERSION]`.

With `--shadow` it answers every batch beside the line, under `shadows/<source>` (`predictor_service.shadow`).
"""

import argparse
import functools
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from broker.clients import guarded, predictors_group
from broker.errors import MessageError
from broker.line import Line
from broker.live_settings import Live
from broker.messages import ModelAnnouncement, expectations_of, now
from broker.process import service_main
from broker.settings import Settings
from broker.topics import Topics
from model.classifier import Classifier
from model.engines import EngineError
from model.manifest import BundleError, named_bundle
from predictor_service.poison import PoisonNotes
from predictor_service.promotions import Promotions, place_of
from predictor_service.service import Predictor
from predictor_service.serving import Failed, Serving
from predictor_service.shadow import Shadow

LIVE = frozenset({"store.keep_pixels_days"})
"""The settings that are taken over while it runs; the model's promotion needs none."""

LOOK_S = 1.0
"""How often the configured bundle's name is looked at: one small file."""


def subscriptions(settings: Settings, topics: Topics) -> Sequence[str]:
    """Every source's pixels, and wishes for another model; both shared with the other predictors."""
    wishes = guarded(settings, "predictor_service", f"models-{place_of(settings.model).mark}")
    return [
        topics.shared(topics.pixels(), predictors_group(settings)),
        topics.shared(topics.model_requests(), wishes),
    ]


def load(settings: Settings) -> Serving:
    """Open the bundle that the configuration names."""
    chosen = settings.model

    def open_bundle(folder: Path) -> Classifier:
        classifier = Classifier.open(folder, chosen.engine, chosen.threads)
        try:
            expectations_of(classifier.expectations)  # what cannot be announced must not take over
        except MessageError as error:
            raise BundleError(f"{folder}: {error}") from error
        return classifier

    return Serving(chosen.bundle, open_bundle)


def run(settings: Settings, line: Line, serving: Serving) -> None:
    """Announce the model and predict until asked to stop; change over when another bundle is promoted."""
    announce(line, serving.model)
    with (
        PoisonNotes(settings.paths.state / "predictor_service", line.instance) as notes,
        Promotions(line, settings.model) as promotions,
    ):
        keep = settings.store.keep_pixels_days > 0
        predictor = Predictor(line, serving.model, notes, keep_pixels=keep)
        predictor.on_request = promotions.take
        line.live = Live(LIVE, functools.partial(take_over, predictor))
        tell_model(line, predictor, serving.model)
        looked = time.monotonic()
        while not line.stopping:
            predictor.step()
            promotions.step()
            if time.monotonic() - looked > LOOK_S:
                looked = time.monotonic()
                serving.look()
            change(line, predictor, serving)


def take_over(predictor: Predictor, settings: Settings) -> None:
    """Go on with changed settings."""
    predictor.keep_pixels = settings.store.keep_pixels_days > 0


def tell_model(line: Line, predictor: Predictor, model: Classifier) -> None:
    """Tell the service's health and its figures which model serves."""
    predictor.figures.serves(model, model.engine)
    line.serves(f"serving {model.version} in {model.engine}")


def change(line: Line, predictor: Predictor, serving: Serving) -> None:
    """Change over to the next model when it is ready."""
    match serving.change():
        case Classifier() as model:
            predictor.model = model
            announce(line, model)
            tell_model(line, predictor, model)
            line.event("info", "model-changed", f"{model.version} in {model.engine} serves from now on")
        case Failed(bundle, reason):
            serves = predictor.model.version
            line.event("error", "model-refused", f"{bundle.name}: {reason}; {serves} goes on serving")


def announce(line: Line, classifier: Classifier) -> None:
    """Tell agents and whoever asks which model serves."""
    line.announce(model=classifier.version, engine=classifier.engine)
    line.keep(
        line.topics.model(),
        ModelAnnouncement(
            version=classifier.version,
            classes=classifier.classes,
            input=classifier.input.to_dict(),
            engine=classifier.engine,
            announced_at=now(),
            expectations=expectations_of(classifier.expectations),
        ),
    )


def unshared(_settings: Settings, topics: Topics) -> Sequence[str]:
    """Every source's pixels, whoever else gets them."""
    return [topics.pixels()]


def load_shadow(version: str, settings: Settings) -> Classifier:
    """Open the bundle of a version, which stands beside the configured one."""
    chosen = settings.model
    return Classifier.open(named_bundle(chosen.bundle, version), chosen.engine, chosen.threads)


def run_shadow(_settings: Settings, line: Line, classifier: Classifier) -> None:
    """Answer beside the line until asked to stop; agents never hear of this model."""
    line.announce(model=classifier.version, engine=classifier.engine, shadow=True)
    shadow = Shadow(line, classifier)
    line.serves(f"answering beside the line with {classifier.version} in {classifier.engine}")
    while not line.stopping:
        shadow.step()


def main(argv: Sequence[str]) -> int:
    """Serve, or answer in the shadow."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--shadow", metavar="VERSION", default="")
    own, rest = parser.parse_known_args(argv)
    start = functools.partial(
        service_main, "predictor_service", cannot_run=(BundleError, EngineError), argv=rest
    )
    if own.shadow:
        prepare = functools.partial(load_shadow, own.shadow)
        return start(unshared, run_shadow, instance="shadow", prepare=prepare)
    return start(subscriptions, run, instance="1", prepare=load)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
