"""TLS for the connection to the broker: whom a client trusts, and what it is told when it cannot.

1.2 or newer on both sides; the broker's certificate and its host name are always verified.
"""

import ssl
from pathlib import Path
from typing import Any, NamedTuple

from broker.errors import BrokerProblem, SettingsError
from broker.settings import Broker, Dashboard

# OpenSSL's X509_V_ERR_*, x509_vfy.h.
NOT_YET_VALID = 9
EXPIRED = 10
UNTRUSTED = {18, 19, 20, 21}
OTHER_NAME = {62, 64}


class _Socket(ssl.SSLSocket):
    """A socket that is closed when TLS does not come about: paho forgets it open."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as the standard library has it
        """Agree on TLS, or close."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def client_context(authority: Path) -> ssl.SSLContext:
    """Return what a client checks the broker with: certificates of this authority, a PEM file, and no others.

    Raises SettingsError when the file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=authority)
    except FileNotFoundError as error:
        raise SettingsError(
            f"[broker] tls_ca: there is no {authority}; copy it from the broker's machine, or make it there:"
            " ./tailorbird tls init"
        ) from error
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"[broker] tls_ca: {authority} cannot be used: {_why(error)}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _Socket
    return context


def check_server_files(section: str, settings: Broker | Dashboard) -> None:
    """Raise BrokerProblem when the managed broker, or the page, cannot use its certificate and its key."""
    for key, file in (("tls_certificate", settings.tls_certificate), ("tls_key", settings.tls_key)):
        if not file.exists():
            raise BrokerProblem(
                f"[{section}] {key}: there is no {file}, and on {settings.host} TLS needs one;"
                " type: ./tailorbird tls init"
            )
    server_context(section, settings)


def server_context(section: str, settings: Broker | Dashboard) -> ssl.SSLContext:
    """Return what a server shows to its clients. Raises BrokerProblem when its files cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_server_files(section, settings, context)
    return context


def load_server_files(section: str, settings: Broker | Dashboard, context: ssl.SSLContext) -> None:
    """Have a server show its certificate as it is now. Raises BrokerProblem when it cannot be used."""
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password=_no_password)
    except (OSError, ssl.SSLError) as error:
        raise BrokerProblem(
            f"[{section}] tls_certificate and tls_key: {settings.tls_certificate} and {settings.tls_key}"
            f" cannot be used together: {_why(error)}"
        ) from error


def _no_password() -> str:
    """Answer for OpenSSL, which would ask at the terminal."""
    return ""


class Trouble(NamedTuple):
    """Why no connection came about, in a sentence, and whether it takes an administrator to mend it."""

    sentence: str
    permanent: bool


def unreachable(error: OSError, address: str, *, tls: bool) -> Trouble:
    """Return why a connection to the broker did not come about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble(_wrong_certificate(error, address), permanent=True)
    if tls and isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionResetError):
        return Trouble(f"{address} ended the connection while TLS began: does it speak TLS?", permanent=False)
    if isinstance(error, ssl.SSLError):
        why = f"{address} speaks no TLS, or none that is new enough: {_why(error)}"
        return Trouble(why, permanent=True)
    return Trouble(f"cannot reach {address}: {error.strerror or error}", permanent=False)


def _wrong_certificate(error: ssl.SSLCertVerificationError, address: str) -> str:
    code = error.verify_code
    if code == EXPIRED:
        return f"the certificate of {address} has expired; on its machine: ./tailorbird tls renew"
    if code == NOT_YET_VALID:
        return f"the certificate of {address} is not valid yet: is this machine's clock right?"
    if code in OTHER_NAME:
        return f"the certificate of {address} is for other names: {error.verify_message}"
    if code in UNTRUSTED:
        return f"the certificate of {address} is not from the authority in [broker] tls_ca"
    return f"the certificate of {address} is no good: {error.verify_message}"


def _why(error: OSError) -> str:
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    return str(reason).lower().replace("_", " ")


def has_decrypted(opened: Any) -> bool:
    """Tell whether TLS holds bytes that it has read from the socket already: no poll tells of those."""
    return isinstance(opened, ssl.SSLSocket) and opened.pending() > 0
