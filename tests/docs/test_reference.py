"""The reference names every command, option, key, topic, field and column; links lead somewhere."""

import inspect
import re
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from typer.main import get_command

from broker import messages
from broker.messages import Message
from broker.settings import Settings
from broker.settings_reader import PROJECT
from broker.topics import Topics
from cli.application import app
from store import schema, views

REFERENCE = PROJECT / "docs" / "reference"
FILTERS = {"everything", "shared", "kind", "last"}
PARTS = {
    *("Message", "StoredImage", "FailedImage", "ClassSummary", "Prediction"),
    *("Expectations", "ClassExpectation", "Reference", "ModelDifference"),
}


def text(name: str) -> str:
    """Return a page of the reference."""
    return (REFERENCE / name).read_text("utf-8")


def section(page: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of its level."""
    level = heading.split(" ", 1)[0]
    _, found, rest = page.partition(f"\n{heading}")
    assert found, f"there is no heading {heading!r}"
    return re.split(rf"\n#{{1,{len(level)}}} ", rest)[0]


def all_commands() -> list[tuple[str, list[str]]]:
    """Return every command with the long names of its options."""
    found = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        for word, one in (inner or {"": command}).items():
            options = [option for param in one.params for option in param.opts if option.startswith("--")]
            found.append((f"{name} {word}".strip(), [option for option in options if option != "--help"]))
    return found


@pytest.mark.parametrize(("command", "options"), all_commands())
def test_command_and_its_options_stand_in_the_reference(command: str, options: list[str]) -> None:
    """Below a heading of its own."""
    below = section(text("commands.md"), f"### `{command}")
    assert [] == [option for option in options if f"`{option}" not in below and f" {option}" not in below]


@pytest.mark.parametrize("name", Settings().__struct_fields__)
def test_key_and_its_default_stand_in_the_reference(name: str) -> None:
    """As a row of the section's table."""
    page = section(text("configuration.md"), f"## `[{name}]`")
    table = getattr(Settings(), name)
    for key in table.__struct_fields__:
        value = getattr(table, key)
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        expected = f"| `{key}` | " + ("" if isinstance(value, tuple) else f"`{shown}` |")
        assert expected in page


def test_default_of_each_key_is_the_one_in_config_toml() -> None:
    """The shipped file says in full what would happen without it."""
    content = msgspec.toml.decode((PROJECT / "config.toml").read_bytes())
    plain = msgspec.to_builtins(Settings(), enc_hook=str)
    assert {s: dict(keys) for s, keys in plain.items()} == {
        s: {k: tuple(v) if isinstance(v, list) else v for k, v in keys.items()} for s, keys in content.items()
    }


def test_every_topic_stands_in_the_reference() -> None:
    """With its levels."""
    page = text("topics.md")
    topics = Topics("r")
    for name, method in inspect.getmembers(topics, inspect.ismethod):
        if not name.startswith("_") and name not in FILTERS:
            levels = method(*["<x>" for _ in inspect.signature(method).parameters]).removeprefix("r/v1/")
            pattern = re.escape(levels).replace("<x>", "<[a-z]+>")
            assert re.search(rf"^\| `{pattern}` \|", page, re.MULTILINE), levels


def kinds() -> list[type[Message]]:
    """Return the messages that travel by themselves."""
    every = inspect.getmembers(messages, inspect.isclass)
    return [kind for name, kind in every if issubclass(kind, Message) and name not in PARTS]


@pytest.mark.parametrize("kind", kinds())
def test_every_field_of_a_message_stands_in_the_reference(kind: type[Message]) -> None:
    """Below the message's heading."""
    below = section(text("topics.md"), f"### {kind.__name__}")
    assert [] == [name for name in kind.__struct_fields__ if f"`{name}`" not in below]


@pytest.mark.parametrize("table", schema.metadata.sorted_tables, ids=str)
def test_every_column_of_a_table_stands_in_the_reference(table: sa.Table) -> None:
    """Below the table's heading; the ten probabilities as `p0` to `p9`."""
    below = section(text("tables.md"), f"## `{table.name}`")
    names = [column.name for column in table.columns if not re.fullmatch(r"p[1-8]", column.name)]
    assert [] == [name for name in names if f"`{name}`" not in below]


@pytest.mark.parametrize("view", views.statements("sqlite"))
def test_every_view_stands_in_the_reference(view: str) -> None:
    """With a row of its own."""
    assert f"\n| `{view}` | " in text("tables.md")


def pages() -> list[Path]:
    """Return every page of Markdown that belongs to the project."""
    return [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    """A moved file is noticed."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert [] == [link for link in local if not (page.parent / link).exists()]
