"""The table of hostile input names tests that exist."""

import ast
import re

import pytest

from broker.settings_reader import PROJECT

PAGE = (PROJECT / "docs" / "explanation" / "hostile-input.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line][1:]
NAMED = sorted(set(re.findall(r"`(tests/[^`]*)::([^`]*)`", PAGE)))


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_named_test_exists(file: str, name: str) -> None:
    """As a function of that file."""
    tree = ast.parse((PROJECT / file).read_text("utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_row_names_a_test() -> None:
    """What is claimed is tried."""
    assert [] == [row for row in ROWS if len(re.findall(r"`tests/[^`]*::[^`]*` \|$", row)) != 1]
    assert len(ROWS) > 40


@pytest.mark.parametrize(
    "file",
    [
        "tests/broker/test_hostile_messages.py",
        "tests/broker/test_flood.py",
        "tests/ingest_agent/test_hostile_inbox.py",
        "tests/model/test_hostile_files.py",
    ],
)
def test_every_file_of_hostile_input_is_in_the_table(file: str) -> None:
    """A new kind of harm is not forgotten there."""
    assert file in {named for named, _ in NAMED}
