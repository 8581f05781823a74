"""The page as a process: it says why it cannot run, and ends cleanly."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from broker.certificates import make_certificates
from broker.settings_reader import PROJECT
from tests.waiting import free_port, until


def started(folder: Path, **keys: object) -> "subprocess.Popen[str]":
    """Start the page with its own state; there is neither a broker nor a database."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TAILORBIRD__")}
    own = {f"TAILORBIRD__DASHBOARD__{name}".upper(): str(value) for name, value in keys.items()}
    environment = {
        **plain,
        **own,
        "PYTHONPATH": str(PROJECT),
        "TAILORBIRD__PATHS__STATE": str(folder / "state"),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "dashboard"], env=environment, stderr=subprocess.PIPE, text=True, cwd=folder
    )


def answers(port: int, authority: Path | None = None) -> bool:
    """Tell whether the page answers, with an authority's certificate where there is one."""
    context = None if authority is None else ssl.create_default_context(cafile=authority)
    url = f"{'http' if context is None else 'https'}://127.0.0.1:{port}/jobs"
    try:
        with urllib.request.urlopen(url, timeout=60, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            {"host": "0.0.0.0"},
            "[dashboard] host: 0.0.0.0 is not loopback, and the page has no account yet; type:",
        ),
        ({"host": "0.0.0.0", "tls": "off"}, "[dashboard] tls: off, and 0.0.0.0 is not loopback: passwords"),
        ({"tls": "on"}, "[dashboard] tls_certificate: there is no "),
        ({"port": 0}, "there is no page: [dashboard] enabled is false, or port is 0"),
        ({"enabled": "false"}, "there is no page: [dashboard] enabled is false, or port is 0"),
    ],
)
def test_page_that_is_not_to_be_says_so_in_one_line(
    tmp_path: Path, keys: dict[str, object], expected: str
) -> None:
    """And ends with 3, so that nobody starts it again and again."""
    process = started(tmp_path, **keys)
    _, said = process.communicate(timeout=60)
    assert 3 == process.returncode
    assert expected in said
    assert 1 == said.count("\n")


def test_page_whose_port_is_taken_says_so_in_one_line(tmp_path: Path) -> None:
    """With the key that names another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = started(tmp_path, port=taken.getsockname()[1])
        _, said = process.communicate(timeout=60)
    assert 3 == process.returncode
    assert "Address already in use; [dashboard] port names another, or 0 for no page" in said


def test_page_ends_cleanly_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """SIGHUP ends nothing; SIGTERM ends it with 0; no file was written."""
    port = free_port()
    process = started(tmp_path, port=port)
    until(lambda: answers(port) or process.poll() is not None)
    process.send_signal(signal.SIGHUP)
    assert process.stderr is not None
    assert "page-served" in process.stderr.readline()
    assert "settings-not-read" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert "" == said
    assert 0 == process.returncode
    assert [] == list(tmp_path.iterdir())


def test_page_speaks_tls_when_it_is_asked_to(tmp_path: Path) -> None:
    """With the certificate that `tls init` makes, and nothing besides."""
    port, folder = free_port(), tmp_path / "state" / "tls"
    folder.parent.mkdir()
    make_certificates(folder, [], days=2)
    process = started(tmp_path, port=port, tls="on")
    until(lambda: answers(port, folder / "ca.crt") or process.poll() is not None, 60.0)
    assert not answers(port)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert f"url=https://127.0.0.1:{port}" in said
    assert 0 == process.returncode
