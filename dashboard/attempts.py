"""How often somebody may try a password: after some failures each further one costs a growing wait.

Failures are counted for the name and for the address. A stranger could so keep a name waiting for ever; so a
browser that has signed in with the account before is known by a cookie (OWASP's device cookie), and counted
by itself. What counts a name forgets when its password changes.
"""

import hashlib
import hmac
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from dashboard.accounts import Account

FREE = {"name": 5, "device": 5, "address": 20}
"""Failures without a wait: an address may be many people's."""
FIRST_S, MOST_S = 15.0, 900.0
FORGOTTEN_S = 3600.0
"""Seconds without a failure after which those before are forgotten."""
KEPT = 10_000
Key = tuple[str, str]


@dataclass
class _Failures:
    count: int
    last: float


class Attempts:
    """The failures of late."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[Key, _Failures] = OrderedDict()

    def wait_s(self, keys: tuple[Key, ...]) -> float:
        """Return how long these must wait before the next try."""
        return max(0.0, *(self._wait_s(key) for key in keys))

    def _wait_s(self, key: Key) -> float:
        found = self._kept.get(key)
        if found is None:
            return 0.0
        past = self._clock() - found.last
        if past >= FORGOTTEN_S:
            del self._kept[key]
            return 0.0
        over = found.count - FREE[key[0]]
        return 0.0 if over < 0 else min(FIRST_S * 2.0 ** min(over, 16), MOST_S) - past

    def failed(self, keys: tuple[Key, ...]) -> None:
        """Count a failure."""
        for key in keys:
            found = self._kept.setdefault(key, _Failures(0, 0.0))
            found.count += 1
            found.last = self._clock()
            self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def succeeded(self, keys: tuple[Key, ...]) -> None:
        """Forget what was counted for the name; the address may be somebody else's as well."""
        for key in keys:
            if key[0] != "address":
                self._kept.pop(key, None)


def keys_of(name: str, account: Account | None, address: str, *, known: bool) -> tuple[Key, ...]:
    """Return what a try is counted for; `known` is a browser that has signed in with the account before."""
    who = name[:64] if account is None else f"{name} {device_of(account)}"
    return (("device", who),) if known else (("name", who), ("address", _network(address)))


def _network(address: str) -> str:
    """Return an address, of IPv6 the /64 that one customer has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


def device_of(account: Account) -> str:
    """Return what marks a browser that has signed in with an account and its present password."""
    told = f"known device of {account.name}".encode()
    return hmac.new(account.hash.encode(), told, hashlib.sha256).hexdigest()


def is_known(mark: str, account: Account | None) -> bool:
    """Tell whether a browser's mark is the account's."""
    return account is not None and hmac.compare_digest(
        mark.encode("utf-8", "replace"), device_of(account).encode()
    )
