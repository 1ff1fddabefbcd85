"""What the stored ranks say of a board's order: intervals, groups and places of its rows."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mmbench.protocol.metrics import HEADLINE
from mmbench.report.aggregate import Board, Row
from mmbench.report.caveats import Ranks
from mmbench.report.per_user import Asked, PerUser, pairing, per_user, repeats, whom
from mmbench.report.slices import Slice, make_slices
from mmbench.report.statistics import (
    Family,
    Float64,
    Interval,
    Sample,
    compare_family,
    mean_interval,
)
from mmbench.report.statistics.max_t import max_t
from mmbench.results.record import ResultError

if TYPE_CHECKING:
    import pyarrow as pa

MARGIN = 0.01
WITH_INTERVALS = (HEADLINE, "hit@10")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a row stands in one table.

    Attributes:
        intervals: metric to its mean and 95% interval, over users and, where there are several,
            seeds.
        noise_known: whether it is known how the row varies with the seed.
        steady: whether it has one seed, and is known to give the same with another.
        group: its letters; empty where the noise is unknown, or that of all others is.
        places: the first and the last place that it may hold among the rows with letters.
        as_trained: its letters among the models as they were trained; empty for the only row.
    """

    intervals: dict[str, Interval]
    noise_known: bool
    steady: bool
    group: tuple[str, ...]
    places: tuple[int, int] | None
    as_trained: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standings:
    """What may be said of one table: a board's rows on one candidate set, by the headline metric.

    Attributes:
        candidates, metric: what the table is about.
        users: how many, the same for every row.
        margin: relative, within which rows are equivalent.
        rows: by the id of the row's first cell, best first; only rows that were asked about all of
            these users, and whose ranks are at hand.
        family: all pairs of the rows ``known``, whose seed noise is known; with Holm.
        known: the keys of those rows, in the family's order.
        trained: all pairs of all rows as they were trained, over users alone; with max-|t|.
    """

    candidates: str
    metric: str
    users: int
    margin: float
    rows: dict[str, Standing]
    family: Family
    known: tuple[str, ...]
    trained: Family

    def of(self, row: Row) -> Standing | None:
        """Where a row stands, or None where it takes no part."""
        return self.rows.get(row.first.cell.id)

    @property
    def leaders(self) -> tuple[str, ...]:
        """The row of the highest figure among those with letters, and all that share one with it.

        Only where it stands alone is it best.
        """
        return self._alike({key: self.rows[key].group for key in self.known})

    @property
    def trained_leaders(self) -> tuple[str, ...]:
        """The same among the models as they were trained."""
        return self._alike({key: row.as_trained for key, row in self.rows.items()})

    @staticmethod
    def _alike(group: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        first = set(next(iter(group.values()), ()))
        return tuple(key for key, own in group.items() if first & set(own))


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that stored ranks say of a board.

    Attributes:
        standings: by candidate set; one is left out where fewer than two users were asked.
        sliced: the candidate set that the slices are shown for, empty where there are none.
        slices: by the id of the row's first cell.
    """

    standings: Mapping[str, Standings]
    sliced: str
    slices: Mapping[str, Sequence[Slice]]


NOTHING = Evidence({}, "", {})


def gather(
    board: Board,
    boards: Iterable[Board],
    ranks: Ranks,
    margin: float = MARGIN,
    metrics: Sequence[str] = WITH_INTERVALS,
) -> Evidence:
    """What the ranks of a board's rows say; ``boards`` may tell which models do not vary.

    ``metrics`` have intervals; rows are told apart by the first.

    Smoke runs take no part, nor do rows whose ranks cannot be read.
    """
    tables = _tables(board, ranks)
    if not tables:
        return NOTHING
    rows = [row for row in board.rows if row.first.cell.id in tables]
    boards = list(boards)
    steady = {
        row.first.cell.id for row in rows if len(row.done) == 1 and repeats(ranks, boards, row)
    }
    asked = _whom(rows, tables)
    found = {
        name: told
        for name in board.sets
        if (
            told := _stand(
                name, board.ranked(name, metrics[0]), tables, asked, steady, metrics, margin
            )
        )
    }
    shown = next((name for name in board.sets if name in found), "")
    slices = {key: make_slices(tables[key]) for key in found[shown].rows} if shown else {}
    return Evidence(found, shown, slices)


def stand(
    candidates: str,
    samples: Mapping[str, Mapping[str, Sample]],
    margin: float = MARGIN,
    metric: str = HEADLINE,
) -> Standings:
    """The standings of rows from their users' figures.

    Args:
        candidates: what the table is called.
        samples: row to metric to its figures; the same users in the same order everywhere, two at
            least.
        margin: relative, within which rows are equivalent.
        metric: by which rows are told apart.
    """
    headline = {key: own[metric] for key, own in samples.items()}
    means = {key: own.figures.mean(axis=0) for key, own in headline.items()}
    order = sorted(headline, key=lambda key: -float(means[key].mean()))  # tied rows as they come
    known = tuple(key for key in order if headline[key].noise_known)
    if len(known) < 2:  # a lone row has nothing to be told from
        known = ()
    family = compare_family([headline[key] for key in known], margin=margin)
    group = dict(zip(known, family.letters(), strict=True))
    places = dict(zip(known, family.places(), strict=True))
    trained = _trained(np.stack([means[key] for key in order]), margin)
    as_trained = dict(zip(order, trained.letters(), strict=True)) if trained.pairs else {}
    rows = {
        key: Standing(
            {metric: mean_interval(own.figures) for metric, own in samples[key].items()},
            headline[key].noise_known,
            headline[key].steady,
            group.get(key, ()),
            places.get(key),
            as_trained.get(key, ()),
        )
        for key in order
    }
    users = len(next(iter(means.values())))
    return Standings(candidates, metric, users, margin, rows, family, known, trained)


def _trained(means: Float64, margin: float) -> Family:
    """All pairs of the models as they were trained; float64[rows, users], best first."""
    family = compare_family([Sample(row[None]) for row in means], margin=margin)
    return replace(family, adjusted=max_t(means, family.pairs))


def _tables(board: Board, ranks: Ranks) -> dict[str, list[pa.Table]]:
    """Of each row that was asked whole, the ranks of its seeds, by its first cell's id."""
    found = {}
    for row in board.rows:
        if row.done and row.first.cell.limit is None:
            try:
                found[row.first.cell.id] = [ranks(record) for record in row.done]
            except ResultError:  # the row has no part in what is said of the others
                continue
    return found


def _whom(rows: Sequence[Row], tables: Mapping[str, list[pa.Table]]) -> dict[str, list[Asked]]:
    """Whom the rows' tables are about; only rows about whom most rows are, in every seed."""
    own = [tables[row.first.cell.id] for row in rows]
    key = pairing(rows, own, alike=True)
    if not key:
        return {}
    flat = iter(whom([table for each in own for table in each], key))
    asked = {row.first.cell.id: list(itertools.islice(flat, len(row.done))) for row in rows}
    groups = {id(one.users): tuple(one.users.tolist()) for each in asked.values() for one in each}
    counts = Counter(groups[id(one.users)] for each in asked.values() for one in each)
    most = max(sorted(counts), key=counts.__getitem__)
    return {
        key: each
        for key, each in asked.items()
        if all(groups[id(one.users)] == most for one in each)
    }


def _stand(
    candidates: str,
    rows: Sequence[Row],
    tables: Mapping[str, list[pa.Table]],
    asked: Mapping[str, list[Asked]],
    steady: Iterable[str],
    metrics: Sequence[str],
    margin: float,
) -> Standings | None:
    """The standings on one candidate set, of the rows that have it."""
    steady = set(steady)
    samples = {}
    for row in rows:
        key = row.first.cell.id
        own = tables.get(key, [])
        if key in asked and all(f"greater_{candidates}" in t.column_names for t in own):
            found: dict[str, PerUser] = {
                metric: per_user(own, asked[key], candidates, metric) for metric in metrics
            }
            samples[key] = {
                metric: Sample(told.figures, key in steady) for metric, told in found.items()
            }
    if not samples or next(iter(samples.values()))[metrics[0]].figures.shape[1] < 2:
        return None
    return stand(candidates, samples, margin, metrics[0])
