"""Figures of every user and seed, from stored ranks: what the statistics take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mmbench.protocol.metrics import per_query
from mmbench.report.aggregate import Board, Row
from mmbench.report.caveats import Ranks
from mmbench.report.statistics import Float64
from mmbench.results.cell import Cell, canonical
from mmbench.results.record import ResultError

if TYPE_CHECKING:
    import pyarrow as pa


class Asked(NamedTuple):
    """Whom a table of ranks is about: the users, in order, and of each query the user's place."""

    users: np.ndarray
    place: np.ndarray


class PerUser(NamedTuple):
    """The users that all seeds of a row asked, in order, and float64[seeds, users]."""

    users: np.ndarray
    figures: Float64

    def of(self, users: np.ndarray) -> Float64:
        """The figures of some of them."""
        if users is self.users:
            return self.figures
        found: Float64 = self.figures[:, np.searchsorted(self.users, users)]
        return found


def pairing(rows: Sequence[Row], tables: Sequence[Sequence[pa.Table]], *, alike: bool) -> str:
    """The column by which a query of one row is a query of the others: ``user``, ``query`` or none.

    ``alike``: whether the rows are of one board, so that places in the fold may be the same ones.
    """
    every = [table for own in tables for table in own]
    if all("user" in table.column_names for table in every):
        return "user"
    folds = {(r.candidates_sha256, r.cell.limit) for row in rows for r in row.done}
    same = alike and len(folds) == 1 and len({len(table) for table in every}) == 1
    return "query" if same and all("query" in table.column_names for table in every) else ""


def whom(tables: Iterable[pa.Table], key: str) -> list[Asked]:
    """Whom each table is about; where there is no key, each query is a user of its own.

    Tables with the same column share what is made of it.
    """
    known: list[tuple[pa.ChunkedArray, Asked]] = []
    found = []
    for table in tables:
        if not key:
            numbers = np.arange(len(table))
            found.append(Asked(numbers, numbers))
            continue
        column = table[key]
        same = next((asked for other, asked in known if other.equals(column)), None)
        if same is None:
            # ids are any text, as Python orders it
            names = np.array(column.to_pylist(), dtype=object if key == "user" else None)
            same = Asked(*np.unique(names, return_inverse=True))
            known.append((column, same))
        found.append(same)
    return found


def per_user(
    tables: Sequence[pa.Table], asked: Sequence[Asked], candidates: str, metric: str
) -> PerUser:
    """A row's figures, from its seeds' tables; of a user with several queries their mean."""
    seeds = []
    for table, (users, place) in zip(tables, asked, strict=True):
        greater, equal = (table[f"{kind}_{candidates}"].to_numpy() for kind in ("greater", "equal"))
        totals = np.bincount(place, weights=per_query(metric, greater, equal))
        seeds.append(PerUser(users, (totals / np.bincount(place))[None]))
    users = seeds[0].users
    for seed in seeds[1:]:
        users = users if seed.users is users else np.intersect1d(users, seed.users)
    return PerUser(users, np.concatenate([seed.of(users) for seed in seeds]))


def repeats(ranks: Ranks, boards: Iterable[Board], row: Row) -> bool:
    """Whether another seed of the row gives the same, so that one is enough.

    Its model declares so (``draws = False``), or stored seeds of the model with its config have
    equal ranks wherever there are several. Where any of these differ, that counts and not what is
    declared.
    """
    wanted = _what(row.first.cell)
    told = row.first.draws is False
    for other in (other for board in boards for other in board.rows if len(other.done) > 1):
        if _what(other.first.cell) != wanted:
            continue
        try:
            first, *rest = (ranks(record) for record in other.done)
        except ResultError:  # they tell nothing, and nobody asked for them
            continue
        if not all(table.equals(first) for table in rest):
            return False
        told = True
    return told


def _what(cell: Cell) -> str:
    """What is run, on whichever data: the model, its code, its config, and those it starts from."""
    upstream = "" if cell.upstream is None else _what(cell.upstream)
    named = [cell.model, cell.distribution, cell.version, cell.code, cell.config, upstream]
    return canonical(named)
