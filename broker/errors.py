"""What can go wrong on the ground floor, one exception for each reader who can act on it."""


class SettingsError(ValueError):
    """A key or value of the configuration is wrong: the administrator mends the file that it names."""


class MessageError(ValueError):
    """Bytes are no valid message: the sender mends them; the receiver rejects and goes on."""


class Unreachable(ConnectionError):  # noqa: N818 - a state of the world, which passes by itself
    """The broker cannot be reached now: wait and try again."""


class BrokerProblem(RuntimeError):  # noqa: N818 - as above
    """The broker is missing, too old, or refuses the account: the administrator acts."""
