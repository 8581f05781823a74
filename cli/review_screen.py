"""What a reviewer sees: the picture, what the model said, the keys, and where the accuracy stands."""

from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

from broker.doubts import doubt
from cli.keys import ENTER
from cli.pictures import Way, drawn
from cli.screen import printable
from store.estimates import Estimate
from store.questions import Question
from store.review_queue import Standing

SKIP, UNDO, QUIT = "s", "u", "q"
LETTERS = "abcdefghijklmnoprtvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Keys for the classes in their order, without those that mean something else."""

CLASSES_A_LINE = 3
GAP = "  "

Picture = tuple[tuple[int, int], bytes]


def choices(question: Question) -> dict[str, str]:
    """Return what each key says that the image shows."""
    top = {str(place): name for place, (name, _) in enumerate(question.likeliest, start=1)}
    return {ENTER: question.label, **top, **dict(zip(LETTERS, question.classes, strict=False))}


def shown(question: Question, picture: Picture | None, original: Path | None, way: Way) -> str:
    """Return the whole question; picture and text stand side by side where the picture is text itself."""
    place = f"{question.folder}/{question.image}" if question.folder else question.image
    text = [printable(line) for line in _text(question)]
    if picture is None:
        lines = [*text, "(its pixels were not kept)"]
    elif way in {Way.NONE, Way.KITTY, Way.ITERM}:
        lines = [*drawn(way, *picture), *text]
    else:
        (_, width), _ = picture
        both = zip_longest(drawn(way, *picture), text)
        lines = [f"{line or ' ' * width}{GAP}{said or ''}".rstrip() for line, said in both]
    return "\n".join([printable(str(original or place)), *lines])


def _text(question: Question) -> list[str]:
    note = doubt(question.verdict, [question.reasons] if question.reasons else [])
    return [
        f"{question.label} {question.confidence:.1%}" + (f", {note}" if note else ""),
        *[f"{one.model_version} says {one.label} {one.confidence:.1%}" for one in question.shadows],
        "",
        *[f"{key} {name} {share:.1%}" for key, (name, share) in enumerate(question.likeliest, start=1)],
        "",
        *_classes(question),
        "",
        f"Enter {question.label}  {SKIP} skip  {UNDO} undo  {QUIT} quit",
    ]


def _classes(question: Question) -> list[str]:
    named = [f"{key} {name}" for key, name in zip(LETTERS, question.classes, strict=False)]
    width = max(map(len, named), default=0)
    rows = [named[at : at + CLASSES_A_LINE] for at in range(0, len(named), CLASSES_A_LINE)]
    return [GAP.join(name.ljust(width) for name in row).rstrip() for row in rows]


def accuracy_line(standing: Standing, expected: float | None) -> str:
    """Return where the answers stand: the accuracy, how many more are needed, and what was promised."""
    found, needed = standing.accuracy, standing.needed()
    promised = "" if expected is None else f"; the confidence promises {expected:.1%}"
    more = f"{counted(needed, 'answer')} more for ±1 %" if needed else "known to ±1 %"
    known = f"true accuracy {interval(found)}" if found.enough else "true accuracy not known yet"
    return f"{known} from {counted(found.images, 'answer')}; {more}{promised}"


def counted(number: int, word: str) -> str:
    """Return a number with its word, in the plural where it is one."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def interval(found: Estimate) -> str:
    """Return an estimate that has a value, in percent with its bounds."""
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def legend(keys: Mapping[str, str]) -> str:
    """Return which keys there are, for one that means nothing."""
    known = "".join(key for key in keys if key != ENTER)
    return f"that key means nothing: Enter, {known}, {SKIP}, {UNDO} or {QUIT}"
