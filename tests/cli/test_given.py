"""Tests of where `--config` may stand."""

import pytest

from cli.given import hoisted


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config", "my file.toml", "status", "--json"],
        ["status", "--config", "my file.toml", "--json"],
        ["status", "--json", "--config", "my file.toml"],
    ],
)
def test_config_before_or_after_the_command_comes_to_the_front(arguments: list[str]) -> None:
    """Wherever the option stands, the parser sees it before the command."""
    assert ["--config", "my file.toml", "status", "--json"] == hoisted(arguments)


def test_config_with_an_equals_sign_comes_to_the_front() -> None:
    """The form of one word is moved as well."""
    assert ["--config=a.toml", "status"] == hoisted(["status", "--config=a.toml"])


def test_arguments_of_another_program_stay_behind_the_dashes() -> None:
    """What follows `--` is pytest's."""
    assert ["test", "--", "--config", "x"] == hoisted(["test", "--", "--config", "x"])


def test_config_without_a_value_is_left_to_the_parser() -> None:
    """The parser then says that the value is missing."""
    assert ["--config", "status"] == hoisted(["status", "--config"])
