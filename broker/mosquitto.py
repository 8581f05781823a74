"""Mosquitto as Tailorbird runs it: found, checked, and configured from the settings.

    start = prepare_broker(settings)
    process = subprocess.Popen(start.arguments, env={**os.environ, **start.environment})

Everything it needs is written to `<state>/broker/`. 2.0.11 (Debian 12) is the oldest that is tested.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.access import write_access
from broker.encryption import check_server_files
from broker.errors import BrokerProblem
from broker.listeners import EVERY_ADDRESS, Listener, managed_listeners
from broker.mosquitto_program import (
    CONFIGURATION_FILE,
    PID_FILE,
    broker_folder,
    check_version,
    find_mosquitto,
)
from broker.private_files import make_private_folder, write_private
from broker.settings import Broker, Settings

# No line of this file may make the broker drop a message that a connected client would get and whose sender
# it has answered. `max_queued_bytes` does not: what a client that names no Receive Maximum, as ours, has
# yet to acknowledge counts as sent with `max_inflight_messages 0`, however much it is, and 2.0.11 drops
# nothing of that. What bounds these queues is each agent's window of unanswered batches, and clients that
# leave when they cannot take more. (`max_queued_messages` 0 would be no limit, but with it 2.0.11 cuts a
# client off at its first forbidden message.) Against clients that flood, the whole memory has a limit: who
# publishes beyond it is cut off before he gets an answer, and may come again when queues are shorter.
#
# None of our clients keeps a session. One from outside may, and stay away: all that is kept for it counts
# for `max_queued_bytes`, behind which it misses messages and the line goes on. After an hour, the shortest
# that Mosquitto takes, its session is forgotten, however long it asked for. Nothing is kept on disk: only
# receipts count, and every client subscribes on every connect.
CONFIGURATION = """\
# Written by Tailorbird on every start: change config.toml instead.
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/rights
pid_file {folder}/{pid_file}
user {user}
set_tcp_nodelay true
max_packet_size {max_packet_bytes}
max_inflight_messages 0
max_queued_messages 100000000
max_queued_bytes {queue_bytes}
persistent_client_expiration 1h
memory_limit {memory_bytes}
persistence false
sys_interval 0
log_dest stderr
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%S

{listeners}
"""

ABSENT_SHARE = 4
"""A client that is away may hold one such part of the broker's memory."""


@dataclass(frozen=True)
class BrokerStart:
    """How to start the managed broker: the command, and what to add to its environment."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    version: str


def prepare_broker(settings: Settings) -> BrokerStart:
    """Write the broker's files and return how to start it. Raises BrokerProblem with what to type.

    The accounts are made at the first start and kept, as the clients are; everything else is written anew.
    """
    program = find_mosquitto()
    version = check_version(program)
    folder = broker_folder(settings)
    written = configuration(settings.broker, folder)
    make_private_folder(folder)
    write_access(settings)
    write_private(folder / CONFIGURATION_FILE, written)
    return BrokerStart((str(program), "-c", str(folder / CONFIGURATION_FILE)), broker_environment(), version)


def configuration(broker: Broker, folder: Path) -> str:
    """Return the text of mosquitto.conf. Raises BrokerProblem for what the managed broker does not do."""
    for key, path in (("[paths] state", folder), *_server_files(broker).items()):
        if "\n" in str(path):
            raise BrokerProblem(f"{key}: Mosquitto takes no line break in a path: {str(path)!r}")
    return CONFIGURATION.format(
        folder=folder,
        pid_file=PID_FILE,
        user=_own_user(),
        max_packet_bytes=broker.max_packet_bytes,
        listeners="\n".join(line for one in managed_listeners(broker) for line in _listener(one, broker)),
        memory_bytes=broker.memory_mb * 1_000_000,
        queue_bytes=broker.memory_mb * 1_000_000 // ABSENT_SHARE,
    )


def _server_files(broker: Broker) -> dict[str, Path]:
    return {"[broker] tls_certificate": broker.tls_certificate, "[broker] tls_key": broker.tls_key}


def _listener(listener: Listener, broker: Broker) -> Iterator[str]:
    """Yield a listener's lines; what is not said of one, such as accounts and rights, holds for all."""
    if listener.host.startswith("/"):
        yield f"listener 0 {listener.host}"
    elif listener.host == EVERY_ADDRESS:  # with `::` Mosquitto would leave IPv4 out
        yield f"listener {listener.port}"
    else:
        yield f"listener {listener.port} {listener.host}"
    yield f"max_connections {broker.max_clients}"
    if listener.tls:
        check_server_files("broker", broker)
        yield f"certfile {broker.tls_certificate}"
        yield f"keyfile {broker.tls_key}"
        yield "tls_version tlsv1.2"


def _own_user() -> str:
    """Return the user for the broker to become: none but the one who starts it.

    Started by root, Mosquitto would become `mosquitto`, who may not even look into most folders of root's.
    """
    return "root" if os.geteuid() == 0 else "mosquitto"


def broker_environment() -> dict[str, str]:
    """Return glibc's settings for large messages, which then need no mmap of their own.

    Batches of hundreds of kilobytes come and go all the time, in the broker and in its clients.
    """
    return {
        "MALLOC_MMAP_THRESHOLD_": "67108864",
        "MALLOC_TRIM_THRESHOLD_": "134217728",
        "MALLOC_TOP_PAD_": "16777216",
    }
