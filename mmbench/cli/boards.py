"""What commands on stored results share: read a folder, choose boards, say what was left out."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mmbench.problems import UserError

if TYPE_CHECKING:
    from mmbench.report import Board, Problem, Reading, View


def read_folder(results: Path, hint: str = "--results") -> Reading:
    """The results in a folder. Raises BadParameter where there is none, or nothing in it."""
    from mmbench import report

    if not results.is_dir():
        raise typer.BadParameter(f"{results} is not a folder of results", param_hint=hint)
    reading = report.read_results(results)
    if not reading.records and not reading.problems:
        raise typer.BadParameter(
            f"{results} holds no result; `mmbench run` stores them where its --out says",
            param_hint=hint,
        )
    return reading


def choose_boards(
    boards: Sequence[Board], dataset: str | None, protocol: str | None = None
) -> list[Board]:
    """The boards of a dataset (by its id or an alias) and a protocol; None means any.

    Raises UserError where there is none, naming those that there are.
    """
    ids = {dataset} if dataset is None else dataset_ids(dataset)
    chosen = [
        board
        for board in boards
        if (dataset is None or board.dataset in ids) and protocol in (None, board.protocol)
    ]
    if not chosen and (dataset, protocol) != (None, None):
        asked = " ".join(word for word in (dataset, protocol) if word is not None)
        there = "; ".join(dict.fromkeys(f"{board.dataset} {board.protocol}" for board in boards))
        raise UserError(f"no results on {asked}; there are: {there or 'none at all'}")
    return chosen


def dataset_ids(name: str) -> set[str]:
    """The name, and the ids of datasets that have it as an alias."""
    from mmbench.data.find import list_datasets

    return {name, *(row.id for row in list_datasets() if name in row.aliases)}


def print_boards(
    reading: Reading,
    as_json: bool,
    stale: Collection[str] = frozenset(),
    view: View | None = None,
) -> None:
    """Print the boards of results and what was left out, as tables or as JSON.

    ``stale``: the cells that were kept though they are of other code, which get a footnote.
    ``view``: what is shown of the boards; by default the usual.
    """
    from mmbench import report
    from mmbench.cli.screen import make_console

    view = view or report.View()
    boards = report.make_boards(reading.records, stale=stale, ranks=reading.ranks)
    if as_json:
        told = {
            "boards": [
                report.board_json(
                    board,
                    report.gather(board, boards, reading.ranks, metrics=view.with_intervals),
                    view,
                )
                for board in boards
            ],
            "left_out": left_out_json(reading.problems),
        }
        print(json.dumps(told, indent=1))
        return
    console = make_console()
    for board in boards:
        console.print(report.board_table(board, width=console.width, view=view))
    for line in left_out(reading.problems):
        console.print(line, markup=False, soft_wrap=True)


def left_out(problems: Iterable[Problem]) -> list[str]:
    """A line for each file that could not be used."""
    return [f"left out: {problem}" for problem in problems]


def left_out_json(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """The same as JSON-able data."""
    return [{"path": problem.path, "reason": problem.reason} for problem in problems]
