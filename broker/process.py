"""A service as a process: `python -m SERVICE [--config FILE] [--instance NAME]`.

Exit codes: 0 a clean end, 1 a defect, 2 a wrong command line, 3 it cannot run (one line says why).
"""

import argparse
import logging
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from broker.clients import client, guarded
from broker.errors import BrokerProblem, SettingsError
from broker.health import Health
from broker.line import Line
from broker.live_settings import Reloading
from broker.logs import last_word, set_up_logging
from broker.metrics_server import MetricsServer
from broker.notify import Notifier
from broker.presence import will_of
from broker.settings import Settings
from broker.settings_reader import read_settings
from broker.topics import Topics, is_source

CANNOT_RUN = 3
INTERRUPTED = 130
PREPARE_S = 300.0
"""What `prepare` may take: a model that is loaded, checked and warmed on a slow machine."""

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

    systemd counts the service as started once `run` has called `line.serves` and the broker has
    accepted it. SIGHUP has the settings read again (`broker.live_settings`).
    """
    arguments = _arguments(service, argv)
    expected: tuple[type[Exception], ...] = (SettingsError, BrokerProblem, *cannot_run)
    try:
        settings = read_settings(arguments.config, os.environ).settings
        set_up_logging(settings.log, os.environ)
        health = Health(Notifier.of(os.environ), settings.health.stuck_s)
        reloading = _reloading(arguments.config, settings, health)
        signal.signal(signal.SIGHUP, lambda *_: reloading.request())
        name = arguments.instance or (instance if isinstance(instance, str) else instance(settings))
        if prepare is not None:
            health.prepares(PREPARE_S)
        prepared = () if prepare is None else (prepare(settings),)
        with line_of(settings, service, name, subscriptions, health) as line:
            stop_on_signals(line)
            reload_on_hangup(line, reloading)
            with MetricsServer(settings.metrics, line):
                run(settings, line, *prepared)
    except expected as error:
        last_word(f"{service}: {error}", os.environ)
        return CANNOT_RUN
    except KeyboardInterrupt:  # while it still prepared; later SIGINT stops the line
        return INTERRUPTED
    except Exception:
        logging.getLogger(service).exception("defect", extra={"fields": {"detail": "it ended the service"}})
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


def line_of(
    settings: Settings,
    service: str,
    instance: str,
    subscriptions: Subscriptions,
    health: Health | None = None,
) -> Line:
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
    return Line(connection, topics, service=service, instance=instance, health=health)


def stop_on_signals(line: Line) -> None:
    """End the line's loop on SIGTERM and SIGINT; a second one ends the process at once."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        line.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)


def _reloading(config: Path | None, settings: Settings, health: Health) -> Reloading:
    def general(changed: Settings) -> None:
        set_up_logging(changed.log, os.environ)
        health.stuck_s = changed.health.stuck_s

    return Reloading(settings, lambda: read_settings(config, os.environ).settings, general)


def reload_on_hangup(line: Line, reloading: Reloading) -> None:
    """Have the line's loop read the settings again after SIGHUP, also one that came before."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        reloading.request()
        line.wake()

    line.on_turn = lambda: reloading.step(line)
    signal.signal(signal.SIGHUP, on_signal)
