"""Who connects to which broker, and the paho client for it."""

import ssl
from dataclasses import dataclass, field

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker.connection import Will
from broker.credentials import Credentials
from broker.listeners import Listener
from broker.messages import JSON_TYPE
from broker.mqtt_words import connect_properties


@dataclass(frozen=True)
class Client:
    """Who connects, to what, and how. A host that begins with `/` is a unix socket."""

    host: str
    port: int
    client_id: str
    subscriptions: tuple[str, ...]
    credentials: Credentials | None = None
    will: Will | None = None
    keepalive_s: int = 10
    max_packet_bytes: int = 4_194_304
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """What the broker's certificate is checked with; None: a connection without TLS."""

    @property
    def address(self) -> str:
        """The broker's address in words."""
        return Listener(self.host, self.port, self.tls is not None).address


def paho_client(who: Client) -> paho.Client:
    """Return a paho client, ready for `reconnect`, that keeps no session and acknowledges nothing itself."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=who.client_id,
        protocol=paho.MQTTv5,
        transport="unix" if who.host.startswith("/") else "tcp",
        manual_ack=True,
        reconnect_on_failure=False,
    )
    if who.credentials is not None:
        client.username_pw_set(who.credentials.user, who.credentials.password)
    if who.tls is not None:
        client.tls_set_context(who.tls)
    if who.will is not None:
        properties = Properties(PacketTypes.WILLMESSAGE)
        properties.ContentType = JSON_TYPE
        client.will_set(who.will.topic, who.will.payload, qos=1, retain=True, properties=properties)
    client.connect_async(
        who.host,
        who.port,
        who.keepalive_s,
        clean_start=True,
        properties=connect_properties(who.max_packet_bytes),
    )
    return client
