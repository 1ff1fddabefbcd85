"""A board for the terminal: what a run prints at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mmbench.protocol.candidate_sets import find_set
from mmbench.report.aggregate import HEADLINE, Board, Row
from mmbench.report.board import mean
from mmbench.report.caveats import caveats
from mmbench.report.claims import with_deviation
from mmbench.report.failures import failures
from mmbench.report.notes import mark, numbered
from mmbench.report.words import count, decimals, duration, plain

WIDE = 110  # columns of a terminal from which there is room for deviations and a status
DEVIATION = (
    "± is the sample standard deviation over seeds; intervals and groups: mmbench leaderboard -o"
)
SHORT = {"out-of-memory": "memory", "not-applicable": "n/a"}


def board_table(board: Board, *, width: int = 80) -> RenderableType:
    """The board for a terminal of this width, with failures and footnotes below.

    Made for 80 columns and more; from 110 the headline has its deviation over seeds, and rows a
    status where one failed.
    """
    return Group(
        _heading(board),
        _table(board, width),
        *_deviations(board, width),
        *_failures(board),
        *_footnotes(board),
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


def _table(board: Board, width: int) -> Table:
    shown = [
        (name, metric)
        for name in board.sets
        for metric in (HEADLINE, "hit@10")
        if metric == HEADLINE or not ((one := find_set(name)) and one.sampled)
    ]
    wide = width >= WIDE
    status = wide and any(row.failed for row in board.rows)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, collapse_padding=True, pad_edge=False)
    table.add_column("\nmodel", overflow="fold", min_width=8)
    table.add_column("\nseeds", justify="right", no_wrap=True)
    for candidates, metric in shown:
        table.add_column(f"{candidates}\n{metric}", justify="right", no_wrap=True)
    table.add_column("\nfit", justify="right", no_wrap=True)
    if status:
        table.add_column("\nstatus", no_wrap=True)
    for row in board.rows:
        figures = [_figure(row, *figure, wide) for figure in shown]
        ending = [_status(row)] if status else []
        table.add_row(_name(row, board), _seeds(row), *figures, _fit(row, wide), *ending)
    return table


def _deviations(board: Board, width: int) -> list[Text]:
    """What ± is, where the table has one."""
    if width < WIDE or not any(len(row.done) > 1 for row in board.rows):
        return []
    return _block([DEVIATION], lambda text: Text(text, style="dim"))


def _name(row: Row, board: Board) -> Text:
    return Text.assemble(plain(row.name), (mark(row, board), "dim"))


def _figure(row: Row, candidates: str, metric: str, wide: bool) -> str:
    show = with_deviation if wide and metric == HEADLINE else mean
    return show(row.figure(candidates, metric)) or "–"


def _fit(row: Row, wide: bool) -> str | Text:
    """The time to fit; where that is unknown and there is no column for it, how the row ended."""
    if "fit_seconds" in row.cost:
        return duration(row.cost["fit_seconds"])
    return "–" if wide or row.done else _status(row)


def _seeds(row: Row) -> str:
    done, asked = len(row.done), len(row.records)
    return str(done) if done == asked else f"{done}/{asked}"


def _status(row: Row) -> Text:
    if not row.failed:
        return Text("done", style="green")
    kind = Counter(sorted(record.status.kind for record in row.failed)).most_common(1)[0][0]
    style = "dim" if kind == "not-applicable" else "red"
    return Text(SHORT.get(kind, kind), style=style)


def _failures(board: Board) -> list[Text]:
    texts = [
        f"{plain(f.row.name)}, seed {', '.join(map(str, f.seeds))}: "
        f"{f.kind}{f', {f.reason}' if f.reason else ''}"
        for f in failures(board)
    ]
    return _block(texts, lambda text: Text(text, style="red"))


def _footnotes(board: Board) -> list[Text]:
    texts = [f"[{number}] {text}" for text, number in numbered(board).items()]
    return _block(texts, lambda text: Text(text, style="dim"))


def _block(texts: list[str], make: Callable[[str], Text]) -> list[Text]:
    return [Text(""), *map(make, texts)] if texts else []
