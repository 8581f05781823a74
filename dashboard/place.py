"""Where the page is: its names, its URL, and whether TLS protects it."""

import socket

from broker.listeners import EVERYWHERE, is_local
from broker.settings import Dashboard

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def has_tls(page: Dashboard) -> bool:
    """Tell whether the page speaks https: as asked for, or wherever others can listen in."""
    return page.tls == "on" or (page.tls == "auto" and not is_local(page.host))


def names_of(page: Dashboard) -> frozenset[str]:
    """Return the host names that the page answers to: loopback's, those of the configuration, its address."""
    own = () if page.host in EVERYWHERE else (page.host,)
    here = () if is_local(page.host) else (socket.gethostname(),)
    return LOOPBACK | {name.casefold() for name in (*page.names, *own, *here)}


def url_of(page: Dashboard) -> str:
    """Return the page's URL, by the name that a person would type."""
    host = page.host
    if host in EVERYWHERE:
        host = page.names[0] if page.names else socket.gethostname()
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if has_tls(page) else 'http'}://{shown}:{page.port}"
