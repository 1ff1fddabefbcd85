"""What is asked to be seen of boards: which metrics, sets and rows, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mmbench.problems import UserError, did_you_mean
from mmbench.protocol.candidate_sets import find_set
from mmbench.protocol.metrics import HEADLINE, REPORTED
from mmbench.report.aggregate import Board, Row
from mmbench.report.find import find_rows

USUAL = (HEADLINE, "hit@10", "ndcg@5", "mrr")
ORDERS = ("model", "fit")  # beside metrics


@dataclass(frozen=True, slots=True)
class View:
    """A choice from a board.

    Attributes:
        metrics: the columns; groups, places and tests are by the first, which has an interval, as
            has the second.
        sets: candidate sets, in order; empty for all that a board has.
        sort: the metric, ``model`` or ``fit`` that rows are ordered by; empty for the first metric.
        rows: ids of the first cells of the rows that are shown; None for all.
    """

    metrics: tuple[str, ...] = USUAL
    sets: tuple[str, ...] = ()
    sort: str = ""
    rows: frozenset[str] | None = None

    @property
    def headline(self) -> str:
        """What groups are by."""
        return self.metrics[0]

    @property
    def with_intervals(self) -> tuple[str, ...]:
        """The metrics whose intervals are shown."""
        return self.metrics[:2]

    def shows(self, row: Row) -> bool:
        """Whether a row is to be seen."""
        return self.rows is None or row.first.cell.id in self.rows

    def sets_of(self, board: Board) -> tuple[str, ...]:
        """The candidate sets of a board that are to be seen."""
        return tuple(name for name in self.sets if name in board.sets) if self.sets else board.sets

    def ranked(self, board: Board, candidates: str) -> tuple[Row, ...]:
        """The finished rows that are to be seen, in the order that is asked for."""
        shown = [row for row in board.ranked(candidates, self.headline) if self.shows(row)]
        if self.sort == "model":
            shown.sort(key=lambda row: row.name)
        elif self.sort == "fit":
            shown.sort(key=lambda row: row.cost.get("fit_seconds", float("inf")))
        elif self.sort:
            return tuple(row for row in board.ranked(candidates, self.sort) if self.shows(row))
        return tuple(shown)


DEFAULT = View()


def make_view(
    boards: Sequence[Board],
    *,
    metrics: Iterable[str] = (),
    sets: Iterable[str] = (),
    sort: str = "",
    models: Iterable[str] = (),
) -> View:
    """The view of some boards that texts ask for; empty ones ask for the usual.

    ``models`` are named as by ``find_rows``, or by a beginning that ends in ``*``. Raises UserError
    for what no board has, with what is near.
    """
    asked = tuple(dict.fromkeys(metrics))
    for metric in asked:
        _demand(metric, REPORTED, "metric")
    there = list(dict.fromkeys(name for board in boards for name in board.sets))
    wanted = tuple(dict.fromkeys(sets))
    for name in wanted:
        _demand(name, there, "candidate set")
    if sort:
        _demand(sort, (*REPORTED, *ORDERS), "order")
    view = View(asked or USUAL, wanted, sort)
    named = list(models)
    return replace(view, rows=_rows(boards, named)) if named else view


def _rows(boards: Sequence[Board], models: Iterable[str]) -> frozenset[str]:
    names = list(dict.fromkeys(row.name for board in boards for row in board.rows))
    found: set[str] = set()
    for asked in models:
        if asked.endswith("*"):
            rows = [r for b in boards for r in b.rows if r.name.startswith(asked[:-1])]
        else:
            rows = [row for _, row in find_rows(boards, asked)]
        if not rows:
            raise UserError(f"no row is called {asked}.{did_you_mean(asked, names)}")
        found |= {row.first.cell.id for row in rows}
    return frozenset(found)


def _demand(word: str, known: Sequence[str], noun: str) -> None:
    if not known:
        raise UserError(f"no {noun} is called {word}: nothing has finished yet")
    if word not in known:
        raise UserError(f"no {noun} is called {word}.{did_you_mean(word, known)}")


def sampled(name: str) -> bool:
    """Whether a set's figures are of a sample."""
    told = find_set(name)
    return told is not None and told.sampled
