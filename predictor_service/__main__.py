"""`python -m predictor_service [--config FILE] [--instance N]`."""

import sys
from collections.abc import Sequence

from broker.line import Line
from broker.messages import ModelAnnouncement, now
from broker.process import service_main
from broker.settings import Settings
from broker.topics import Topics
from model.classifier import Classifier
from predictor_service.poison import PoisonNotes
from predictor_service.service import Predictor


def subscriptions(_settings: Settings, topics: Topics) -> Sequence[str]:
    """Every source's pixels, shared with the other predictors."""
    return [topics.shared(topics.pixels())]


def run(settings: Settings, line: Line) -> None:
    """Load the bundle once, announce it, and predict until asked to stop."""
    classifier = Classifier.open(settings.model.bundle, settings.model.engine, settings.model.threads)
    announce(line, classifier)
    shape = (classifier.input.height, classifier.input.width)
    with PoisonNotes(settings.paths.state / "predictor_service", line.instance) as notes:
        predictor = Predictor(line, classifier, shape, notes)
        while not line.stopping:
            predictor.step()


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
        ),
    )


if __name__ == "__main__":
    sys.exit(service_main("predictor_service", subscriptions, run, instance="1"))
