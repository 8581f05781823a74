"""`python -m dashboard [--config FILE]`: the page, until SIGTERM or SIGINT.

Exit codes as the services': 0 a clean end, 1 a defect, 2 a wrong command line, 3 it cannot run.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from broker.errors import BrokerProblem, SettingsError
from broker.logs import last_word, log_line, set_up_logging
from broker.process import CANNOT_RUN
from broker.settings import Settings
from broker.settings_reader import read_settings
from dashboard.gate import Gate

SERVICE = "dashboard"
log = logging.getLogger(SERVICE)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page."""
    parser = argparse.ArgumentParser(prog="python -m dashboard")
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: config.toml")
    parser.add_argument("--instance", metavar="NAME", help="main; there is one page on a machine")
    arguments = parser.parse_args(argv)
    try:
        settings = read_settings(arguments.config, os.environ).settings
        set_up_logging(settings.log, os.environ)
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # a line for each connection is no news
        return _serve(settings)
    except (SettingsError, BrokerProblem) as error:
        last_word(f"{SERVICE}: {error}", os.environ)
        return CANNOT_RUN
    except Exception:
        log.exception("defect", extra={"fields": {"detail": "it ended the service"}})
        return 1


def _serve(settings: Settings) -> int:
    if not settings.dashboard.enabled or settings.dashboard.port == 0:
        raise SettingsError("there is no page: [dashboard] enabled is false, or port is 0")
    signal.signal(signal.SIGHUP, _on_hangup)
    gate = Gate(settings.dashboard, settings.paths.state)
    gate.check()
    from dashboard.serving import serve  # noqa: PLC0415 - NiceGUI takes seconds: no refusal waits for it

    return serve(settings, gate)


def _on_hangup(*_: object) -> None:
    log_line(
        log, "info", "settings-not-read", detail="the page takes changed settings over at its next start"
    )


if __name__ == "__main__":
    sys.exit(main())
