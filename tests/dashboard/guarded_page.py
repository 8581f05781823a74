"""The page as a process of its own, with a page for reviewers and a clock that the tests set forward."""

import functools
import sys
import time
from pathlib import Path

import pytest
from fastapi import FastAPI
from nicegui import html, ui

from dashboard import __main__ as program
from dashboard import frame, guard, today
from dashboard.access import AccessError, Role, require
from dashboard.gate import Gate
from dashboard.site import Site


def trial(_: FastAPI, __: Site) -> None:
    """Add a page for reviewers, with something that only an admin may do."""

    @ui.page("/trial")
    def page_trial() -> None:
        with frame.frame("Trial", "/trial"):
            said = html.div()

            def promote() -> None:
                with said:
                    try:
                        frame.note(f"promoted by {require(Role.ADMIN).name}")
                    except AccessError as error:
                        frame.note(str(error), "trouble")

            html.button("Promote").classes("plain").on("click", promote)


def main(later: Path) -> int:
    """Serve it; `later` says how many seconds later than now it is."""
    pages = (*frame.PAGES, ("Trial", "/trial", Role.REVIEWER))
    with_today = today.add

    def add(made: FastAPI, site: Site) -> None:
        with_today(made, site)
        trial(made, site)

    def clock() -> float:
        return time.monotonic() + float(later.read_text("utf-8"))

    patch = pytest.MonkeyPatch()
    patch.setattr(frame, "PAGES", pages)
    patch.setattr(guard, "PAGES", pages)
    patch.setattr(today, "add", add)
    patch.setattr(program, "Gate", functools.partial(Gate, clock=clock))
    return program.main([])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
