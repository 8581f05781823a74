"""Which names and origins are this machine's own."""

import pytest

from dashboard.guard import is_own


@pytest.mark.parametrize("host", ["127.0.0.1:18880", "localhost:18880", "LOCALHOST", "[::1]:18880"])
def test_loopback_is_own(host: str) -> None:
    """By each of its names, without an origin or with its own."""
    assert is_own(host, [])
    assert is_own(host, [f"http://{host}"])


@pytest.mark.parametrize(
    "host",
    ["", "photos.example", "127.0.0.1.a.example", "127.0.0.1@a.example", "127.0.0.2", "[::1"],
)
def test_other_names_are_not(host: str) -> None:
    """However much they look like it."""
    assert not is_own(host, [])


@pytest.mark.parametrize(
    "origin", ["null", "", "http://photos.example", "http://127.0.0.1:1", "https://127.0.0.1:80"]
)
def test_other_origins_are_not(origin: str) -> None:
    """Another port of this machine is another page."""
    assert not is_own("127.0.0.1:80", [origin])
