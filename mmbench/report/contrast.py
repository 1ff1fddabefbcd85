"""Two rows held against each other, from their stored ranks: who was asked, and what that shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mmbench.problems import UserError
from mmbench.protocol.metrics import per_query
from mmbench.report.aggregate import Board, Row
from mmbench.report.find import find_rows
from mmbench.report.per_user import pairing, per_user, repeats, whom
from mmbench.report.statistics import Difference, compare_rows
from mmbench.results.read import Reading

if TYPE_CHECKING:
    import pyarrow as pa


class Side(NamedTuple):
    """A row and the board that it stands on."""

    board: Board
    row: Row


@dataclass(frozen=True, slots=True)
class Contrast:
    """What two rows' ranks say of each other.

    Attributes:
        a, b: the rows.
        candidates, metric: what is compared.
        pairs: the column that tells users: ``user`` (their raw ids) or ``query`` (their place in
            the one fold that both rows were asked); empty where they are not paired.
        unpaired: why they are not.
        dropped: users of a or b alone, who are left out.
        difference: the statistics.
    """

    a: Side
    b: Side
    candidates: str
    metric: str
    pairs: str
    unpaired: str
    dropped: int
    difference: Difference

    @property
    def across(self) -> bool:
        """Whether the two rows answer different questions."""
        return self.a.board is not self.b.board


def choose_rows(
    boards_a: Sequence[Board], boards_b: Sequence[Board], a: str, b: str, *, across: bool
) -> tuple[Side, Side]:
    """The two rows that are meant, named as for ``find_rows``; ``across``: of any two boards.

    Raises UserError where a name means no row, where no board has both, or where several do.
    """
    sides = []
    for name, boards in ((a, boards_a), (b, boards_b)):
        found = [Side(*pair) for pair in find_rows(boards, name)]
        if not found:
            names = sorted({row.name for board in boards for row in board.rows})
            raise UserError(f"no row is called {name!r}. Known: {', '.join(names) or 'none'}")
        sides.append(found)
    pairs = [
        (one, other)
        for one in sides[0]
        for other in sides[1]
        if one.row is not other.row and (across or one.board is other.board)
    ]
    if len(pairs) == 1:
        return pairs[0]
    where = "; ".join(
        f"{name} is {', '.join(place(side) for side in found)}"
        for name, found in zip((a, b), sides, strict=True)
    )
    if pairs:
        raise UserError(
            f"there are several such pairs ({where}): choose with --data and --protocol, or name "
            "rows or cells"
        )
    if len({id(side.row) for found in sides for side in found}) == 1:
        raise UserError(f"{a} and {b} are one row, {place(sides[0][0])}: name two")
    raise UserError(
        f"no two rows of one board are meant ({where}): --across holds answers to different "
        "questions against each other"
    )


def contrast(
    reading: Reading,
    boards: Iterable[Board],
    a: Side,
    b: Side,
    *,
    candidates: str,
    metric: str,
    margin: float = 0.01,
) -> Contrast:
    """The contrast of two rows. ``boards``: where to look for what is known of their seeds.

    Raises UserError where a row has not finished or has no such ranks, or the metric is none, and
    ResultError where a file of ranks cannot be read.
    """
    demand_metric(metric)
    tables = [read_tables(reading, side, candidates) for side in (a, b)]
    pairs = pairing([a.row, b.row], tables, alike=a.board is b.board)
    rows = [per_user(own, whom(own, pairs), candidates, metric) for own in tables]
    shared = np.intersect1d(rows[0].users, rows[1].users)
    unpaired = "" if pairs else "one row's ranks do not name their users"
    if pairs and len(shared) < 2:
        pairs, rows = "", [per_user(own, whom(own, ""), candidates, metric) for own in tables]
        unpaired = "the rows have other users"
    dropped = sum(len(row.users) - len(shared) for row in rows) if pairs else 0
    one, other = (row.of(shared) if pairs else row.figures for row in rows)
    for side, figures in ((a, one), (b, other)):
        if figures.shape[1] < 2:
            raise UserError(f"{place(side)} asks fewer than two users: nobody knows how they vary")
    boards = list(boards)
    known = [len(s.row.done) == 1 and repeats(reading.ranks, boards, s.row) for s in (a, b)]
    difference = compare_rows(
        one, other, paired=bool(pairs), margin=margin, steady=(known[0], known[1])
    )
    return Contrast(a, b, candidates, metric, pairs, unpaired, dropped, difference)


def contrast_json(found: Contrast) -> dict[str, Any]:
    """The contrast as JSON-able data."""
    return {
        **{name: _side_json(side) for name, side in (("a", found.a), ("b", found.b))},
        "candidates": found.candidates,
        "metric": found.metric,
        "pairs": found.pairs,
        "unpaired": found.unpaired,
        "dropped": found.dropped,
        "difference": asdict(found.difference),
    }


def _side_json(side: Side) -> dict[str, Any]:
    return {
        "name": side.row.name,
        "protocol": side.board.protocol,
        "dataset": side.board.dataset,
        "fingerprint": side.board.fingerprint,
        "cells": [record.cell.id for record in side.row.done],
        "seeds": [record.cell.seed for record in side.row.done],
        "notes": list(side.row.notes),
    }


def demand_metric(metric: str) -> None:
    """Raise UserError where there is no such metric."""
    try:
        per_query(metric, *np.zeros((2, 1), dtype=np.int32))
    except ValueError as error:
        raise UserError(str(error)) from error


def place(side: Side) -> str:
    """What a row is called in an error, and where it stands."""
    return f"{side.row.name} on {side.board.dataset}, {side.board.protocol}"


def read_tables(reading: Reading, side: Side, candidates: str) -> list[pa.Table]:
    """The stored ranks of a row's seeds, against these candidates.

    Raises UserError where the row has not finished or has no such ranks, and ResultError.
    """
    if not side.row.done:
        raise UserError(f"{place(side)} has no finished cell")
    tables = [reading.ranks(record) for record in side.row.done]
    for table in tables:
        sets = [n.removeprefix("greater_") for n in table.column_names if n.startswith("greater_")]
        if candidates not in sets:
            raise UserError(
                f"{place(side)} has no ranks against {candidates}, but against {', '.join(sets)}"
            )
    return tables
