"""When a certificate ends: for `doctor`, which looks at whatever certificates are there."""

from datetime import datetime
from pathlib import Path

from broker.errors import BrokerProblem


def ends_at(file: Path) -> datetime:
    """Return when a PEM certificate ends, in UTC. Raises BrokerProblem, one line."""
    try:
        from cryptography import x509  # noqa: PLC0415 - only where there are certificates
    except ImportError as error:
        raise BrokerProblem(f"{file}: the package cryptography is not installed, which reads it") from error
    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        raise BrokerProblem(f"{file}: no certificate can be read there: {error}") from error
