"""Certificates of one's own: what is made, for whom, how long, and who may read it."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.certificates import make_certificates, renew_certificate, validity_of
from broker.errors import BrokerProblem

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def modes(folder: Path) -> dict[str, int]:
    """Return who may do what with each file and folder."""
    return {str(one.relative_to(folder)): stat.S_IMODE(one.stat().st_mode) for one in folder.rglob("*")}


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Certificates are for everybody; the authority's key lies apart."""
    make_certificates(tmp_path / "tls", ["broker.example"], days=30)
    expected = {
        "ca.crt": 0o644,
        "server.crt": 0o644,
        "server.key": 0o600,
        "authority": 0o700,
        "authority/ca.key": 0o600,
    }
    assert expected == modes(tmp_path / "tls")


def test_certificate_is_for_the_names_and_this_machine(tmp_path: Path) -> None:
    """Names and addresses, each once."""
    made = make_certificates(
        tmp_path, ["broker.example", "192.0.2.7", "broker.example", "2001:db8::1"], 30, NOW
    )
    assert ("broker.example", "192.0.2.7", "2001:db8::1", "localhost", "127.0.0.1", "::1") == made.names
    assert made == validity_of(tmp_path / "server.crt")


def test_days_left_are_counted_from_now(tmp_path: Path) -> None:
    """Less than none once it has expired."""
    made = make_certificates(tmp_path, [], 30, NOW)
    assert NOW + timedelta(days=30) == made.ends_at
    assert [29.5, -1.0] == [made.left_days(NOW + timedelta(days=days)) for days in (0.5, 31)]


def test_renewed_certificate_is_of_the_same_authority(tmp_path: Path) -> None:
    """For the same names unless others are given; another key, and clients' ca.crt stays."""
    before = make_certificates(tmp_path, ["a.example"], 30, NOW)
    authority, key = (tmp_path / "ca.crt").read_bytes(), (tmp_path / "server.key").read_bytes()
    after = renew_certificate(tmp_path, [], 30, NOW + timedelta(days=20))
    assert (before.names, NOW + timedelta(days=50)) == (after.names, after.ends_at)
    assert authority == (tmp_path / "ca.crt").read_bytes()
    assert key != (tmp_path / "server.key").read_bytes()
    assert "b.example" == renew_certificate(tmp_path, ["b.example"], 30, NOW).names[0]


def test_certificate_does_not_outlive_its_authority(tmp_path: Path) -> None:
    """Nobody would trust the rest of it; and an authority that has expired makes none."""
    make_certificates(tmp_path, [], 30, NOW)
    ends_at = validity_of(tmp_path / "ca.crt").ends_at
    assert ends_at == renew_certificate(tmp_path, [], 3000, ends_at - timedelta(days=10)).ends_at
    with pytest.raises(BrokerProblem, match=r"ca\.crt has expired; .*tls init --force"):
        renew_certificate(tmp_path, [], 30, ends_at + timedelta(days=1))


@pytest.mark.parametrize("name", ["", "a b", "broker.example:8883", "mqtt://a", "u@a", "käse.example", "a\n"])
def test_name_that_is_none_is_refused_and_nothing_is_made(tmp_path: Path, name: str) -> None:
    """A certificate for it would be trusted by nobody."""
    with pytest.raises(BrokerProblem, match=r"no host name|without a port"):
        make_certificates(tmp_path, [name], 30)
    assert [] == list(tmp_path.iterdir())


def test_nothing_to_renew_is_one_line_that_says_what_to_type(tmp_path: Path) -> None:
    """No authority, or one whose key was kept elsewhere."""
    with pytest.raises(BrokerProblem, match=r"there is no \S+ca\.crt; type: \./tailorbird tls init"):
        renew_certificate(tmp_path, [], 30)
    make_certificates(tmp_path, [], 30)
    (tmp_path / "authority" / "ca.key").unlink()
    with pytest.raises(BrokerProblem, match=r"there is no \S+ca\.key: without it nothing can be renewed"):
        renew_certificate(tmp_path, [], 30)
    (tmp_path / "authority" / "ca.key").write_bytes(b"no key")
    with pytest.raises(BrokerProblem, match=r"ca\.key: no key that can be read"):
        renew_certificate(tmp_path, [], 30)
    (tmp_path / "server.crt").write_bytes(b"none")
    with pytest.raises(BrokerProblem, match=r"server\.crt: no certificate that can be read"):
        validity_of(tmp_path / "server.crt")
