"""The keys of the review page, and the window that tells them."""

from nicegui import html, ui

AGREE, SKIP, UNDO, HELP, KEEP, REPLACE, ENTER = "a", "s", "u", "?", "k", "r", "enter"
HELD_DOWN = "(event) => { if (event.repeat) event.preventDefault() }"
"""A key that is held down presses a button once."""
SHOWN = "document.getElementById('asked')?.dataset.number"
"""The number of the question that somebody sees: a key is an answer to that one, and to no later one."""
KEYS = f"""(event) => event.action === 'keydown' && !event.ctrlKey && !event.altKey && !event.metaKey
  && !(event.key === 'Enter' && document.activeElement?.closest('a, button, summary'))
  && emit({{key: event.key, shown: {SHOWN}}})"""
"""Enter on a button or a link is its own."""
CLICK = f"""(event) => {{
  if (event.detail) event.currentTarget.blur();
  emit({SHOWN});
}}"""
"""A button that the mouse has pressed leaves Enter to the next question."""
HELP_LINES = (
    ("1 to 9, 0", "the classes, as numbered on their buttons"),
    ("A, Enter", "agree with the model"),
    ("S", "skip: the image comes to somebody else, or another time"),
    ("U", "undo your latest answer, and see its image again"),
    ("K, R", "keep or replace what somebody else answered at the same time"),
    ("?", "this help; Escape closes it"),
)


def help_window() -> ui.dialog:
    """Make the window, which is closed until it is asked for."""
    with ui.dialog() as made, html.div().classes("detail"):
        html.h2("Keys")
        with html.dl().classes("keys"):
            for key, does in HELP_LINES:
                html.dt(key)
                html.dd(does)
        html.button("Close").classes("plain").props("type=button autofocus").on("click", made.close)
    return made
