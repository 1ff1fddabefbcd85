"""A board of many rows, cut to what a file holds that a phone opens at once.

Tables of accuracy stay whole, and so does the family of pairs of the first; what says more of rows
is told of the first ones. The board's other formats hold all.
"""

from __future__ import annotations

from dataclasses import replace

from mmbench.report.page import Column, Curves, Drawing, Page, Pairs, Section, Table, Trade

ROWS = 80  # up to which a page is whole
ASIDE = 25  # rows that tables beside are cut to
POINTS = 40  # of cost against accuracy, beside those that no cheaper one reaches
CURVES = 6  # rows with curves
WHERE = "the board's other formats hold all"


def fit(page: Page) -> Page:
    """The page itself, or one of many rows with less of what stands beside."""
    most = max((len(s.table.rows) for s in page.sections if s.table), default=0)
    if most <= ROWS:
        return page
    first = next(number for number, section in enumerate(page.sections) if section.table)
    return replace(
        page,
        sections=tuple(_cut(one, number == first) for number, one in enumerate(page.sections)),
        origin=tuple(_cut(one, False) for one in page.origin),
    )


def _cut(section: Section, first: bool) -> Section:
    drawn = _drawings(section.drawings, first)
    table, after = section.table, section.after
    if section.side and table is not None and len(table.rows) > ASIDE:
        after = (*after, f"The first {ASIDE} of {len(table.rows)} rows; {WHERE}.")
        table = Table(table.columns, table.rows[:ASIDE])
    elif section.side and len(after) > ASIDE:
        after = (*after[:ASIDE], f"The first {ASIDE} of {len(after)} rows; {WHERE}.")
    elif table is not None and not first:
        table = Table(tuple(Column(c.title, c.left) for c in table.columns), table.rows)
    return replace(section, table=table, after=after, drawings=drawn)


def _drawings(drawings: tuple[Drawing, ...], first: bool) -> tuple[Drawing, ...]:
    """One map of pairs, the larger, and some points, with the first table; some rows' curves."""
    curves = [Curves(one.rows[:CURVES]) for one in drawings if isinstance(one, Curves)]
    if not first:
        return tuple(curves)
    maps = [one for one in drawings if isinstance(one, Pairs)]
    trades = [_thinned(one) for one in drawings if isinstance(one, Trade)]
    return (*sorted(maps, key=lambda one: -len(one.names))[:1], *trades, *curves)


def _thinned(trade: Trade) -> Trade:
    """Without intervals, and of the rows behind the first ones only those none cheaper reaches."""
    kept = {*trade.points[:POINTS], *trade.front}
    points = (point for point in trade.points if point in kept)
    return replace(
        trade,
        points=tuple(
            replace(point, figure=replace(point.figure, low=None, high=None)) for point in points
        ),
    )
