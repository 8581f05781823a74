"""What a training run leaves after each epoch, so that it can go on after an interruption."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

STATE = "state.npz"
HISTORY = "history.json"


class Checkpoint:
    """A directory with the state after the last whole epoch: all that training changes, and the history."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, variables: list[Any]) -> list[dict[str, float]]:
        """Put variables into the saved state and return the history; empty where none is saved."""
        try:
            history: list[dict[str, float]] = json.loads((self._folder / HISTORY).read_text(encoding="utf-8"))
            with np.load(self._folder / STATE, allow_pickle=False) as state:
                values = [state[str(index)] for index in range(len(variables))]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return []
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return history

    def save(self, variables: list[Any], history: list[dict[str, float]]) -> None:
        """Replace the state as a whole, so that an interruption here costs an epoch at most."""
        fresh = self._folder.with_name(f"{self._folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        state = {str(index): variable.numpy() for index, variable in enumerate(variables)}
        np.savez(fresh / STATE, **state)
        (fresh / HISTORY).write_text(json.dumps(history), encoding="utf-8")
        self.remove()
        fresh.rename(self._folder)

    def remove(self) -> None:
        """Forget the state."""
        shutil.rmtree(self._folder, ignore_errors=True)
