"""The configuration, read once at the edge: a TOML file, then the environment over it.

A wrong key or value is one line: the file (or the variable), the key, what was expected, what came, and the
nearest right name.
"""

import difflib
import functools
import math
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from broker.errors import SettingsError
from broker.setting_words import expected
from broker.settings import Settings
from broker.settings_agreement import agree

PROJECT = Path(__file__).resolve().parent.parent
PREFIX = "TAILORBIRD__"
DEFAULT = "default"
SQLITE = "sqlite:///"
PLACEHOLDER = re.compile(r"\{\w*\}")
FROM_TEXT: dict[type, type] = {
    msgspec.inspect.BoolType: bool,
    msgspec.inspect.IntType: int,
    msgspec.inspect.FloatType: float,
}


@dataclass(frozen=True)
class Loaded:
    """The settings and where each came from."""

    settings: Settings
    origins: Mapping[str, str]
    """`section.key` -> "default", the file's name, or the variable's."""
    file: Path | None


@dataclass(frozen=True)
class _Given:
    """One value as it was given: by whom, and where its relative paths begin."""

    value: Any
    origin: str
    folder: Path


def read_settings(file: Path | None, environ: Mapping[str, str]) -> Loaded:
    """Return the settings of `file` (without one: the project's `config.toml`) and the environment.

    Raises SettingsError with one line for the administrator.
    """
    found = _file_of(file)
    given = {f"{s}.{k}": _Given(d, DEFAULT, PROJECT) for s, k, d in _defaults()}
    if found is not None:
        given.update(_from_file(found))
    given.update(_from_environment(environ))
    settings = _build(given)
    return Loaded(settings, {key: one.origin for key, one in given.items()}, found)


def default_settings(state: Path) -> Settings:
    """Return the settings that nobody has changed, with this folder of state."""
    given = {f"{s}.{k}": _Given(d, DEFAULT, PROJECT) for s, k, d in _defaults()}
    return _build({**given, "paths.state": _Given(state, DEFAULT, PROJECT)})


def _file_of(file: Path | None) -> Path | None:
    if file is not None:
        return file.expanduser().resolve()
    own = PROJECT / "config.toml"
    return own if own.is_file() else None


@functools.cache
def sections() -> dict[str, dict[str, msgspec.inspect.Field]]:
    """Return every key's type and bounds: section -> key -> field, in the order of the file."""
    whole = cast("msgspec.inspect.StructType", msgspec.inspect.type_info(Settings))
    return {
        part.name: {key.name: key for key in cast("msgspec.inspect.StructType", part.type).fields}
        for part in whole.fields
    }


def _defaults() -> Iterator[tuple[str, str, Any]]:
    plain = Settings()
    for section, keys in sections().items():
        for key in keys:
            yield section, key, getattr(getattr(plain, section), key)


def _from_file(file: Path) -> Iterator[tuple[str, _Given]]:
    for section, table in _parse(file).items():
        _known(section, sections(), f"{file}: [{section}]", "section")
        if not isinstance(table, dict):
            raise SettingsError(f"{file}: {section}: expected a section [{section}], not {table!r}")
        for key, value in table.items():
            where = f"{file}: [{section}] {key}"
            _known(key, sections()[section], where, "key")
            yield f"{section}.{key}", _Given(_checked(section, key, value, where), str(file), file.parent)


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: no valid TOML: {error}") from error


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, _Given]]:
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        _known(section, sections(), name, "section")
        _known(key, sections()[section], name, "key")
        value = _untext(section, key, environ[name])
        yield f"{section}.{key}", _Given(_checked(section, key, value, name), name, Path.cwd())


def _known(name: str, names: Mapping[str, Any], where: str, what: str) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
        near.sort(key=lambda other: sorted(other) != sorted(name))  # two letters swapped come first
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise SettingsError(f"{where}: there is no {what} {name!r}; {hint}")


def _untext(section: str, key: str, text: str) -> Any:
    """Turn a variable's text into what TOML would have given; a list is separated by commas."""
    kind = sections()[section][key].type
    if isinstance(kind, msgspec.inspect.VarTupleType):
        return [part.strip() for part in text.split(",") if part.strip()]
    plain = FROM_TEXT.get(type(kind))
    try:
        return text if plain is None else msgspec.convert(text.strip(), plain, strict=False)
    except msgspec.ValidationError:
        return text


def _checked(section: str, key: str, value: Any, where: str) -> Any:
    kind = type(getattr(Settings(), section)).__annotations__[key]
    try:
        return msgspec.convert(_finite(value), kind, dec_hook=_to_path)
    except (msgspec.ValidationError, TypeError, OverflowError) as error:
        wanted = expected(sections()[section][key].type)
        raise SettingsError(f"{where}: expected {wanted}, not {value!r}") from error


def _finite(value: Any) -> Any:
    """Return a value; nan, which lies within all bounds, and inf are none. Raises TypeError."""
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError
    return value


def _to_path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str) and value and "\0" not in value:
        return Path(value)
    raise TypeError


def _build(given: Mapping[str, _Given]) -> Settings:
    state = _below(given["paths.state"].folder, given["paths.state"].value)
    values: dict[str, dict[str, Any]] = {}
    for name, one in given.items():
        section, key = name.split(".")
        values.setdefault(section, {})[key] = _placed(one, str(state), f"{one.origin}: [{section}] {key}")
    plain = Settings()
    settings = Settings(**{s: type(getattr(plain, s))(**keys) for s, keys in values.items()})
    agree(settings, {name: one.origin for name, one in given.items()})
    return settings


def _placed(one: _Given, state: str, where: str) -> Any:
    """Put the state's folder in, and make a relative path absolute."""
    if isinstance(one.value, Path):
        return _below(one.folder, Path(_filled(str(one.value), state, where)))
    if isinstance(one.value, str):
        is_file = one.value.startswith(SQLITE)
        text = _filled(one.value, state, where) if is_file else one.value.replace("{state}", state)
        if text.startswith(SQLITE) and text != SQLITE and not text.startswith(f"{SQLITE}:memory:"):
            return SQLITE + str(_below(one.folder, Path(text.removeprefix(SQLITE))))
        return text
    return one.value


def _filled(text: str, state: str, where: str) -> str:
    """Put the state's folder in. Raises SettingsError for another word in braces, which nobody would fill."""
    for word in PLACEHOLDER.findall(text):
        if word != "{state}":
            raise SettingsError(
                f"{where}: there is no {word}; there is {{state}}, the folder of [paths] state"
            )
    return text.replace("{state}", state)


def _below(folder: Path, path: Path) -> Path:
    try:
        return Path(os.path.normpath((folder / path.expanduser()).absolute()))
    except RuntimeError as error:
        raise SettingsError(f"{path}: nobody here is called {path.parts[0][1:]!r}") from error
