"""The page with all that it needs, until somebody asks it to end."""

import os
import signal
import socket

import uvicorn

from broker.health import Health
from broker.notify import Notifier
from broker.reviewer import connection_of
from broker.settings import Settings
from broker.topics import Topics
from dashboard import told
from dashboard.answers import Answers
from dashboard.gate import Gate
from dashboard.place import url_of
from dashboard.server import listening, server
from dashboard.site import Site
from dashboard.told import Told, tell
from dashboard.watch import Watch


def serve(settings: Settings, gate: Gate) -> int:
    """Serve the page; return its exit code. Raises SettingsError and BrokerProblem where it cannot."""
    health = Health(Notifier.of(os.environ), settings.health.stuck_s)
    topics = Topics(settings.broker.root)
    defect: list[str] = []
    served: list[uvicorn.Server] = []

    def failed() -> None:
        defect.append("a thread of the page's has ended")
        for web in served:
            web.should_exit = True

    with (
        listening(settings.dashboard) as place,
        Watch(settings, failed) as watch,
        Answers(connection_of(settings), topics, failed) as answers,
        Told(told.connection_of(settings), topics, failed),
    ):
        served.append(server(Site(settings, watch, answers), health, gate))
        served[0].should_exit = bool(defect)
        tell("info", "page-served", url=url_of(settings.dashboard))
        _run(served[0], place)
    return 1 if defect else 0


def _run(web: uvicorn.Server, place: socket.socket) -> None:
    # uvicorn ends cleanly on these, and then raises them again for whoever had them before: nobody.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    web.run(sockets=[place])
