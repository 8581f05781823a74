"""What MQTT 5 says in numbers, in words: reason codes, the broker's properties, the size of a packet."""

import functools
from typing import NamedTuple

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers
from paho.mqtt.reasoncodes import ReasonCode

from broker.connection import Capabilities

NO_SUBSCRIBER = 0x10
TAKEN_OVER = 0x8E
# MQTT 5, 2.4: reason code -> kind of notice.
KINDS = {
    NO_SUBSCRIBER: "no-subscriber",
    0x87: "not-authorised",
    TAKEN_OVER: "taken-over",
    0x95: "too-large",
    0x96: "quota",
    0x97: "quota",
}
WORDS = {
    NO_SUBSCRIBER: "nobody listens on",
    0x84: "the broker does not speak MQTT 5",
    0x85: "the broker does not accept this client id",
    0x86: "the broker does not know this user name or password",
    0x87: "the broker does not allow this account",
    0x89: "the broker is busy",
    0x8A: "the broker has banned this client",
    0x8B: "the broker is shutting down",
    0x8D: "the broker has not heard from this client in time",
    TAKEN_OVER: "another client with the same id has taken the connection over",
    0x93: "this client sent more unanswered messages than the broker takes",
    0x95: "a message is larger than the broker takes",
    0x96: "this client sends more messages than the broker allows",
    0x97: "the broker's quota is used up",
    0x99: "the payload is not what its format says",
    0x9A: "the broker keeps no retained messages",
    0x9B: "the broker does not offer QoS 1",
    0x9E: "the broker has no shared subscriptions",
}


def kind_of(reason: ReasonCode) -> str:
    """Return the kind of notice for a reason code that is no success."""
    return KINDS.get(reason.value, "refused")


def words_of(reason: ReasonCode) -> str:
    """Return what a reason code means, for the administrator."""
    words = WORDS.get(reason.value, str(reason).lower())
    return words if reason.value == NO_SUBSCRIBER else f"{words} (reason code 0x{reason.value:02X})"


def ended(address: str, *, accepted: bool, tls: bool) -> str:
    """Return why a connection ended of which nobody said why."""
    if accepted:
        return "the connection was lost"
    wanted = "MQTT" if tls else "MQTT without TLS (see [broker] tls)"
    return f"{address} ended the connection without a word: does it speak {wanted}?"


def capabilities_of(connack: Properties, learned_bytes: int | None = None) -> Capabilities:
    """Return what the broker said of itself in its CONNACK (MQTT 5, 3.2.2.3).

    `learned_bytes` is a packet size that this broker took for too large, though its CONNACK named no limit.
    """
    plain = Capabilities()
    limits = (getattr(connack, "MaximumPacketSize", None), learned_bytes and learned_bytes - 1)
    return Capabilities(
        maximum_packet_size=min((one for one in limits if one), default=None),
        receive_maximum=getattr(connack, "ReceiveMaximum", plain.receive_maximum),
        maximum_qos=getattr(connack, "MaximumQoS", plain.maximum_qos),
        retain_available=bool(getattr(connack, "RetainAvailable", 1)),
        shared_subscription_available=bool(getattr(connack, "SharedSubscriptionAvailable", 1)),
        wildcard_subscription_available=bool(getattr(connack, "WildcardSubscriptionAvailable", 1)),
        subscription_identifiers_available=bool(getattr(connack, "SubscriptionIdentifierAvailable", 1)),
        topic_alias_maximum=getattr(connack, "TopicAliasMaximum", plain.topic_alias_maximum),
        session_expiry_s=getattr(connack, "SessionExpiryInterval", plain.session_expiry_s),
        keep_alive_s=getattr(connack, "ServerKeepAlive", plain.keep_alive_s),
    )


def connect_properties(max_packet_bytes: int) -> Properties:
    """Return what the client says of itself: no session is kept, and so much is taken in one message.

    It names no Receive Maximum: Mosquitto would drop what it has answered for when more than that waits
    (`broker.mosquitto`). The inbox is bounded by not reading.
    """
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 0
    properties.MaximumPacketSize = max_packet_bytes
    return properties


class MessageProperties(NamedTuple):
    """A message's properties and their size on the wire."""

    properties: Properties
    size_bytes: int


@functools.lru_cache(maxsize=128)
def message_properties(
    content_type: str | None, response_topic: str | None, correlation_data: bytes | None
) -> MessageProperties:
    """Return a message's properties; making them takes paho 45 µs, and most messages have the same ones."""
    properties = Properties(PacketTypes.PUBLISH)
    if content_type is not None:
        properties.ContentType = content_type
    if response_topic is not None:
        properties.ResponseTopic = response_topic
    if correlation_data is not None:
        properties.CorrelationData = correlation_data
    return MessageProperties(properties, len(properties.pack()))


def packet_bytes(topic: str, payload: bytes, properties_bytes: int) -> int:
    """Return the size of a QoS 1 PUBLISH packet as the broker counts it (MQTT 5, 3.3)."""
    remaining = 2 + len(topic.encode()) + 2 + properties_bytes + len(payload)
    return 1 + len(VariableByteIntegers.encode(remaining)) + remaining
