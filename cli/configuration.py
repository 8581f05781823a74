"""`config show` and `config check`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.setting_words import shown, without_password
from broker.settings_reader import Loaded
from cli.given import given
from cli.screen import answers, table

group = typer.Typer(
    help="Show or check the configuration.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="config")


@group.command()
def show(
    context: typer.Context,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show every setting as the services see it."""
    loaded = given(context).loaded
    if as_json:
        typer.echo(json.dumps(_as_dict(loaded, origin=origin), indent=2, ensure_ascii=False))
        return
    rows = [(f"[{s}] {k}", shown(v), loaded.origins[f"{s}.{k}"]) for s, k, v in values(loaded)]
    columns = ("key", "value", "origin") if origin else ("key", "value")
    table(columns, [row[: len(columns)] for row in rows])


@group.command()
def check(context: typer.Context) -> None:
    """Check the configuration; exit code 0 when it is in order, 3 with one line when it is not."""
    loaded = given(context).loaded
    answers().print(f"{loaded.file or 'the defaults'}: in order")


def values(loaded: Loaded) -> Iterator[tuple[str, str, Any]]:
    """Yield section, key and value of every setting."""
    settings = loaded.settings
    for section in settings.__struct_fields__:
        table_ = getattr(settings, section)
        for key in table_.__struct_fields__:
            yield section, key, getattr(table_, key)


def _as_dict(loaded: Loaded, *, origin: bool) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for section, key, value in values(loaded):
        plain = _plain(value)
        known = {"value": plain, "origin": loaded.origins[f"{section}.{key}"]}
        found.setdefault(section, {})[key] = known if origin else plain
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return without_password(value)
    return str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
