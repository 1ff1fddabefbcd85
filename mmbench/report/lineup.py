"""Several rows held against one another, or all against a baseline: on one board, or over many."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mmbench.problems import UserError
from mmbench.report.aggregate import Board, Row
from mmbench.report.contrast import Side, demand_metric, read_tables
from mmbench.report.find import find_rows
from mmbench.report.per_user import PerUser, pairing, per_user, repeats, whom
from mmbench.report.statistics import Family, Interval, Sample, compare_family, mean_interval
from mmbench.report.statistics.datasets import Overall, over_datasets
from mmbench.results.read import Reading


@dataclass(frozen=True, slots=True)
class Lineup:
    """Rows of one board, and what their pairs show together.

    Attributes:
        board: where they stand.
        rows: best first, the baseline last.
        baseline: whether the last row is one, and the family its pairs with the others alone.
        candidates, metric: what is compared.
        users: whom all were asked about.
        dropped: users whom only some were asked about, who are left out.
        samples: of each row.
        margin: relative, within which rows are equivalent.
        family: over ``rows``.
    """

    board: Board
    rows: tuple[Row, ...]
    baseline: bool
    candidates: str
    metric: str
    users: int
    dropped: int
    samples: tuple[Sample, ...]
    margin: float
    family: Family

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """Each row's mean with its interval."""
        return tuple(mean_interval(sample.figures) for sample in self.samples)


@dataclass(frozen=True, slots=True)
class Tour:
    """Rows over datasets.

    Attributes:
        protocol, candidates, metric: what is compared.
        datasets: on which some row has a figure.
        baseline: the name of the row that the others are held against.
        margin: relative, within which ratios are equivalent.
        rows: as they were asked for.
    """

    protocol: str
    candidates: str
    metric: str
    datasets: tuple[str, ...]
    baseline: str
    margin: float
    rows: tuple[Overall, ...]


def choose_lineup(boards: Sequence[Board], names: Sequence[str]) -> tuple[Board, tuple[Row, ...]]:
    """The one board that has all these rows, named as for ``find_rows``, and the rows.

    Raises UserError where no board has them, several do, a name means several rows, or two mean
    one.
    """
    found = []
    for board in boards:
        rows = [[row for _, row in find_rows([board], name)] for name in names]
        if all(rows):
            found.append((board, rows))
    if not found:
        known = sorted({row.name for board in boards for row in board.rows})
        raise UserError(
            f"no board has all of {', '.join(names)}. Known rows: {', '.join(known) or 'none'}"
        )
    if len(found) > 1:
        there = "; ".join(f"{board.dataset} {board.protocol}" for board, _ in found)
        raise UserError(
            f"several boards have them ({there}): choose with --data and --protocol, or look over "
            "datasets with --over"
        )
    board, rows = found[0]
    for name, own in zip(names, rows, strict=True):
        if len(own) > 1:
            raise UserError(f"{name} is {_listed(own)}: name rows or cells")
    chosen = tuple(own[0] for own in rows)
    if len({id(row) for row in chosen}) < len(chosen):
        raise UserError(f"{', '.join(names)}: two of these are one row")
    return board, chosen


def line_up(
    reading: Reading,
    boards: Iterable[Board],
    board: Board,
    rows: Sequence[Row],
    *,
    candidates: str,
    metric: str,
    margin: float = 0.01,
    baseline: Row | None = None,
) -> Lineup:
    """The rows of a board against one another, or against a baseline, which is one more row.

    ``boards``: where to look for what is known of their seeds. Raises UserError where a row has not
    finished or has no such ranks, the metric is none, or the users are not the same, and
    ResultError where ranks cannot be read.
    """
    demand_metric(metric)
    every = [*rows, *([] if baseline is None else [baseline])]
    tables = [read_tables(reading, Side(board, row), candidates) for row in every]
    key = pairing(every, tables, alike=True)
    if not key:
        raise UserError("the rows' ranks do not name their users, so that nobody can be paired")
    figures = [per_user(own, whom(own, key), candidates, metric) for own in tables]
    users, dropped = _shared(figures)
    if len(users) < 2:
        raise UserError("the rows have fewer than two users in common")
    boards = list(boards)
    samples = [
        Sample(told.of(users), len(row.done) == 1 and repeats(reading.ranks, boards, row))
        for row, told in zip(every, figures, strict=True)
    ]
    order = sorted(range(len(rows)), key=lambda k: (-samples[k].figures.mean(), every[k].name))
    order += range(len(rows), len(every))
    ordered = [samples[k] for k in order]
    return Lineup(
        board,
        tuple(every[k] for k in order),
        baseline is not None,
        candidates,
        metric,
        len(users),
        dropped,
        tuple(ordered),
        margin,
        compare_family(ordered, baseline=None if baseline is None else len(rows), margin=margin),
    )


def tour(
    reading: Reading,
    boards: Sequence[Board],
    names: Sequence[str],
    baseline: str,
    *,
    candidates: str,
    metric: str,
    margin: float = 0.01,
) -> Tour:
    """Rows over all datasets of one protocol, against a baseline, each named as for ``find_rows``.

    Raises UserError where the boards are of several protocols, a name is found nowhere or means
    several rows of a board, and as ``line_up`` does.
    """
    demand_metric(metric)
    protocols = {board.protocol for board in boards}
    if len(protocols) > 1:
        raise UserError(f"several protocols: choose one of {', '.join(sorted(protocols))}")
    asked = list(dict.fromkeys([*names, baseline]))
    if len(asked) < 2:
        raise UserError(f"{baseline} alone: name a row to hold against it")
    found: dict[str, dict[str, Interval]] = {name: {} for name in asked}
    for board, name in itertools.product(boards, asked):
        rows = [row for _, row in find_rows([board], name) if row.done]
        if len(rows) > 1:
            raise UserError(f"{name} on {board.dataset} is {_listed(rows)}: name rows")
        for row in rows:
            tables = read_tables(reading, Side(board, row), candidates)
            key = pairing([row], [tables], alike=True)
            told = per_user(tables, whom(tables, key), candidates, metric)
            if told.figures.shape[1] > 1:
                found[name][_dataset(board, boards)] = mean_interval(told.figures)
    absent = [name for name, told in found.items() if not told]
    if absent:
        known = sorted({row.name for board in boards for row in board.rows})
        raise UserError(f"no row is called {absent[0]!r}. Known: {', '.join(known) or 'none'}")
    datasets = tuple(sorted({name for told in found.values() for name in told}))
    rows_over = over_datasets(found, baseline, margin)
    return Tour(next(iter(protocols)), candidates, metric, datasets, baseline, margin, rows_over)


def lineup_json(found: Lineup) -> dict[str, Any]:
    """The lineup as JSON-able data."""
    names = [row.name for row in found.rows]
    family = found.family
    return {
        "protocol": found.board.protocol,
        "dataset": found.board.dataset,
        "candidates": found.candidates,
        "metric": found.metric,
        "users": found.users,
        "dropped": found.dropped,
        "baseline": names[-1] if found.baseline else None,
        "margin": found.margin,
        "rows": [
            {
                "name": row.name,
                "cells": [record.cell.id for record in row.done],
                "interval": asdict(interval),
                "noise_known": sample.noise_known,
                "notes": list(row.notes),
            }
            for row, interval, sample in zip(
                found.rows, found.intervals, found.samples, strict=True
            )
        ],
        "pairs": [
            {
                "a": names[a],
                "b": names[b],
                "adjusted": adjusted,
                "adjusted_equivalence": equivalence,
                "difference": asdict(told),
            }
            for (a, b), told, adjusted, equivalence in zip(
                family.pairs, family.differences, family.adjusted, family.equivalence, strict=True
            )
        ],
        "detectable": family.detectable(),
        "detectable_among_all": family.detectable(len(family.pairs)),
    }


def tour_json(found: Tour) -> dict[str, Any]:
    """The tour as JSON-able data."""
    return asdict(found)


def _shared(figures: Sequence[PerUser]) -> tuple[np.ndarray, int]:
    """The users of all rows, and how many are of some alone."""
    users = figures[0].users
    for told in figures[1:]:
        users = users if told.users is users else np.intersect1d(users, told.users)
    every = {one for told in figures for one in told.users.tolist()}
    return users, len(every) - len(users)


def _dataset(board: Board, boards: Sequence[Board]) -> str:
    """A dataset's name; its fingerprint too where it was prepared in several ways."""
    alike = [other for other in boards if other.dataset == board.dataset]
    return board.dataset if len(alike) == 1 else f"{board.dataset} ({board.fingerprint[:8]})"


def _listed(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row.name} ({row.first.cell.id})" for row in rows)
