"""What every page has: its head, its style, and the small parts that pages are made of."""

import base64
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from nicegui import html, ui

from broker import VERSION
from broker.settings import Settings
from dashboard.access import LOCAL, Person, Role, here, inbox_name, may
from dashboard.plain_pages import STYLE

PAGES = (
    ("Today", "/", Role.VIEWER),
    ("Drop", "/drop", Role.REVIEWER),
    ("Jobs", "/jobs", Role.VIEWER),
    ("Quality", "/quality", Role.VIEWER),
    ("Review", "/review", Role.REVIEWER),
    ("Models", "/models", Role.VIEWER),
    ("System", "/system", Role.VIEWER),
)
"""The name, the address, and the role without which a page is not in the head."""
MADE_S = 30.0
"""How long a machine may be busy before a page says that it failed."""
# NiceGUI's own box for a lost connection is nothing that a screen reader would read out; and where the pages'
# names need more room than there is, the marked one shall be in view. A connection that never came about is
# as bad as one that is lost, though NiceGUI says nothing then. One that fails because the session is over
# never comes: then the door is open, and the page leads there.
SCRIPT = """<script>addEventListener("load", () => {
  const popup = document.getElementById("popup"), loaded = performance.now();
  popup.setAttribute("role", "alert");
  setInterval(async () => {
    if (!window.did_handshake && performance.now() > loaded + 10000) popup.ariaHidden = "false";
    if (window.did_handshake && popup.ariaHidden === "true") return;
    const door = await fetch("/login", {redirect: "manual"}).catch(() => null);
    if (door?.status === 200) location.reload();
  }, 2000);
  document.querySelector(".top nav [aria-current]")?.scrollIntoView({block: "nearest", inline: "center"});
})</script>"""


def page_at(path: str) -> ui.page:
    """Decorate what makes the page of an address."""
    return ui.page(path, response_timeout=MADE_S)


@contextlib.contextmanager
def frame(title: str, path: str) -> Iterator[None]:
    """Put what the block makes into a page with a head; `path` is the page that is marked in it."""
    ui.page_title(f"{title} - Tailorbird")
    ui.add_css(STYLE)
    who = here()
    with html.header().classes("top"):
        html.a("Skip to the content", href="#content").classes("skip")
        html.a("Tailorbird", href="/").classes("name")
        with html.nav().props('aria-label="Pages"'):
            for name, where in (page[:2] for page in PAGES if page[2] <= who.role):
                link = html.a(name, href=where)
                if where == path:
                    link.props("aria-current=page")
        if who != LOCAL:
            _who(who)
    ui.add_body_html(SCRIPT)
    with html.div().classes("page").props('id=content tabindex="-1"'):
        html.h1(title)
        yield
    with html.footer().classes("foot"):
        if who == LOCAL:
            _without_accounts()
        html.span(f"Tailorbird {VERSION}. Times are UTC.")


def _who(who: Person) -> None:
    """Say who is signed in, with the way out, which needs no script."""
    with html.form().classes("who").props("method=post action=/logout"):
        html.span(f"{who.name}, {who.role.word}").classes("faint")
        html.button("Sign out").classes("plain").props("type=submit")


def _without_accounts() -> None:
    with html.span():
        html.span(
            "No accounts: whoever has a login on this machine may look and change. To have people sign in: "
        )
        html.code("./tailorbird account add NAME --role admin")


def address(path: str, **parameters: object) -> str:
    """Return a path with those parameters that say something."""
    given = {name: value for name, value in parameters.items() if value not in {None, ""}}
    return f"{path}?{urlencode(given)}" if given else path


def write(element: html.a | html.button | html.span | html.td, text: str) -> None:
    """Replace the text of an element."""
    element._text = text  # noqa: SLF001 - NiceGUI's plain elements take a text once only
    element.update()


def note(text: str, kind: str = "note") -> None:
    """Say something in a box: a `note`, a `trouble`, or what to do where there is nothing (`empty`)."""
    with html.p(text).classes(f"box {kind}") as box:
        if kind == "trouble":
            box.props("role=status")


def nothing_yet(what: str, settings: Settings, then: str = "") -> None:
    """Say how the first one comes about."""
    with html.p().classes("box empty"):
        html.span(f"No {what} yet: drop photos, or a folder of photos, into {inbox_name(settings)}")
        if may(Role.REVIEWER):
            html.span(", or on the page ")
            html.a("Drop", href="/drop")
        html.span(f"{then}.")


def card(name: str, value: str, more: str = "", kind: str = "") -> None:
    """Show one figure; what is `bad` says so by a sign of its own, too."""
    with html.div().classes("card"):
        html.dt(name)
        html.dd(value).classes(kind)
        if more:
            html.dd(more).classes("more")


@dataclass(frozen=True)
class Table:
    """A table's columns: those in `right` hold numbers, those in `wide` are left out on narrow screens."""

    name: str
    columns: Sequence[str]
    right: Sequence[str] = ()
    wide: Sequence[str] = ()

    @contextlib.contextmanager
    def made(self) -> Iterator[None]:
        """Make the table's head; the block makes its rows."""
        region = html.div().classes("scroll").props('tabindex="0" role=region')
        region.props["aria-label"] = self.name
        with region, html.table():
            with html.thead(), html.tr():
                for column in self.columns:
                    html.th(column).props("scope=col").classes(self._classes(column))
            with html.tbody():
                yield

    def row(self, *cells: str, href: str = "") -> list[html.a | html.td]:
        """Make a row, and return what holds each text; with `href` the first cell is a link."""
        made: list[html.a | html.td] = []
        with html.tr():
            for place, (column, cell) in enumerate(zip(self.columns, cells, strict=True)):
                is_link = bool(href) and not place
                with html.td(None if is_link else cell).classes(self._classes(column)) as place_of_it:
                    made.append(html.a(cell, href=href) if is_link else place_of_it)
        return made

    def _classes(self, column: str) -> str:
        return " ".join(
            word for word, columns in (("right", self.right), ("wide", self.wide)) if column in columns
        )


def bar(name: str, share: float, said: str) -> None:
    """Show a share 0..1 as a bar between its name and its figure."""
    html.span(name)
    with html.div().classes("track").props("aria-hidden=true"):
        html.div().classes("fill").style(f"width: {100 * min(1.0, max(0.0, share)):.2f}%")
    html.span(said).classes("right")


def picture(png: bytes | None, shows: str) -> None:
    """Show kept pixels, large enough to see; or say that there are none."""
    if png is None:
        html.span("not kept").classes("pixels none")
        return
    source = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    html.img(src=source, alt=shows, width=28, height=28).classes("pixels")


def csv_link(words: str, to: str) -> html.a:
    """Make the link to a file."""
    return html.a(words, href=to).classes("plain").props("download")
