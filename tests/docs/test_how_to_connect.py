"""The how-to's examples, as they stand there, against a line that is open to other machines."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.access import add_client
from broker.certificates import make_certificates
from broker.client_accounts import ROLES, Role
from broker.mosquitto_rights import rights_of
from broker.settings_reader import PROJECT, read_settings
from broker.topics import Topics
from tests.cli.conftest import PICTURES, Started, environment
from tests.waiting import free_port, until

pytestmark = pytest.mark.slow

HOW_TO = PROJECT / "docs" / "how-to"
CONFIGURATION = """\
[paths]
state = "state"

[broker]
host = "127.1"  # loopback by a name that nobody knows for it, so with TLS
port = {port}
local_port = {local_port}

[dashboard]
port = 0

[ingest_agent]
quiet_s = 0.3
canary_s = 0.0  # the shell example takes the first message that comes
"""


def blocks(page: str, language: str) -> list[str]:
    """Return a page's examples in a language."""
    text = (HOW_TO / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


class Outside:
    """A line with clients of its own, and a folder in which one of them keeps what it was given."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "config.toml"
        self.config.write_text(CONFIGURATION.format(port=free_port(), local_port=free_port()))
        self.settings = read_settings(self.config, {}).settings
        make_certificates(folder / "state" / "tls", ["127.0.0.1"], days=2)
        self.folder = folder / "client"
        self.folder.mkdir()
        shutil.copy(folder / "state" / "tls" / "ca.crt", self.folder)
        (self.folder / "samples").symlink_to(PROJECT / "samples")
        clients: dict[str, Role] = {"watcher": "reader", "till-1": "source"}
        for name, role in clients.items():
            (self.folder / f"{name}.password").write_text(f"{add_client(self.settings, name, role)}\n")
        self.line = Started(["up", "--config", str(self.config)], folder / "output")
        self.line.wait_for("Ctrl-C stops it.")

    def here(self, example: str) -> str:
        """Put this line's address in the place of the usual one."""
        return example.replace("broker.example", "127.0.0.1").replace("8883", str(self.settings.broker.port))

    def drop(self) -> None:
        """Drop a photo, in a folder of its own."""
        folder = self.settings.ingest_agent.inbox / str(time.monotonic_ns())
        folder.mkdir()
        shutil.copy(PICTURES / "Bag" / "black.jpg", folder)

    def begin(self, command: list[str]) -> subprocess.Popen[str]:
        """Start an example in the client's folder, which is its home as well."""
        home = {"HOME": str(self.folder), "XDG_CONFIG_HOME": ""}
        env = {name: value for name, value in {**environment(), **home}.items() if value}
        return subprocess.Popen(command, cwd=self.folder, env=env, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def outside(mosquitto_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """A running line for this page."""
    made = Outside(tmp_path_factory.mktemp("outside"))
    yield made
    assert 0 == made.line.stop()


def first_line(outside: Outside, process: subprocess.Popen[str]) -> str:
    """Drop photos until the example has printed something; it subscribes when it is ready to."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    said = ""
    dropped_at = 0.0

    def look() -> str:
        nonlocal said, dropped_at
        assert process.stdout is not None
        if time.monotonic() - dropped_at > 1.0:
            outside.drop()
            dropped_at = time.monotonic()
        said += process.stdout.readline() or ""
        return said if said.endswith("\n") else ""

    try:
        return until(look)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_python_example_prints_predictions(outside: Outside) -> None:
    """A reader's, over TLS."""
    example = outside.here(blocks("connect-other-programs.md", "python")[0])
    said = first_line(outside, outside.begin([sys.executable, "-c", example]))
    assert said.startswith("black.jpg Bag 0.")


def test_shell_example_prints_predictions(outside: Outside) -> None:
    """With Mosquitto's own program, whose options stand in a file."""
    if shutil.which("mosquitto_sub") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("mosquitto_sub is not installed")
        pytest.skip("mosquitto_sub is not installed")
    (example,) = blocks("connect-other-programs.md", "sh")
    # A shell stays beside the program it started, so it becomes it: then it ends with the test.
    command = outside.here(example).replace("\nmosquitto_sub", "\nexec mosquitto_sub")
    found = json.loads(first_line(outside, outside.begin(["sh", "-c", command])))
    assert "Bag" == found["predictions"][0]["label"]
    options = outside.folder / ".config" / "mosquitto_sub"
    assert 0o600 == options.stat().st_mode & 0o777


def test_source_example_prints_its_answer(outside: Outside) -> None:
    """The other page's program with this page's three lines in it."""
    user, tls, connect = blocks("connect-other-programs.md", "python")[1].splitlines()
    example = blocks("ask-from-your-program.md", "python")[0]
    example = re.sub(r"^client\.username_pw_set.*$", f"{user}\n{tls}", example, flags=re.MULTILINE)
    example = re.sub(r"^client\.connect\(.*$", connect, example, flags=re.MULTILINE)
    for place in ('"source": "client"', "answers/client", "pixels/client"):
        example = example.replace(place, place.replace("client", "till-1"))
    process = outside.begin([sys.executable, "-c", outside.here(example)])
    said, _ = process.communicate(timeout=60)
    assert "till-1" == json.loads(said)["source"]
    assert "Bag" == json.loads(said)["predictions"][0]["label"]


def test_page_names_every_right_of_each_role() -> None:
    """The table says no more and no less than the broker's rights."""
    text = (HOW_TO / "connect-other-programs.md").read_text("utf-8")
    topics = Topics()
    for role in ROLES:
        (row,) = re.findall(rf"^\| `{role}` \|(.*)\|(.*)\|$", text, re.MULTILINE)
        for access, cell in zip(("write", "read"), row, strict=True):
            kinds = {topics.kind(topic) for kind, topic in rights_of(role, topics, "NAME") if kind == access}
            assert kinds == {word.split("/")[0] for word in re.findall(r"`([a-zA-Z/]+)`", cell)}
