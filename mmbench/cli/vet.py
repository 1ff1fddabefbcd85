"""``mmbench vet``: are results from elsewhere what they say?"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmbench.cli.options import Json
from mmbench.cli.quantities import seconds
from mmbench.problems import UserError

if TYPE_CHECKING:
    from mmbench.results.read import Reading


def vet(
    results: Annotated[Path, typer.Argument(help="A folder of results that somebody sent.")],
    again: Annotated[
        int, typer.Option(min=0, help="So many of the cells are made again, the cheapest first.")
    ] = 1,
    each_plugin: Annotated[
        bool, typer.Option("--each-plugin", help="So many of each plugin's cells.")
    ] = False,
    within: Annotated[
        str | None, typer.Option(help="Make none again that took longer: 90s, 30m, 2h.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", help="Only these datasets (ids or aliases): demo,beauty."),
    ] = None,
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
      mmbench vet leaderboards/results --data demo,ml --each-plugin --within 20m
    """
    from mmbench.cli.boards import dataset_ids, read_folder
    from mmbench.cli.screen import make_console
    from mmbench.cli.status import spinning
    from mmbench.grid.registry import split_list
    from mmbench.vet import vet

    reading = read_folder(results, "RESULTS")
    if data is not None:
        asked = {name: dataset_ids(name) for name in split_list(data)}
        if not asked:
            raise typer.BadParameter("it names no dataset", param_hint="--data")
        reading = _on(reading, asked)
    longest = seconds(within, "--within")
    with spinning(make_console(stderr=True), "vetting") as say:
        found = vet(
            reading,
            again=again,
            each_plugin=each_plugin,
            within=math.inf if longest is None else longest,
            say=say,
        )
    if as_json:
        print(json.dumps([dataclasses.asdict(one) for one in found], indent=1))
    else:
        for one in found:
            print(f"{one.state} {one.check}: {one.of}" + (f": {one.told}" if one.told else ""))
        failed = sum(one.state == "failed" for one in found)
        skipped = sum(one.state == "skipped" for one in found)
        print(f"{len(found)} checks, {failed} failed, {skipped} skipped")
    raise typer.Exit(int(any(one.state == "failed" for one in found)))


def _on(reading: Reading, asked: Mapping[str, Collection[str]]) -> Reading:
    """What lies there on datasets, ``{name: ids}``. Raises UserError for one without a result."""
    there = {record.cell.dataset for record in reading.records}
    for name, ids in asked.items():
        if there.isdisjoint(ids):
            known = ", ".join(sorted(there)) or "none at all"
            raise UserError(f"no results on {name}; there are: {known}")
    wanted = {identity for ids in asked.values() for identity in ids}
    return dataclasses.replace(
        reading, records=tuple(one for one in reading.records if one.cell.dataset in wanted)
    )
