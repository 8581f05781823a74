"""Previous and next below a table or a grid."""

from collections.abc import Awaitable, Callable

from nicegui import html

from dashboard.frame import write
from dashboard.words import count


class Pager:
    """Where one is; `changed` is called after a step."""

    def __init__(self, size: int, unit: str, changed: Callable[[], Awaitable[None]]) -> None:
        self.page = 1
        self._size = size
        self._unit = unit
        self._changed = changed
        with (
            html.nav()
            .classes("bar-row")
            .style("margin-top: 12px")
            .props(f'aria-label="Pages of {unit}"') as self._row
        ):
            self._back = self._button("\N{LEFTWARDS ARROW} Previous", -1)
            self._words = html.span().props("role=status")
            self._next = self._button("Next \N{RIGHTWARDS ARROW}", 1)

    def _button(self, text: str, step: int) -> html.button:
        async def stepped() -> None:
            self.page += step
            await self._changed()

        return html.button(text).classes("plain").props("type=button").on("click", stepped)

    def offset(self, total: int) -> int:
        """Return the first place of the page, which is moved where there are fewer."""
        self.page = max(1, min(self.page, -(-total // self._size)))
        return (self.page - 1) * self._size

    def told(self, total: int) -> None:
        """Say which part of how many is shown."""
        first = self.offset(total)
        last = min(first + self._size, total)
        whole = f"{first + 1:,} to {last:,} of {total:,} {self._unit}"
        write(self._words, whole if total > self._size else count(total, self._unit))
        self._row.visible = total > 0
        for button, stands in ((self._back, first > 0), (self._next, last < total)):
            button.props["disabled"] = not stands
            button.visible = total > self._size
            button.update()
