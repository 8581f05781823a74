"""One person at the keyboard: a question, a key, an answer that stands, and the next question."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from broker.messages import Review
from broker.reviewer import Reviewer
from cli.keys import ReadKey
from cli.pictures import Way
from cli.review_screen import QUIT, SKIP, UNDO, accuracy_line, choices, legend, shown
from store.kept import kept_image
from store.queries import Connection
from store.questions import Question, Questions, question

NOT_STORED = "the store does not answer: {} was not stored; press the key again, or q"


@dataclass
class Sitting:
    """The questions of one person, and the answers so far; `run` goes on until there is nothing more."""

    questions: Questions
    reviewer: Reviewer
    reading: Callable[[], AbstractContextManager[Connection]]
    read_key: ReadKey
    say: Callable[[str], None]
    original: Callable[[Question], Path | None]
    way: Way = Way.NONE
    limit: int | None = None
    check: Callable[[], None] = lambda: None
    given: list[tuple[Question, Review]] = field(default_factory=list)
    """The answers of this sitting that stand, the latest last."""

    def run(self) -> None:
        """Ask until the end of the keys, of the images, or of the limit."""
        asked = self._next()
        while asked is not None:
            self._show(asked)
            asked = self._answered(asked)

    def _next(self) -> Question | None:
        """Draw the next image; None once there are enough answers, or no images."""
        if self.limit is not None and len(self.given) >= self.limit:
            return None
        with self.reading() as connection:
            found = self.questions.next(connection)
        if found is None:
            self.say("nothing is left to ask")
        return found

    def _show(self, asked: Question) -> None:
        with self.reading() as connection:
            picture = kept_image(connection, asked.job_id, asked.image)
        self.say("\n" + shown(asked, picture, self.original(asked), self.way))

    def _answered(self, asked: Question) -> Question | None:
        """Take keys until one of them leads to another question; return that, None at the end."""
        known = choices(asked)
        while (key := self.read_key()) is not None and key != QUIT:
            if key == SKIP:
                return self._next()
            if key == UNDO:
                again = self._undone()
                if again is not None:
                    return again
            elif key not in known:
                self.say(legend(known))
            elif self._stands(asked, known[key]):
                return self._next()
        return None

    def _stands(self, asked: Question, label: str) -> bool:
        """Give an answer; tell whether it stands in the database."""
        review = self.reviewer.answer(asked.job_id, asked.image, label, how="asked", stratum=asked.stratum)
        if not self._submitted(review, label):
            return False
        self.given.append((asked, review))
        self.say(f"{label}{'' if label == asked.label else f', not {asked.label}'}: stored")
        self.tell()
        return True

    def _undone(self) -> Question | None:
        """Take the latest answer back; return its question, None where there is none to take back."""
        if not self.given:
            self.say("there is no answer to take back")
            return None
        asked, review = self.given[-1]
        back = self.reviewer.answer(asked.job_id, asked.image, "", how="asked", stratum=asked.stratum)
        if not self._submitted(back, "taking it back"):
            return None
        self.given.pop()
        self.say(f"{review.label} was taken back")
        self.tell()
        with self.reading() as connection:
            return question(connection, asked.job_id, asked.image, asked.stratum)

    def _submitted(self, review: Review, what: str) -> bool:
        if self.reviewer.submit([review], lambda _: self.check()):
            self.say(NOT_STORED.format(what))
            return False
        return True

    def tell(self) -> None:
        """Say where the accuracy stands."""
        with self.reading() as connection:
            standing = self.questions.standing(connection)
        self.say(accuracy_line(standing, self.questions.expected))
