"""``mmbench show``: all that is stored of a cell or a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mmbench.problems import UserError

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else there.")]


def show(
    cells: Annotated[
        list[str], typer.Argument(metavar="CELL...", help="A cell's id, a row's name, or a model.")
    ],
    results: Annotated[Path, typer.Option("--results", "-r", help="A folder of results.")] = Path(
        "results"
    ),
    data: Annotated[str | None, typer.Option("--data", "-d", help="Only this dataset.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the curves into this file (.svg, .png, .pdf).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show all that is known of cells: figures, slices, embeddings, curves, costs.

    Seeds of one row are shown together. Slices tell how rare targets (cold start) and short
    histories fare; models of text and images have the geometry of their spaces and what each
    modality finds alone.

    \\b
    Examples:
      mmbench show sasrec-ce -r leaderboards/results -d amazon2014-beauty
      mmbench show 3fa9c1d2 --json
      mmbench show vlm2rec vlm2rec/sft-ext --plot curves.svg
    """
    from mmbench import report
    from mmbench.audit import violations
    from mmbench.cli.screen import make_console

    if not results.is_dir():
        raise typer.BadParameter(f"{results} is not a folder of results", param_hint="--results")
    boards = report.make_boards(report.read_results(results).results, gate=violations)
    if data is not None:
        boards = [board for board in boards if board.dataset == data]
    found = [pair for asked in cells for pair in _find(boards, asked, results)]
    shown = []
    for board, row in found:
        tables = [report.read_ranks(results, result.cell.id) for result in row.done]
        shown.append((board, row, report.make_slices(tables) if tables else []))
    if plot is not None:
        report.plot_curves([row for _, row in found], plot)
    if as_json:
        print(json.dumps([report.row_json(*each) for each in shown], indent=1))
        return
    console = make_console()
    for number, each in enumerate(shown):
        console.print(*([""] if number else []), report.show_row(*each, width=console.width))
    if plot is not None:
        make_console(stderr=True).print(f"drew {plot}")


def _find(boards: list, asked: str, results: Path) -> list:  # type: ignore[type-arg]
    from mmbench import report

    found = report.find_rows(boards, asked)
    if not found:
        names = sorted({row.name for board in boards for row in board.rows})
        known = f" Known: {', '.join(names)}." if names else " It holds no result."
        raise UserError(f"no cell of {results} is called {asked!r}.{known}")
    return found
