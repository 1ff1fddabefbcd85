"""The sections of a board that tell for which queries rows are good."""

from __future__ import annotations

from collections.abc import Iterator

from mmbench.protocol.metrics import HEADLINE
from mmbench.report.aggregate import Board, Row
from mmbench.report.numbers import of_interval, of_mean
from mmbench.report.page import Cell, Section, Shown, make_table
from mmbench.report.standings import Evidence
from mmbench.report.view import View
from mmbench.report.words import key_of, plain

SLICES = {
    "frequency": "By how often the target was trained on",
    "history_length": "By the length of the history",
    "tied": "By whether the target shares its time with the event before it",
}


def kinds(board: Board, evidence: Evidence, view: View) -> Iterator[Section]:
    """The usual headline metric by kinds of queries, with intervals; nothing without ranks."""
    rows = [
        row for row in view.ranked(board, evidence.sliced) if evidence.slices.get(row.first.cell.id)
    ]
    if not rows:
        return
    yield Section(
        key="kinds",
        title=f"Where rows are good: {HEADLINE}, {plain(evidence.sliced)}",
        before=(
            "± is half of the 95% interval of the mean over the queries of a kind and, where there "
            "are several, seeds. How many queries are of a kind is in brackets. Nothing is tested "
            "here: what looks like a difference may be chance.",
        ),
    )
    for by, title in SLICES.items():
        found = {
            part.name: part.queries
            for row in rows
            for part in evidence.slices[row.first.cell.id]
            if part.by == by
        }
        if found:
            columns: list[Shown[Row]] = [
                Shown("model", lambda row: plain(row.name), left=True),
                *(_column(evidence, by, name, number) for name, number in found.items()),
            ]
            key = f"by-{key_of(by)}"
            yield Section(key, title, 3, table=make_table(columns, rows), side=True)


def _column(evidence: Evidence, by: str, name: str, queries: int) -> Shown[Row]:
    def show(row: Row) -> Cell:
        for part in evidence.slices[row.first.cell.id]:
            if (part.by, part.name) == (by, name):
                told = part.intervals[evidence.sliced].get(HEADLINE)
                if told is None:
                    return of_mean(part.metrics[evidence.sliced][HEADLINE])
                return of_interval(told)
        return Cell()

    return Shown(f"{name} ({queries:,})", show)
