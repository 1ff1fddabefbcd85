"""``mmbench leaderboard``: boards of stored results, printed or written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mmbench.cli.options import Json


def leaderboard(
    results: Annotated[Path, typer.Argument(help="A folder of results.")] = Path("results"),
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write boards below this folder.")
    ] = None,
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="NAMES",
            help="What to write: markdown, html, csv, latex, or several, comma-separated.",
        ),
    ] = "markdown",
    metrics: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Metrics to show, comma-separated. Rows are ordered and told apart by the first; "
            "the first two have intervals.",
        ),
    ] = "",
    sets: Annotated[
        str, typer.Option("--set", metavar="NAMES", help="Candidate sets, comma-separated.")
    ] = "",
    sort: Annotated[
        str, typer.Option(metavar="NAME", help="Order of rows: a metric, model or fit.")
    ] = "",
    models: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Rows to show, comma-separated: names, models, ids of cells, or 'vlm2rec*'. "
            "Groups and places stay those of all rows.",
        ),
    ] = "",
    published: Annotated[
        bool,
        typer.Option(
            "--published", help="Refuse smoke runs, edited checkouts and rows without a wall."
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if a board in --out is stale.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the boards of stored results, or write them.

    An HTML board is one file that needs no other: it can be sorted and filtered, and read without
    its script. CSV holds figures with all their digits, a file a table. LaTeX wants booktabs.

    \b
    Examples:
      mmbench leaderboard results
      mmbench leaderboard results --set unseen --metrics ndcg@10,mrr --models 'sasrec*,pop'
      mmbench leaderboard results -o boards --format html,latex
      mmbench leaderboard leaderboards/results -o leaderboards --check
    """
    from mmbench import report
    from mmbench.cli.boards import print_boards, read_folder
    from mmbench.grid.registry import split_list

    if check and out is None:
        raise typer.BadParameter("--check compares with the boards in --out")
    if out is not None and as_json:
        raise typer.BadParameter("--json prints; leave out --out")
    chosen = report.demand_formats(_words(formats))
    if out is None and chosen != ("markdown",):
        raise typer.BadParameter("--format is of files: say where with --out")
    reading = read_folder(results, "RESULTS")
    view = report.make_view(
        report.make_boards(reading.records),
        metrics=_words(metrics),
        sets=_words(sets),
        sort=sort,
        models=split_list(models),
    )
    if out is None:
        if published:
            report.demand_publishable(reading)
        print_boards(reading, as_json, view=view)
    elif check:
        old = report.stale(reading, out, published=published, formats=chosen, view=view)
        for path in old:
            _say(f"stale: {path}")
        raise typer.Exit(1 if old else 0)
    else:
        written = report.write_boards(reading, out, published=published, formats=chosen, view=view)
        for path in written:
            _say(f"wrote {path}")


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]


def _say(text: str) -> None:
    print(text, file=sys.stderr)
