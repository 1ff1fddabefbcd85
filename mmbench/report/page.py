"""A board as data: titled, explained sections of tables and drawings, which renderings show.

All texts are plain; each rendering escapes them in its own way. Whatever is a figure is here: a
rendering chooses how it looks, and computes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cell:
    """What a table shows at one place.

    Attributes:
        text: as people read it; empty where there is nothing.
        value: the figure behind the text, with all its digits; None where the text is all.
        low, high: the ends of its 95% interval, where it has one.
        best: whether its row is told from all others of its table; only then it may stand out.
        marks: numbers of the footnotes to it.
        link: a board's path without its ending, or an ``id`` of the page after ``#``.
    """

    text: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    best: bool = False
    marks: tuple[int, ...] = ()
    link: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's title; whether it holds words; whether its intervals are worth a drawing."""

    title: str
    left: bool = False
    drawn: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table: ``rows`` hold a cell for each column."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Shown(Generic[T]):
    """A column in the making: its title, and what it shows of a row."""

    title: str
    show: Callable[[T], Cell | str]
    left: bool = False
    drawn: bool = False


def make_table(columns: Sequence[Shown[T]], rows: Sequence[T]) -> Table:
    """The table of some rows; a column that is empty in all rows is left out."""
    made = [(column, [_cell(column.show(row)) for row in rows]) for column in columns]
    kept = [(column, cells) for column, cells in made if any(cell.text for cell in cells)]
    return Table(
        tuple(Column(column.title, column.left, column.drawn) for column, _ in kept),
        tuple(zip(*(cells for _, cells in kept), strict=True)),
    )


def _cell(shown: Cell | str) -> Cell:
    return Cell(shown) if isinstance(shown, str) else shown


@dataclass(frozen=True, slots=True)
class Pairs:
    """What a family of pairs is decided to be.

    Attributes:
        title, said: what the decisions are, and whom they hold for.
        names: the family's rows, best first.
        codes: a character a pair, in the order (0, 1), (0, 2) .. (1, 2) ..; the first is the better
            row. ``=`` not told apart, ``e`` shown to lie within the margin, ``1``, ``2`` and ``3``
            told apart at p < .05, .01 and .001.
    """

    title: str
    said: str
    names: tuple[str, ...]
    codes: str


@dataclass(frozen=True, slots=True)
class Point:
    """A row among costs and figures."""

    name: str
    cost: float
    cost_text: str
    figure: Cell


@dataclass(frozen=True, slots=True)
class Trade:
    """Cost against accuracy: the axes, and a point for each row that has both, best first."""

    cost: str
    figure: str
    points: tuple[Point, ...]

    @property
    def front(self) -> tuple[Point, ...]:
        """The points that no cheaper one reaches, cheapest first."""
        found: list[Point] = []
        for point in sorted(self.points, key=lambda p: (p.cost, -(p.figure.value or 0.0))):
            if not found or (point.figure.value or 0.0) > (found[-1].figure.value or 0.0):
                found.append(point)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve of one name: of each seed its points, ``(step, value)``."""

    name: str
    seeds: tuple[tuple[int, tuple[tuple[int, float], ...]], ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """What rows logged while they were trained; ``id`` is a row's, unique on the page."""

    rows: tuple[tuple[str, str, tuple[Curve, ...]], ...]


Drawing = Pairs | Trade | Curves


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page.

    Attributes:
        key: unique on the page: letters, digits and hyphens.
        title: with ``level`` 2 or 3.
        banner: a warning that comes first.
        concluded: what may be concluded from the table.
        before, after: paragraphs above, and a list below the table.
        table: the figures.
        drawings: pictures of the same figures, for renderings that can show them.
        side: whether it says more of rows that stand in a section before.
    """

    key: str
    title: str
    level: int = 2
    banner: str = ""
    before: tuple[str, ...] = ()
    table: Table | None = None
    after: tuple[str, ...] = ()
    concluded: str = ""
    drawings: tuple[Drawing, ...] = ()
    side: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A board, or the index of boards.

    Attributes:
        title: of the page.
        key: what stands in tables of all boards: protocol and dataset; empty for the index.
        facts: what the data and the question are.
        rules: paragraphs below.
        sections: in order.
        footnotes: by number, those that ``marks`` name.
        origin: sections after the footnotes, on what made the page.
        links: to other files: text and relative path.
    """

    title: str
    key: tuple[str, str] = ("", "")
    facts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    footnotes: dict[int, str] = field(default_factory=dict)
    origin: tuple[Section, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
