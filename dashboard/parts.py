"""A page's parts, for pages that keep themselves up to date."""

from collections.abc import Callable

from nicegui import html


class Parts:
    """Parts of a page by their names, each made anew only when what it shows has changed."""

    def __init__(self, *names: str) -> None:
        self._places: dict[str, html.div] = {}
        self._shown: dict[str, object] = {}
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Make a part's place, here."""
        self._places[name] = html.div()

    def show(self, name: str, what: object, make: Callable[[], None]) -> None:
        """Have a part made by `make`, unless it shows `what` already."""
        if name in self._shown and self._shown[name] == what:
            return
        self._shown[name] = what
        place = self._places[name]
        place.clear()
        with place:
            make()
