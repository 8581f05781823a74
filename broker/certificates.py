"""A private certificate authority and the broker's certificate, made and renewed in `<state>/tls`.

    made = make_certificates(folder, names=("broker.example", "192.0.2.7"), days=397)

`ca.crt` is for every client; `server.crt` and `server.key` are the broker's; the authority's own key lies
apart, in `authority/`, and is needed for nothing but the next certificate.
"""

import contextlib
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.errors import BrokerProblem
from broker.private_files import READABLE, make_private_folder, write_private

AUTHORITY_DAYS = 3650
SOON_DAYS = 30
"""A certificate that ends sooner is told of."""
CLOCKS_DIFFER = timedelta(hours=1)
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Validity:
    """From when to when a certificate is valid, and for which names."""

    file: Path
    begins_at: datetime
    ends_at: datetime
    names: tuple[str, ...]

    def left_days(self, now: datetime) -> float:
        """Return how many days are left; negative once it has expired."""
        return (self.ends_at - now) / timedelta(days=1)


def validity_of(file: Path) -> Validity:
    """Return how long a certificate is valid. Raises BrokerProblem when the file cannot be read."""
    found = _read_certificate(file)
    return Validity(file, found.not_valid_before_utc, found.not_valid_after_utc, _names_of(found))


def make_certificates(folder: Path, names: Sequence[str], days: int, now: datetime | None = None) -> Validity:
    """Make a new authority and a certificate for the broker, in the place of any there were.

    From then on clients need the new `ca.crt`. Raises BrokerProblem for a name that cannot stand in one.
    """
    now = now or datetime.now(UTC)
    wanted = _checked_names(names)
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority_certificate(key, now)
    with _writing(folder):
        make_private_folder(folder, 0o755)
        make_private_folder(folder / "authority")
        write_private(folder / "authority" / "ca.key", _pem_of_key(key))
        write_private(folder / "ca.crt", authority.public_bytes(serialization.Encoding.PEM), READABLE)
    return _issue(folder, _Authority(authority, key), wanted, days, now)


def renew_certificate(folder: Path, names: Sequence[str], days: int, now: datetime | None = None) -> Validity:
    """Make a new certificate for the broker with the authority that is there; clients notice nothing.

    Without names it is for those of the one before. Raises BrokerProblem when there is no authority.
    """
    now = now or datetime.now(UTC)
    authority = _Authority(_read_certificate(folder / "ca.crt"), _read_key(folder / "authority" / "ca.key"))
    wanted = _checked_names(names) if names else validity_of(folder / "server.crt").names
    if authority.certificate.not_valid_after_utc <= now:
        raise BrokerProblem(
            f"{folder / 'ca.crt'} has expired; make a new one, and give it to every client:"
            " ./tailorbird tls init --force"
        )
    return _issue(folder, authority, wanted, days, now)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BrokerProblem(f"{error.filename or folder}: cannot be written: {error.strerror}") from error


def _checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names and the machine's own, each once. Raises BrokerProblem for one that is none."""
    for name in names:
        if not name or not name.isascii() or not name.isprintable() or set(name) & set(" /@,"):
            raise BrokerProblem(f"{name!r} is no host name and no address")
        if ":" in name and _address(name) is None:
            raise BrokerProblem(f"{name!r}: a certificate is for a host, without a port")
    return tuple(dict.fromkeys([*names, *LOCAL_NAMES]))


@dataclass(frozen=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def _issue(folder: Path, by: _Authority, names: Sequence[str], days: int, now: datetime) -> Validity:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _server_certificate(key, by, names, days, now)
    # The broker reads both when it starts or is told to, so for a moment they need not fit each other.
    with _writing(folder):
        write_private(folder / "server.key", _pem_of_key(key))
        write_private(folder / "server.crt", certificate.public_bytes(serialization.Encoding.PEM), READABLE)
    return validity_of(folder / "server.crt")


def _authority_certificate(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    """Return a certificate that may sign others, and those only for servers (RFC 5280, 4.2.1)."""
    name = _named(f"Tailorbird's own authority of {now:%Y-%m-%d}")
    return (
        _begun(name, name, key, now, now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _server_certificate(
    key: ec.EllipticCurvePrivateKey, by: _Authority, names: Sequence[str], days: int, now: datetime
) -> x509.Certificate:
    ends_at = min(now + timedelta(days=days), by.certificate.not_valid_after_utc)
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
    return (
        _begun(_named("Tailorbird's broker"), by.certificate.subject, key, now, ends_at)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(one) for one in names]), critical=False)
        .add_extension(authority_id, critical=False)
        .sign(by.key, hashes.SHA256())
    )


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    ends_at: datetime,
) -> x509.CertificateBuilder:
    """Return what both certificates begin with."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, ends_at) - CLOCKS_DIFFER)
        .not_valid_after(ends_at)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _general_name(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)


def _names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(one.value) for one in found.value)


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key for a file that its mode protects, since nobody is there to type a password."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _read_certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except FileNotFoundError as error:
        raise BrokerProblem(f"there is no {file}; type: ./tailorbird tls init") from error
    except (OSError, ValueError) as error:
        raise BrokerProblem(f"{file}: no certificate that can be read: {error}") from error


def _read_key(file: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise BrokerProblem(
            f"there is no {file}: without it nothing can be renewed; put it back, or make a new authority,"
            " which every client then needs: ./tailorbird tls init --force"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise BrokerProblem(f"{file}: no key that can be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BrokerProblem(f"{file}: no key that Tailorbird has made")
    return key
