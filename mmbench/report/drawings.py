"""Drawings of a board, as data: decisions on pairs, cost against accuracy, training curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmbench.report.aggregate import Board, Row
from mmbench.report.cards import is_figure
from mmbench.report.numbers import of_interval, of_mean
from mmbench.report.page import Curve, Curves, Pairs, Point, Trade
from mmbench.report.standings import Standings
from mmbench.report.statistics import ALPHA, Family
from mmbench.report.statistics.max_t import FLIPS
from mmbench.report.view import View
from mmbench.report.words import duration, plain, plural

LEVELS = ((0.001, "3"), (0.01, "2"), (ALPHA, "1"))
POINTS = 32  # of a curve at most: more than a small picture shows
MOST = 4_000  # points of all curves of a page
SMALLEST = 3  # rows from which a map of pairs tells more than a sentence


def pairs(board: Board, standings: Standings) -> Iterator[Pairs]:
    """The decisions on all pairs, for other seeds and for these trained models.

    The second only where it tells of rows that the first does not.
    """
    names = {row.first.cell.id: plain(row.name) for row in board.rows}
    known, every = standings.known, tuple(standings.rows)
    metric, margin = standings.metric, f"{100 * standings.margin:g}%"
    if len(known) >= SMALLEST:
        said = (
            f"For other users and other seeds: {plural(len(standings.family.pairs), 'pair')} by "
            f"{metric}, Holm over all of them; within the margin: {margin}."
        )
        yield Pairs("Pairs", said, tuple(names[k] for k in known), _codes(standings.family))
    if len(every) >= SMALLEST and len(known) < len(every):
        said = (
            f"For other users and these trained models alone: {plural(len(every), 'row')} by "
            f"{metric}, step-down max-|t| of {FLIPS:,} sign flips; within the margin: {margin}."
        )
        yield Pairs(
            "Pairs, as trained", said, tuple(names[k] for k in every), _codes(standings.trained)
        )


def _codes(family: Family) -> str:
    """A character a pair; the families have all pairs, the better row first."""
    level = set(family.equivalent)
    return "".join(
        next((code for most, code in LEVELS if p < most), "e" if pair in level else "=")
        for pair, p in zip(family.pairs, family.adjusted, strict=True)
    )


def trade(
    rows: Sequence[Row], candidates: str, standings: Standings | None, view: View
) -> Iterator[Trade]:
    """Seconds of fitting against the headline metric, for the whole runs among rows."""
    metric = view.headline
    points = []
    for row in rows:
        seconds, figure = row.cost.get("fit_seconds"), row.figure(candidates, metric)
        if seconds is None or figure is None or row.first.cell.limit is not None:
            continue
        standing = standings.of(row) if standings else None
        known = standing.intervals.get(metric) if standing else None
        cell = of_interval(known) if known else of_mean(figure)
        points.append(Point(plain(row.name), seconds, duration(seconds), cell))
    if len(points) > 1:
        yield Trade("time to fit", f"{metric}, {candidates}", tuple(points))


def curves(rows: Sequence[Row]) -> Curves:
    """What the rows' finished cells logged, thinned to what a small picture shows.

    Past ``MOST`` points in all, later rows are left out.
    """
    found, left = [], MOST
    for row in rows:
        names = dict.fromkeys(
            name for record in row.done for name, told in record.curves.items() if len(told) > 1
        )
        own = tuple(
            Curve(
                plain(name),
                tuple(
                    (record.cell.seed, _thinned(record.curves[name]))
                    for record in row.done
                    if len(record.curves.get(name, ())) > 1
                    and not is_figure(name, record.curves[name])
                ),
            )
            for name in names
        )
        left -= sum(len(points) for curve in own for _, points in curve.seeds)
        if own and left >= 0:
            found.append((f"curves-{row.first.cell.id}", plain(row.name), own))
    return Curves(tuple(found))


def _thinned(points: Sequence[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """The first, the last and evenly many between."""
    if len(points) <= POINTS:
        return tuple((step, value) for step, value in points)
    last = len(points) - 1
    return tuple(tuple(points[place * last // (POINTS - 1)]) for place in range(POINTS))  # type: ignore[misc]
