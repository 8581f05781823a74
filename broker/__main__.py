"""`python -m broker [--config FILE]`: become the managed broker; what systemd starts."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path

from broker.errors import BrokerProblem, SettingsError
from broker.logs import last_word
from broker.mosquitto import prepare_broker
from broker.process import CANNOT_RUN
from broker.settings_reader import read_settings


def main() -> int:
    """Write the broker's files and become Mosquitto; one line and exit code 3 if that fails."""
    parser = ArgumentParser(prog="python -m broker")
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: config.toml")
    try:
        start = prepare_broker(read_settings(parser.parse_args().config, os.environ).settings)
        os.execve(start.arguments[0], start.arguments, {**os.environ, **start.environment})  # noqa: S606 - no shell
    except (BrokerProblem, SettingsError, OSError) as error:
        last_word(f"broker: {error}", os.environ)
        return CANNOT_RUN


if __name__ == "__main__":
    sys.exit(main())
