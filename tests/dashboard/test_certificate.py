"""The page's certificate, as a browser is shown it."""

import os
import ssl
from pathlib import Path

import pytest

from broker.certificates import make_certificates, renew_certificate
from broker.errors import BrokerProblem
from broker.settings import Dashboard
from dashboard.certificate import LOOK_S, Certificate


class Clock:
    """Time that a test turns."""

    now = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


def shown(server: ssl.SSLContext) -> bytes | None:
    """Return the certificate that a client is shown, without a network."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    to, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [trusting.wrap_bio(back, to), server.wrap_bio(to, back, server_side=True)]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[0].getpeercert(binary_form=True)


def test_renewed_certificate_is_shown_from_then_on(tmp_path: Path) -> None:
    """Without a restart; one that cannot be used leaves the old one where it is."""
    make_certificates(tmp_path, ["photos.example"], days=2)
    page = Dashboard(tls="on", tls_certificate=tmp_path / "server.crt", tls_key=tmp_path / "server.key")
    clock = Clock()
    made = Certificate(page, clock)
    first = shown(made.context)
    assert ssl.PEM_cert_to_DER_cert(page.tls_certificate.read_text("ascii")) == first

    renew_certificate(tmp_path, [], days=2)
    os.utime(page.tls_certificate, ns=(1, 1))  # another time, however coarse the disk's clock is
    made.step()
    assert first == shown(made.context)
    clock.now += LOOK_S
    made.step()
    second = shown(made.context)
    assert ssl.PEM_cert_to_DER_cert(page.tls_certificate.read_text("ascii")) == second != first

    page.tls_key.write_text("no key", "ascii")
    os.utime(page.tls_key, ns=(2, 2))
    clock.now += LOOK_S
    made.step()
    assert second == shown(made.context)


def test_certificate_that_is_missing_or_wrong_is_one_sentence(tmp_path: Path) -> None:
    """With the key, and what to type."""
    page = Dashboard(tls="on", tls_certificate=tmp_path / "server.crt", tls_key=tmp_path / "server.key")
    with pytest.raises(
        BrokerProblem, match=r"^\[dashboard\] tls_certificate: there is no .*; type: .*tls init$"
    ):
        Certificate(page)
    for file in (page.tls_certificate, page.tls_key):
        file.write_text("nothing", "ascii")
    with pytest.raises(BrokerProblem, match=r"^\[dashboard\] tls_certificate and tls_key: .* cannot be used"):
        Certificate(page)
