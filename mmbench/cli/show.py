"""``mmbench show``: all that is stored of a cell or a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmbench.cli.options import Data, Json, Results
from mmbench.problems import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmbench.report import Board, Row
    from mmbench.results.examples import Example
    from mmbench.results.read import Reading


def show(
    cells: Annotated[
        list[str], typer.Argument(metavar="CELL...", help="A cell's id, a row's name, or a model.")
    ],
    results: Results = Path("results"),
    data: Data = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the curves into this file (.svg, .png, .pdf).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show all that is known of cells: figures, slices, embeddings, curves, costs, examples.

    Seeds of one row are shown together. Slices tell how rare targets (cold start) and short
    histories fare; models of text and pictures have the geometry of their spaces and what each
    modality finds alone.

    \b
    Examples:
      mmbench show sasrec-ce -r leaderboards/results -d amazon2014-beauty
      mmbench show 3fa9c1d2 --json
      mmbench show vlm2rec vlm2rec/sft-ext --plot curves.svg
    """
    from mmbench import report
    from mmbench.cli.boards import choose_boards, left_out, left_out_json, read_folder
    from mmbench.cli.screen import make_console

    reading = read_folder(results)
    boards = choose_boards(report.make_boards(reading.records), data)
    found = [pair for asked in cells for pair in _find(boards, asked, results)]
    shown = []
    for board, row in found:
        tables = [reading.ranks(record) for record in row.done]
        slices = report.make_slices(tables) if tables else []
        shown.append((board, row, slices, _examples(reading, row)))
    if plot is not None:
        report.plot_curves([row for _, row in found], plot)
    if as_json:
        told = {
            "rows": [report.row_json(*each) for each in shown],
            "left_out": left_out_json(reading.problems),
        }
        print(json.dumps(told, indent=1))
        return
    console = make_console()
    for number, each in enumerate(shown):
        console.print(*([""] if number else []), report.show_row(*each, width=console.width))
    for line in left_out(reading.problems):
        console.print(line, markup=False)
    if plot is not None:
        make_console(stderr=True).print(f"drew {plot}")


def _examples(reading: Reading, row: Row) -> Sequence[Example]:
    """What was kept beside the first of the row's seeds that has any."""
    return next((kept for record in row.done if (kept := reading.examples(record))), ())


def _find(boards: list[Board], asked: str, results: Path) -> list[tuple[Board, Row]]:
    from mmbench import report

    found = report.find_rows(boards, asked)
    if not found:
        names = sorted({row.name for board in boards for row in board.rows})
        known = f" Known: {', '.join(names)}." if names else " It holds no result."
        raise UserError(f"no cell of {results} is called {asked!r}.{known}")
    return found
