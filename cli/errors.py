"""How a command ends, and the one exception for a command that cannot do its work."""

OK = 0
PROBLEM = 1
USAGE = 2
CANNOT_RUN = 3
INTERRUPTED = 130


class CannotRun(RuntimeError):  # noqa: N818 - it reads as the sentence that it ends
    """Something outside is missing or in the way; the text is one line for whoever typed the command."""


class Wrong(RuntimeError):  # noqa: N818 - as above
    """The command did its work and what it found is not in order; the text is one line."""
