"""A board in one small table: each candidate set's figures side by side, for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mmbench.report.accuracy import model_column
from mmbench.report.aggregate import Board, Row
from mmbench.report.numbers import mean, with_deviation
from mmbench.report.page import Cell, Shown, Table, make_table
from mmbench.report.view import USUAL, View, sampled
from mmbench.report.words import duration

GAP = "–"
SHORT = {"out-of-memory": "memory", "not-applicable": "n/a"}
STATUS = "status"


def summary(board: Board, view: View, *, wide: bool) -> Table:
    """The rows that are to be seen, those without figures last.

    Titles have two lines. ``wide``: with deviations over seeds, and a column of how rows ended
    where one did not finish.
    """
    rows = _rows(board, view)
    columns: list[Shown[Row]] = [
        model_column(board),
        Shown("seeds", _seeds),
        *(_figures(name, metric, view, wide) for name, metric in _asked(board, view)),
        Shown("fit", lambda row: _fit(row, wide)),
    ]
    if wide and any(row.failed for row in rows):
        columns.append(Shown(STATUS, status, left=True))
    return make_table(columns, rows)


def _rows(board: Board, view: View) -> Sequence[Row]:
    sets = view.sets_of(board)
    done = view.ranked(board, sets[0]) if sets else ()
    return [*done, *(row for row in board.rows if row not in done and view.shows(row))]


def _asked(board: Board, view: View) -> list[tuple[str, str]]:
    """Candidate sets and metrics: all that were asked for, or those that a narrow table holds."""
    if view.metrics != USUAL:
        return [(name, metric) for name in view.sets_of(board) for metric in view.metrics]
    return [
        (name, metric)
        for name in view.sets_of(board)
        for metric in view.with_intervals
        if metric == view.headline or not sampled(name)
    ]


def _figures(candidates: str, metric: str, view: View, wide: bool) -> Shown[Row]:
    show = with_deviation if wide and metric == view.headline else mean
    return Shown(f"{candidates}\n{metric}", lambda row: show(row.figure(candidates, metric)) or GAP)


def _seeds(row: Row) -> str:
    done, asked = len(row.done), len(row.records)
    return str(done) if done == asked else f"{done}/{asked}"


def _fit(row: Row, wide: bool) -> Cell:
    """The time to fit; where that is unknown and there is no column for it, how the row ended."""
    if "fit_seconds" in row.cost:
        return Cell(duration(row.cost["fit_seconds"]), row.cost["fit_seconds"])
    return Cell(GAP if wide or row.done else status(row))


def status(row: Row) -> str:
    """``done``, or in a word why most of its seeds have no figure."""
    if not row.failed:
        return "done"
    kind = Counter(sorted(record.status.kind for record in row.failed)).most_common(1)[0][0]
    return SHORT.get(kind, kind)
