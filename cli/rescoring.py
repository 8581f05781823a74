"""What another bundle would change: the answers that stand against new ones for the same pixels."""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """What a model says of an image; `confidence` is 0..1."""

    label: str
    confidence: float
    suspect: bool = False


@dataclass(frozen=True)
class Rescored:
    """An image's answer before and after, and the label that people gave it, None where nobody has looked."""

    job_id: str
    image: str
    before: Answer
    after: Answer
    right: str | None = None

    @property
    def changed(self) -> bool:
        """Whether the label is another one."""
        return self.before.label != self.after.label

    @property
    def sureness(self) -> float:
        """Return how sure both models are together, 0..2."""
        return self.before.confidence + self.after.confidence


@dataclass
class Side:
    """One model's figures over the rescored images."""

    confidence_sum: float = 0.0
    suspect: int = 0
    right: int = 0

    def add(self, answer: Answer, right: str | None) -> None:
        """Count an answer."""
        self.confidence_sum += answer.confidence
        self.suspect += answer.suspect
        self.right += answer.label == right


@dataclass
class Comparison:
    """The figures of all rescored images, and those that change: the `limit` surest, surest first."""

    images: int = 0
    reviewed: int = 0
    before: Side = field(default_factory=Side)
    after: Side = field(default_factory=Side)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    changes: list[Rescored] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """How many images change their label."""
        return self.pairs.total()

    def mean(self, side: Side) -> float | None:
        """Return a side's mean confidence, None of no images."""
        return side.confidence_sum / self.images if self.images else None

    def pairs_by_count(self) -> list[tuple[str, str, int]]:
        """Return label before, label after and number of images, the most frequent first."""
        return [(*pair, n) for pair, n in sorted(self.pairs.items(), key=lambda item: (-item[1], item[0]))]

    def _count(self, one: Rescored) -> None:
        self.images += 1
        self.reviewed += one.right is not None
        self.before.add(one.before, one.right)
        self.after.add(one.after, one.right)
        if one.changed:
            self.pairs[one.before.label, one.after.label] += 1


def compare(rescored: Iterable[Rescored], *, limit: int) -> Comparison:
    """Compare; of the images that change no more than `limit` are held at any time."""
    found = Comparison()

    def changes() -> Iterable[Rescored]:
        for one in rescored:
            found._count(one)  # noqa: SLF001 - its own module
            if one.changed:
                yield one

    # nsmallest(0) would take nothing from the iterator, and every image must be counted.
    surest = heapq.nsmallest(max(1, limit), changes(), key=lambda one: (-one.sureness, one.job_id, one.image))
    found.changes = surest[:limit]
    return found
