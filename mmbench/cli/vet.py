"""``mmbench vet``: are results from elsewhere what they say?"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from mmbench.cli.options import Json


def vet(
    results: Annotated[Path, typer.Argument(help="A folder of results that somebody sent.")],
    again: Annotated[
        int, typer.Option(min=0, help="So many of the cells are made again, the cheapest first.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Check results from elsewhere before they join a board, and make one again.

    Schema, seal and digests; whether a published board takes them; figures that no ranking can
    have; whether this installation, asked for the same, would make the same cell; and whether the
    cheapest, made again, ranks alike. What cannot be checked here, for the model or the data are
    not, is skipped and says so.

    Exit code 0: nothing failed. 1: something did.

    \b
    Examples:
      mmbench vet leaderboards/results/contributed/ann
      mmbench vet ./sent --again 0 --json
    """
    from mmbench.cli.boards import read_folder
    from mmbench.cli.screen import make_console, show_status
    from mmbench.vet import vet

    reading = read_folder(results, "RESULTS")
    with show_status(make_console(stderr=True), "vetting") as say:
        found = vet(reading, again=again, say=say)
    if as_json:
        print(json.dumps([dataclasses.asdict(one) for one in found], indent=1))
    else:
        for one in found:
            print(f"{one.state} {one.check}: {one.of}" + (f": {one.told}" if one.told else ""))
        failed = sum(one.state == "failed" for one in found)
        skipped = sum(one.state == "skipped" for one in found)
        print(f"{len(found)} checks, {failed} failed, {skipped} skipped")
    raise typer.Exit(int(any(one.state == "failed" for one in found)))
