"""Passwords of the page's accounts: which may be chosen, and their hashes (argon2id, RFC 9106).

The parameters are the RFC's second recommendation: 64 MiB, three passes, four lanes; some 0.1 s a try.
"""

import base64
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.profiles import RFC_9106_LOW_MEMORY

LEAST, MOST = 12, 256
"""Characters of a password."""
HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def wrong_password(password: str, name: str) -> str:
    """Return why a password cannot be an account's; "" if it can."""
    if not LEAST <= len(password) <= MOST:
        return f"a password has {LEAST} to {MOST} characters, this one {len(password)}"
    if not password.isprintable():
        return "a password has no control characters"
    if len(set(password)) < LEAST // 3:
        return f"a password has at least {LEAST // 3} different characters"
    if name.casefold() in password.casefold() and len(password) - len(name) < LEAST:
        return f"a password is not the name with a little more: beside {name} it has {LEAST} characters"
    return ""


def hashed(password: str) -> str:
    """Return a password's hash, with its salt and its parameters in it. Takes memory and time."""
    return HASHER.hash(_written(password))


def fits(password: str, hash_: str | None) -> bool:
    """Tell whether a password is the one of a hash; without a hash, no, after as long a time."""
    try:
        return (
            HASHER.verify(nobodys_hash() if hash_ is None else hash_, _written(password))
            and hash_ is not None
        )
    except (Argon2Error, InvalidHashError):
        return False


def nobodys_hash() -> str:
    """Return the hash of a password that nobody knows: bytes by chance, made in no time that could tell."""
    salt, found = (secrets.token_bytes(length) for length in (HASHER.salt_len, HASHER.hash_len))
    costs = f"m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}"
    return f"$argon2id$v=19${costs}${_base64(salt)}${_base64(found)}"


def _base64(found: bytes) -> str:
    return base64.b64encode(found).decode("ascii").rstrip("=")


def _written(password: str) -> bytes:
    """Return one way of writing a password, whichever keyboard composed its letters."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
