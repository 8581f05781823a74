"""Questions for one person at the page: drawn by chance, and no two people have the same at once."""

import threading
from dataclasses import dataclass
from random import Random

from broker.settings import Store
from dashboard.reservations import Reservations
from store import answers, queries
from store.answers import Key, Said
from store.kept import kept_image
from store.png import png
from store.questions import Question, Questions, question
from store.review_queue import Standing, is_empty
from store.review_scope import Scope
from store.sampling import Stratum


@dataclass(frozen=True)
class Asked:
    """A question with the picture to it, and what a person said of it already, if anybody has."""

    question: Question
    picture: bytes | None
    said: Said | None

    @property
    def key(self) -> Key:
        """Its job and image."""
        return self.question.job_id, self.question.image


@dataclass(frozen=True)
class Progress:
    """Where the accuracy stands, and what the confidence promises."""

    standing: Standing
    expected: float | None


class Asking:
    """One person's questions. Each method asks the database, in the thread that calls it."""

    def __init__(self, store: Store, scope: Scope, reservations: Reservations, chance: Random) -> None:
        self._store = store
        self.scope = scope
        self._reservations = reservations
        self._questions = Questions(scope, chance)
        self._postponed: list[Question] = []
        self._lock = threading.Lock()

    def take(self, images: tuple[Stratum, ...]) -> None:
        """Take over how many images there are, as it is counted for all pages."""
        self._questions.take(images)

    def is_empty(self) -> bool:
        """Tell whether there is no image at all."""
        with queries.reading(self._store) as connection:
            return is_empty(connection, self.scope)

    def next(self) -> Asked | None:
        """Return the next question, which is held for this person; None where nothing is left to ask.

        What somebody else is looking at comes last, and only if nobody has answered it by then.
        """
        with self._lock, queries.reading(self._store) as connection:
            while (found := self._questions.next(connection)) is not None:
                if self._reservations.take((found.job_id, found.image), self):
                    return self._asked(connection, found)
                self._postponed.append(found)
            while self._postponed:
                asked = self._asked(connection, self._postponed.pop(0))
                if asked.said is None:
                    return asked
        return None

    def again(self, asked: Asked) -> Asked:
        """Return a question as it stands now; held again for this person, if nobody else has it."""
        self._reservations.take(asked.key, self)
        with queries.reading(self._store) as connection:
            found = question(connection, *asked.key, stratum=asked.question.stratum)
            return self._asked(connection, found or asked.question)

    def progress(self) -> Progress:
        """Return where the accuracy stands."""
        with self._lock, queries.reading(self._store) as connection:
            return Progress(self._questions.standing(connection), self._questions.expected)

    def let_go(self, key: Key | None = None) -> None:
        """Leave an image, or all of them, to others."""
        self._reservations.free(self, key)

    def _asked(self, connection: queries.Connection, found: Question) -> Asked:
        key = (found.job_id, found.image)
        kept = kept_image(connection, *key)
        return Asked(found, png(*kept) if kept else None, answers.said(connection, [key]).get(key))
