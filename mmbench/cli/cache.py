"""``mmbench cache``: what can be made again, and making room."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer

from mmbench.cli.options import Json
from mmbench.cli.quantities import bytes_of, days

cache_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look at what mmbench keeps to save work, and make room.",
)
Kind = Annotated[
    list[str] | None, typer.Option("--kind", help="prepared, downloads, drawn, ... Repeatable.")
]


@cache_app.command("ls")
def list_cache(as_json: Json = False) -> None:
    """List the cache: kind, size, days since it was used, and what nothing needs.

    \b
    Examples:
      mmbench cache ls
      mmbench cache ls --json
    """
    from rich.table import Table

    from mmbench.cli.screen import make_console
    from mmbench.data.places import cache_home
    from mmbench.data.tidy import entries

    found, now = entries(cache_home()), time.time()
    rows = [
        {
            "kind": one.kind,
            "name": one.name,
            "bytes": one.size,
            "days": round((now - one.used) / 86400, 1),
            "idle": one.idle,
        }
        for one in found
    ]
    if as_json:
        print(json.dumps({"folder": str(cache_home()), "entries": rows}, indent=1))
        return
    console = make_console()
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("kind", "name", "MB", "days", "not needed, as"):
        grid.add_column(
            name, overflow="fold", justify="right" if name in ("MB", "days") else "left"
        )
    for one, row in zip(found, rows, strict=True):
        grid.add_row(one.kind, one.name, f"{one.size / 1e6:,.1f}", f"{row['days']:,}", one.idle)
    console.print(grid)
    total = sum(one.size for one in found) / 1e6
    idle = sum(one.size for one in found if one.idle) / 1e6
    console.print(
        f"{total:,.1f} MB in {cache_home()}, {idle:,.1f} MB of it not needed", markup=False
    )


@cache_app.command("clean")
def clean_cache(
    kind: Kind = None,
    older: Annotated[
        str | None, typer.Option("--older", help="Only what was not used for so long: 30d.")
    ] = None,
    larger: Annotated[str | None, typer.Option("--larger", help="Only what is larger: 1G.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Remove what nothing needs, or what the options say; all of it can be made again.

    No dataset, photograph or result is in the cache. Weights that were fetched are: --kind models
    removes them. Do not clean while something runs.

    \b
    Examples:
      mmbench cache clean
      mmbench cache clean --older 30d --larger 100M --dry-run
      mmbench cache clean --kind downloads --kind drawn
    """
    from mmbench.cli.screen import make_console
    from mmbench.data.places import cache_home
    from mmbench.data.tidy import KINDS, choose, entries, remove

    for word in kind or ():
        if word not in KINDS:
            raise typer.BadParameter(f"--kind is one of {', '.join(KINDS)}, not {word}")
    chosen = choose(
        entries(cache_home()),
        kinds=tuple(kind or ()),
        older=days(older),
        larger=bytes_of(larger, "--larger"),
    )
    for entry in chosen if not dry_run else ():
        remove(entry)
    if as_json:
        names = [f"{one.kind}/{one.name}" for one in chosen]
        print(json.dumps({"removed": not dry_run, "entries": names}, indent=1))
        return
    console = make_console()
    for one in chosen:
        told = f"{one.kind}/{one.name}  {one.size / 1e6:,.1f} MB  {one.idle}"
        console.print(told.rstrip(), markup=False, soft_wrap=True)
    word = "would be removed" if dry_run else "removed"
    total = sum(one.size for one in chosen)
    console.print(f"{len(chosen)} pieces, {total / 1e6:,.1f} MB {word}", markup=False)
