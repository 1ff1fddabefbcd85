"""Tables as HTML. End tags that HTML can do without are left out: boards are long."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator

from mmbench.report.page import Cell, Column, Section
from mmbench.report.words import plain

ENDING = ".html"
LONG = 40  # characters
WIDTH, HEIGHT, EDGE = 160, 16, 4  # of a drawn interval, and what is kept free on either side


def escape(text: str) -> str:
    """Foreign text as HTML that shows just that text, in elements and quoted attributes."""
    return html.escape(plain(text))


def table(section: Section, *, linked: bool) -> str:
    """A section's table, in a box that scrolls; ``linked``: numbers of footnotes lead to them."""
    shown = section.table
    assert shown is not None
    scales = [_scale(shown.rows, k) if c.drawn else 0 for k, c in enumerate(shown.columns)]
    name = escape(section.title)
    head = "".join(_head(*pair) for pair in zip(shown.columns, scales, strict=True))
    body = "\n".join(
        "<tr>" + "".join(_row(cells, shown.columns, scales, linked)) for cells in shown.rows
    )
    return (
        f'<div class=scroll role=region tabindex=0 aria-label="{name}"><table>'
        f"<caption>{name}</caption>\n"
        f"<thead><tr>{head}</thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _head(column: Column, scale: float) -> str:
    kind = " class=l" if column.left else ""
    text = f"<th scope=col{kind}>{escape(column.title)}"
    if not scale:
        return text
    ends = f"<span><i>0</i><i>{_tick(scale)}</i></span>"
    return f"{text}<th scope=col class=i>95% interval{ends}"


def _row(
    cells: tuple[Cell, ...], columns: tuple[Column, ...], scales: list[float], linked: bool
) -> Iterator[str]:
    for number, (cell, column, scale) in enumerate(zip(cells, columns, scales, strict=True)):
        text = _linked(cell) + marks(cell.marks, linked)
        if not number:
            yield f"<th>{text}"
        else:
            kind = " class=b" if cell.best else _kind(cell) if column.left else ""
            yield f"<td{kind}{_sorted_by(cell)}>{text}"
        if scale:
            yield f"<td>{_interval(cell, scale)}"


def _kind(cell: Cell) -> str:
    """Of a cell of words; long ones may be broken into lines."""
    return " class=w" if len(cell.text) > LONG else " class=l"


def _linked(cell: Cell) -> str:
    text = escape(cell.text)
    if not cell.link:
        return text
    target = cell.link if cell.link.startswith("#") else cell.link + ENDING
    return f'<a href="{escape(target)}">{text}</a>'


def marks(numbers: tuple[int, ...], linked: bool) -> str:
    """The numbers of footnotes, raised."""
    if not numbers:
        return ""
    shown = (f"<a href=#n{number}>{number}</a>" if linked else str(number) for number in numbers)
    return f"<sup>{' '.join(shown)}</sup>"


def _sorted_by(cell: Cell) -> str:
    """The figure to sort by, where the text does not begin with it."""
    if cell.value is None:
        return ""
    try:
        told = float(cell.text.partition(" ")[0].replace(",", "").rstrip("%"))
    except ValueError:
        return f" data-v={cell.value:.6g}"
    return "" if math.isfinite(told) else f" data-v={cell.value:.6g}"


def _scale(rows: tuple[tuple[Cell, ...], ...], number: int) -> float:
    """The least round figure that no interval of a column passes; 0 where it has none."""
    ends = [high for cells in rows if (high := cells[number].high) is not None]
    most = max(ends, default=0.0)
    if most <= 0:
        return 0
    size = 10.0 ** math.floor(math.log10(most))
    return next(
        step * size for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * size >= most
    )


def _tick(scale: float) -> str:
    return f"{scale:.4g}"


def _interval(cell: Cell, scale: float) -> str:
    """A line from end to end, with its dot on the figure."""
    if cell.value is None or cell.low is None or cell.high is None:
        return ""
    low, value, high = (
        EDGE + round((WIDTH - 2 * EDGE) * max(0.0, x) / scale)
        for x in (cell.low, cell.value, cell.high)
    )
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}"><path d="M{low} 8H{value}H{high}"/></svg>'
