"""Connections to the broker that the settings name, with the account of the one who asks."""

from collections.abc import Sequence

from broker.connection import Will
from broker.credentials import read_credentials
from broker.mqtt import MqttConnection
from broker.mqtt_client import Client
from broker.settings import Settings


def client(
    settings: Settings,
    account: str,
    client_id: str,
    subscriptions: Sequence[str],
    *,
    will: Will | None = None,
    keepalive_s: int | None = None,
) -> MqttConnection:
    """Return a connection that is not started yet. Raises SettingsError when the credentials are no use.

    `account` is one of `credentials.ACCOUNTS`; without its file the client connects without an account.
    """
    broker = settings.broker
    return MqttConnection(
        Client(
            host=broker.host,
            port=broker.port,
            client_id=client_id,
            subscriptions=tuple(subscriptions),
            credentials=read_credentials(broker.credentials, account),
            will=will,
            keepalive_s=keepalive_s or broker.keepalive_s,
            max_packet_bytes=broker.max_packet_bytes,
        )
    )
