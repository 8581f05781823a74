"""Labelled fields in which people choose."""

from collections.abc import Callable, Mapping

from nicegui import events, html

VALUE = "(event) => emit(event.target.value)"
"""What a field tells of a change: what it holds now."""
BEGINS = "^value"
"""What a field holds at first: `value` itself Vue would set again, over what is typed, at every change."""

Changed = Callable[[events.GenericEventArguments], object]


def select_field(name: str, value: str, choices: Mapping[str, str], changed: Changed) -> None:
    """Make a labelled choice of values by their words; a value that is none of them is kept as it is."""
    with html.label():
        html.span(name)
        with html.select().classes("plain").on("change", changed, js_handler=VALUE):
            for one, words in ({value: value} | dict(choices) if value not in choices else choices).items():
                option = html.option(words, value=one)
                if one == value:
                    option.props("selected")
