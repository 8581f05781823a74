"""`models disagree A B`: where a model on trial and the one that serves, or two on trial, part ways."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from cli.errors import Wrong
from cli.given import given
from cli.screen import answers, table


def disagree(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A")],
    second: Annotated[str, typer.Argument(metavar="B")],
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="How many images, the surest first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show where two bundles answered differently.

    On the images that both have seen: while they served, or in the shadow.
    """
    from store import queries
    from store.disagreements import disagreement, disputed

    with queries.reading(given(context).settings.store) as connection:
        found = disagreement(connection, first, second)
        images = disputed(connection, first, second, limit=limit)
    if not found.images:
        raise Wrong(f"no image was answered by both {first} and {second}")
    if as_json:
        whole = {**asdict(found), "rate": found.rate, "disputed": [asdict(one) for one in images]}
        typer.echo(json.dumps(whole, indent=2, ensure_ascii=False))
        return
    out = answers().print
    out(f"{found.differing:,} of {found.images:,} images have two labels: {found.rate:.2%}")
    if not found.differing:
        return
    out("")
    table((first, second, "images"), [(p.first, p.second, p.images) for p in found.pairs], right=("images",))
    out("")
    table(
        ("job", "folder", "image", first, second),
        [
            (
                one.job_id,
                one.folder,
                one.image,
                f"{one.first} {one.first_confidence:.1%}",
                f"{one.second} {one.second_confidence:.1%}",
            )
            for one in images
        ],
    )
