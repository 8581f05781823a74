"""What can be wrong with the database for good, so that the administrator must act."""

from broker.errors import SettingsError


class DatabaseProblem(SettingsError):  # noqa: N818 - the administrator acts
    """`[store] url` names no database that this release can use; the text is one sentence that says why."""
