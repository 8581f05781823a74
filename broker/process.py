"""A service as a process: `python -m SERVICE [--config FILE] [--instance NAME]`.

Exit codes: 0 a clean end, 1 a defect, 2 a wrong command line, 3 it cannot run (one line says why).
"""

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, cast

from broker.clients import client, guarded
from broker.errors import BrokerProblem, SettingsError
from broker.line import Line, will_of
from broker.settings import Settings
from broker.settings_reader import read_settings
from broker.topics import Topics, is_source

CANNOT_RUN = 3
INTERRUPTED = 130

Subscriptions = Callable[[Settings, Topics], Sequence[str]]


def service_main(
    service: str,
    subscriptions: Subscriptions,
    run: Callable[..., None],
    instance: str | Callable[[Settings], str],
    *,
    prepare: Callable[[Settings], Any] | None = None,
    cannot_run: tuple[type[Exception], ...] = (),
    argv: Sequence[str] | None = None,
) -> int:
    """Run a service until SIGTERM or SIGINT and return the exit code.

    `run(settings, line)` is called inside the `with Line`. What takes long and needs no broker, such as
    loading a model, goes into `prepare`; its result is `run`'s third argument. `instance` is the name without
    `--instance`. Errors of the kinds in `cannot_run` end in one line and exit code 3, like SettingsError.
    """
    arguments = _arguments(service, argv)
    expected: tuple[type[Exception], ...] = (SettingsError, BrokerProblem, *cannot_run)
    try:
        settings = read_settings(arguments.config, os.environ).settings
        set_up_logging(settings.log.level)
        name = arguments.instance or (instance if isinstance(instance, str) else instance(settings))
        prepared = () if prepare is None else (prepare(settings),)
        with line_of(settings, service, name, subscriptions) as line:
            stop_on_signals(line)
            run(settings, line, *prepared)
    except expected as error:
        sys.stderr.write(f"{service}: {error}\n")
        return CANNOT_RUN
    except KeyboardInterrupt:  # while it still prepared; later SIGINT stops the line
        return INTERRUPTED
    except Exception:
        logging.getLogger(service).exception("a defect ended the service")
        return 1
    return 0


def _arguments(service: str, argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {service}")
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: config.toml")
    parser.add_argument("--instance", type=_instance, metavar="NAME", help="its name in topics")
    return parser.parse_args(argv)


def _instance(name: str) -> str:
    if not is_source(name):
        raise argparse.ArgumentTypeError("expected 1 to 64 of A-Z a-z 0-9 _ -")
    return name


def line_of(settings: Settings, service: str, instance: str, subscriptions: Subscriptions) -> Line:
    """Return a service's place on the line that the settings describe; nothing is connected yet."""
    topics = Topics(settings.broker.root)
    own = getattr(settings, service, None)
    connection = client(
        settings,
        service,
        guarded(settings, service, f"{settings.broker.root.replace('/', '-')}-{service}-{instance}"),
        subscriptions(settings, topics),
        will=will_of(topics, service, instance),
        keepalive_s=getattr(own, "keepalive_s", None),
    )
    return Line(connection, topics, service=service, instance=instance)


def stop_on_signals(line: Line) -> None:
    """End the line's loop on SIGTERM and SIGINT; a second one ends the process at once."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        line.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)


class OneLine(logging.Formatter):
    """One line for each record, in UTC with milliseconds, tracebacks included."""

    converter = cast("Any", time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        return " | ".join(part for part in super().format(record).splitlines() if part.strip())


def set_up_logging(level: str) -> None:
    """Write log records to stderr, from `level` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=level.upper(), handlers=[handler])
