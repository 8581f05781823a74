"""Connections to the broker that the settings name, with the account of the one who asks."""

import functools
import hashlib
from collections.abc import Sequence

from broker.connection import Will
from broker.credentials import Credentials, read_credentials
from broker.encryption import client_context
from broker.listeners import own_listener
from broker.mqtt import MqttConnection
from broker.mqtt_client import Client
from broker.settings import Settings

MARK_ROUNDS = 200_000
MARK_CHARS = 12


def client(
    settings: Settings,
    account: str | None,
    client_id: str,
    subscriptions: Sequence[str],
    *,
    will: Will | None = None,
    keepalive_s: int | None = None,
) -> MqttConnection:
    """Return a connection that is not started yet.

    Raises SettingsError when the credentials, or the file of `[broker] tls_ca`, are no use. `account` is one
    of `credentials.ACCOUNTS`; without its file, or for None, the client connects without an account.
    """
    broker = settings.broker
    listener = own_listener(broker)
    return MqttConnection(
        Client(
            host=listener.host,
            port=listener.port,
            client_id=client_id,
            subscriptions=tuple(subscriptions),
            credentials=None if account is None else read_credentials(broker.credentials, account),
            will=will,
            keepalive_s=keepalive_s or broker.keepalive_s,
            max_packet_bytes=broker.max_packet_bytes,
            tls=client_context(broker.tls_ca) if listener.tls else None,
        )
    )


def guarded(settings: Settings, account: str, name: str) -> str:
    """Return a name that nobody can guess who has not this account's password.

    Any account may connect with any client id, and so throw another client out; and Mosquitto gives each
    member of a shared subscription its turn, even one that may not read what then is lost. So neither the
    services' client ids nor the predictors' group can be guessed, where there are accounts.
    """
    credentials = read_credentials(settings.broker.credentials, account)
    return name if credentials is None else f"{name}-{_mark(credentials)}"


def predictors_group(settings: Settings) -> str:
    """Return the group in which the predictors share the batches; those of one account are in one group."""
    return guarded(settings, "predictor_service", "predictors")


@functools.cache
def _mark(credentials: Credentials) -> str:
    """Return what follows from a password and does not tell it, however weak it is."""
    made = hashlib.pbkdf2_hmac(
        "sha256", credentials.password.encode(), credentials.user.encode(), MARK_ROUNDS
    )
    return made.hex()[:MARK_CHARS]
