"""How a question looks: its pictures, what the model said of it, and where the accuracy stands."""

from nicegui import html

from broker.doubts import BETWEEN_REASONS, doubt
from dashboard.answers import called
from dashboard.frame import address, bar, card, picture
from dashboard.originals import photo
from dashboard.questions import Asked, Progress
from dashboard.words import NONE, ROOT, count, percent

HALF_WIDTH = "\N{PLUS-MINUS SIGN}1\N{NO-BREAK SPACE}%"


def pictures(asked: Asked, no_photo: str) -> None:
    """Show the photo, or why there is none, and the image as the model saw it."""
    photo(asked.key, no_photo)
    with html.figure():
        picture(asked.picture, f"{asked.question.image} as the model saw it")
        html.figcaption(
            "28 by 28 pixels, as the model saw it" if asked.picture else "Its pixels are not kept"
        )


def model_said(asked: Asked) -> None:
    """Show what the model called it, its doubts, its three likeliest classes, and second opinions."""
    one = asked.question
    where = html.p().classes("faint where")
    with where:
        html.a(one.folder or ROOT, href=address("/job", job_id=one.job_id))
        html.span(" / ")
        html.span(one.image).classes("image")
    with html.h2().classes("guess"):
        html.span("The model says ").classes("faint")
        html.span(one.label)
        html.span(f" {percent(one.confidence)}")
    if doubts := doubt(one.verdict, filter(None, one.reasons.split(BETWEEN_REASONS))):
        html.p(doubts).classes("doubt")
    with html.div().classes("shares"):
        for label, share in one.likeliest:
            bar(label, share, percent(share))
    for other in one.shadows:
        html.p(f"{other.model_version}, on trial, says {other.label} {percent(other.confidence)}")
    if asked.said is not None:
        html.p(called(asked.said.label, asked.said.reviewer, asked.said.reviewed_at)).classes("people")


def nothing_left(*, empty: bool) -> str:
    """Return what to do where no image is left, or none is like what the address names."""
    if not empty:
        return (
            "Nothing is left to ask: every image here is answered, or you skipped it."
            " Skipped images come again when you load this page anew."
        )
    return "No image is like that: it may have been deleted with old data. Review others."


def progress(now: Progress, given: int) -> None:
    """Show the true accuracy with its interval, and how much is still to be answered."""
    found, needed = now.standing.accuracy, now.standing.needed()
    known, images = found.enough, now.standing.images
    is_whole = found.images == images
    with html.dl().classes("cards"):
        between = f"{percent(found.low)} to {percent(found.high)}" if known else "a few more answers tell"
        if is_whole:
            between = f"of {count(images, 'images')}, each of them answered"
        card("True accuracy", percent(found.value) if known else "not known yet", between)
        card(
            f"For {HALF_WIDTH}",
            f"{count(needed)} more" if needed else "nothing is left" if is_whole else "\N{CHECK MARK} known",
            f"{count(found.images, 'answers')} so far",
        )
        promised = NONE if now.expected is None else percent(now.expected)
        card("The confidence promises", promised, "the mean of all images here")
        card("Yours", count(given, "answers"), "since you opened this page")
