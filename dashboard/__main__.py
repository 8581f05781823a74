"""`python -m dashboard [--config FILE]`: the page, until SIGTERM or SIGINT.

Exit codes as the services': 0 a clean end, 1 a defect, 2 a wrong command line, 3 it cannot run.
"""

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from broker.errors import BrokerProblem, SettingsError
from broker.health import Health
from broker.logs import last_word, log_line, set_up_logging
from broker.notify import Notifier
from broker.process import CANNOT_RUN
from broker.reviewer import connection_of
from broker.settings import Settings
from broker.settings_reader import read_settings
from broker.topics import Topics
from dashboard import told
from dashboard.answers import Answers
from dashboard.gate import Gate
from dashboard.place import url_of
from dashboard.server import listening, server
from dashboard.site import Site
from dashboard.told import Told
from dashboard.watch import Watch

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
    health = Health(Notifier.of(os.environ), settings.health.stuck_s)
    signal.signal(signal.SIGHUP, _on_hangup)
    defect: list[str] = []

    def failed() -> None:
        defect.append("a thread of the page's has ended")
        web.should_exit = True

    topics = Topics(settings.broker.root)
    gate = Gate(settings.dashboard, settings.paths.state)
    gate.check()
    with (
        listening(settings.dashboard) as place,
        Watch(settings, failed) as watch,
        Answers(connection_of(settings), topics, failed) as answers,
        Told(told.connection_of(settings), topics, failed),
    ):
        web = server(Site(settings, watch, answers), health, gate)
        log_line(log, "info", "page-served", url=url_of(settings.dashboard))
        _run(web, place)
    return 1 if defect else 0


def _run(web: uvicorn.Server, place: socket.socket) -> None:
    # uvicorn ends cleanly on these, and then raises them again for whoever had them before: nobody.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    web.run(sockets=[place])


def _on_hangup(*_: object) -> None:
    log_line(
        log, "info", "settings-not-read", detail="the page takes changed settings over at its next start"
    )


if __name__ == "__main__":
    sys.exit(main())
