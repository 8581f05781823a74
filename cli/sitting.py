"""One person at the keyboard: a question, a key, an answer that stands, and the next question."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from broker.messages import Correction, Review
from broker.reviewer import Reviewer, is_taken
from cli.keys import ReadKey
from cli.pictures import Way
from cli.review_screen import QUIT, SKIP, UNDO, accuracy_line, choices, legend, shown
from store.answers import said
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
    given: list[tuple[Question, Review, str]] = field(default_factory=list)
    """The answers of this sitting that stand, each with the id under which it does, the latest last."""
    _known: str = ""
    """The answer to the image that its reviewer has seen, "" for none."""
    _unsure: set[str] = field(default_factory=set)
    """Answers that the store did not answer for: they may stand all the same."""

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
        key = (asked.job_id, asked.image)
        with self.reading() as connection:
            picture = kept_image(connection, *key)
            before = said(connection, [key]).get(key)
        self._known = before.review_id if before else ""
        self.say("\n" + shown(asked, picture, self.original(asked), self.way))
        if before:
            self.say(called(before.label, before.reviewer, before.reviewed_at))

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
        """Give an answer in the place of the one that was seen; tell whether the next question may come."""
        review = self._answer(asked, label, self._known)
        told = self._submitted(review, label)
        if told is None:
            self._unsure.add(review.review_id)
            return False
        if not is_taken(review, told):
            self._known = told.standing
            if told.standing in self._unsure:  # an earlier key had come through late
                return self._stands(asked, label)
            self.say(f"{since(told)}: {label} was not stored; press the key again to replace it, or {SKIP}")
            return False
        if told.standing in {review.review_id, *self._unsure}:
            self.given.append((asked, review, told.standing))
            self.say(f"{label}{'' if label == asked.label else f', not {asked.label}'}: stored")
        else:
            self.say(f"{called(label, told.reviewer, told.reviewed_at)} just before")
        self.tell()
        return True

    def _answer(self, asked: Question, label: str, replaces: str) -> Review:
        return self.reviewer.answer(
            asked.job_id, asked.image, label, how="asked", stratum=asked.stratum, replaces=replaces
        )

    def _undone(self) -> Question | None:
        """Take the latest answer back; return its question, None where there is none to take back."""
        if not self.given:
            self.say("there is no answer to take back")
            return None
        asked, review, standing = self.given[-1]
        back = self._answer(asked, "", standing)
        told = self._submitted(back, "taking it back")
        if told is None:
            return None
        self.given.pop()
        if not is_taken(back, told):
            self.say(f"{since(told)}: that stays")
            return None
        self.say(f"{review.label} was taken back")
        self.tell()
        with self.reading() as connection:
            return question(connection, asked.job_id, asked.image, asked.stratum)

    def _submitted(self, review: Review, what: str) -> Correction | None:
        """Return what the store says of an answer, None where it says nothing, which is told."""
        heard: list[Correction] = []
        self.reviewer.submit([review], lambda _: self.check(), lambda _, told: heard.append(told))
        if not heard:
            self.say(NOT_STORED.format(what))
        return heard[0] if heard else None

    def tell(self) -> None:
        """Say where the accuracy stands."""
        with self.reading() as connection:
            standing = self.questions.standing(connection)
        self.say(accuracy_line(standing, self.questions.expected))


def called(label: str, reviewer: str, reviewed_at: str) -> str:
    """Return who called an image what, and when."""
    return f"{reviewer or 'somebody'} called it {label} at {reviewed_at[11:16]} UTC on {reviewed_at[:10]}"


def since(told: Correction) -> str:
    """Return what became of an image since it was shown."""
    if not told.label:
        return "its answer was taken back since"
    return f"{called(told.label, told.reviewer, told.reviewed_at)}, since it was shown"
