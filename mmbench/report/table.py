"""A board for the terminal: what a run prints at its end."""

from __future__ import annotations

from collections.abc import Callable

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mmbench.report.aggregate import Board
from mmbench.report.caveats import caveats
from mmbench.report.failures import failures
from mmbench.report.notes import numbered
from mmbench.report.page import Cell
from mmbench.report.summary import SHORT, STATUS, summary
from mmbench.report.view import DEFAULT, View
from mmbench.report.words import count, decimals, plain

WIDE = 110  # columns of a terminal from which there is room for deviations and a status
DEVIATION = (
    "± is the sample standard deviation over seeds; intervals and groups: mmbench leaderboard -o"
)
STYLES = {"done": "green", SHORT["not-applicable"]: "dim"}


def board_table(board: Board, *, width: int = 80, view: View = DEFAULT) -> RenderableType:
    """The board for a terminal of this width, with failures and footnotes below.

    Made for 80 columns and more; from 110 the headline has its deviation over seeds, and rows a
    status where one failed.
    """
    return Group(
        _heading(board),
        _table(board, view, width >= WIDE),
        *_deviations(board, width),
        *_failures(board, view),
        *_footnotes(board, view),
        *_block(caveats(board), lambda text: Text(plain(text), style="dim")),
    )


def _heading(board: Board) -> Text:
    facts = board.facts
    name = plain(facts.data.name or board.dataset)
    sizes = f"{count(facts.queries)} queries, {count(facts.catalogue)} items"
    heading = Text.assemble((name, "bold"), f" · {plain(board.protocol)} · {sizes}")
    for metric, ceiling in sorted(facts.data.ceilings.items()):
        heading.append(f" · best possible {plain(metric)} {decimals(ceiling)}")
    return heading


def _table(board: Board, view: View, wide: bool) -> Table:
    shown = summary(board, view, wide=wide)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, collapse_padding=True, pad_edge=False)
    for number, column in enumerate(shown.columns):
        title = column.title if "\n" in column.title else f"\n{column.title}"
        if number:
            table.add_column(title, justify="left" if column.left else "right", no_wrap=True)
        else:
            table.add_column(title, overflow="fold", min_width=8)
    for cells in shown.rows:
        pairs = zip(shown.columns, cells, strict=True)
        table.add_row(*(_cell(cell, column.title) for column, cell in pairs))
    return table


def _cell(cell: Cell, title: str) -> Text:
    failed = title == "fit" and cell.value is None and cell.text != "–"
    style = STYLES.get(cell.text, "red") if title == STATUS or failed else ""
    marks = f" [{', '.join(map(str, cell.marks))}]" if cell.marks else ""
    return Text.assemble((cell.text, style), (marks, "dim"))


def _deviations(board: Board, width: int) -> list[Text]:
    """What ± is, where the table has one."""
    if width < WIDE or not any(len(row.done) > 1 for row in board.rows):
        return []
    return _block([DEVIATION], lambda text: Text(text, style="dim"))


def _failures(board: Board, view: View) -> list[Text]:
    texts = [
        f"{plain(f.row.name)}, seed {', '.join(map(str, f.seeds))}: "
        f"{f.kind}{f', {f.reason}' if f.reason else ''}"
        for f in failures(board)
        if view.shows(f.row)
    ]
    return _block(texts, lambda text: Text(text, style="red"))


def _footnotes(board: Board, view: View) -> list[Text]:
    shown = {text for row in board.rows if view.shows(row) for text in row.notes}
    texts = [f"[{number}] {text}" for text, number in numbered(board).items() if text in shown]
    return _block(texts, lambda text: Text(text, style="dim"))


def _block(texts: list[str], make: Callable[[str], Text]) -> list[Text]:
    return [Text(""), *map(make, texts)] if texts else []
