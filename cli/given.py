"""What stands before every command: the configuration file, and the settings that come from it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from broker.settings import Settings
from broker.settings_reader import Loaded, read_settings

CONFIG = "--config"


@dataclass(frozen=True)
class Given:
    """The configuration file of the command line, and what a command sets above the environment."""

    config: Path | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)

    @property
    def loaded(self) -> Loaded:
        """Read the settings and where they come from. Raises SettingsError."""
        return read_settings(self.config, {**os.environ, **self.overrides})

    @property
    def settings(self) -> Settings:
        """Read the settings. Raises SettingsError."""
        return self.loaded.settings


def given(context: typer.Context) -> Given:
    """Return what was given before the command."""
    found = context.find_object(Given)
    return found if found is not None else Given()


def hoisted(arguments: Sequence[str]) -> list[str]:
    """Move `--config FILE` to the front, so that it may stand before or after the command.

    What follows `--` belongs to another program and stays as it is.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments[:end])
    for word in words:
        if word == CONFIG:
            front += [word, *([] if (value := next(words, None)) is None else [value])]
        else:
            (front if word.startswith(f"{CONFIG}=") else rest).append(word)
    return [*front, *rest, *arguments[end:]]
