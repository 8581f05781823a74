"""The broker's addresses: where the managed one listens, and where this machine's programs connect.

A managed broker that is open to clients outside has a listener for them, with TLS, and one on loopback
without: the services of this machine need no certificate, so none that has expired can stop the line.
"""

import ipaddress
import socket
from dataclasses import dataclass

from broker.settings import Broker

LOCAL = "127.0.0.1"
EVERY_ADDRESS = "::"
EVERYWHERE = ("0.0.0.0", EVERY_ADDRESS)  # noqa: S104 - compared with


@dataclass(frozen=True)
class Listener:
    """One address of the broker. A host that begins with `/` is a unix socket, which has no port."""

    host: str
    port: int
    tls: bool

    @property
    def address(self) -> str:
        """The address in words."""
        if self.host.startswith("/"):
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_local(host: str) -> bool:
    """Tell whether what goes to this host never leaves the machine."""
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def named_listener(broker: Broker) -> Listener:
    """Return the address that the configuration names: the one for clients outside, if any."""
    tls = broker.tls == "on" or (broker.tls == "auto" and not is_local(broker.host))
    return Listener(broker.host, broker.port, tls)


def own_listener(broker: Broker) -> Listener:
    """Return the address to which this machine's own programs connect."""
    named = named_listener(broker)
    return (
        named if not broker.manage or is_local(named.host) else Listener(LOCAL, broker.local_port, tls=False)
    )


def managed_listeners(broker: Broker) -> tuple[Listener, ...]:
    """Return every address at which the managed broker listens, the machine's own first."""
    return tuple(dict.fromkeys((own_listener(broker), named_listener(broker))))


def reachable_name(broker: Broker) -> str:
    """Return the name or address by which a client calls the configured listener."""
    return socket.gethostname() if broker.host in EVERYWHERE else broker.host


def wrong_host(host: str) -> str:
    """Return what is wrong with a host, or "", without repeating it: it may hold a password."""
    if host.startswith("/"):
        return ""
    if "@" in host:
        return "holds a user or a password: those stand in the credentials folder, a file per account"
    if "/" in host or not host.isprintable() or " " in host:
        return "expected a name or an address, without a scheme or a path"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "the port stands in the key port" if ":" in host else ""
    return ""
