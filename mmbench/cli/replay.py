"""``mmbench replay``: tell observers of cells that are stored."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mmbench.cli import completion


def replay(
    results: Annotated[Path, typer.Argument(help="A folder of results.")],
    observer: Annotated[
        list[str],
        typer.Option(
            metavar="NAME[:KEY=VALUE,...]",
            help="An observer plugin to tell. Repeatable.",
            autocompletion=completion.observers,
        ),
    ],
) -> None:
    """Tell observers of every stored cell, as of a run: for a dashboard that is new.

    Neither models nor data are needed, and no result is touched. An observer that was told of a
    cell before is told once more. mmbench run --replay does so for the cells of its grid.

    \b
    Examples:
      mmbench replay results --observer jsonl:path=cells.jsonl
      mmbench replay results --observer wandb:project=shop --observer tensorboard
    """
    from mmbench.grid.observer_options import parse_observers
    from mmbench.grid.observers import Watchers
    from mmbench.grid.observers import replay as tell_all
    from mmbench.problems import UserError
    from mmbench.results.read import read_results

    if not results.is_dir():
        raise UserError(f"{results} is not a folder of results")
    with Watchers(parse_observers(observer)) as watchers:
        found = read_results(results)
        count = tell_all(found.records, results, watchers)
    for problem in found.problems:
        print(f"left out: {problem}", file=sys.stderr)
    print(f"told of {count} stored cells")
