"""Pages as CSV: a file for each table, its figures with all their digits."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from mmbench.report.page import Cell, Column, Page, Table

MARK = "protocol,dataset,"


def to_csv(page: Page) -> dict[str, str]:
    """What follows a board's path to a table: ``.unseen.csv``; nothing of the index.

    A column with figures holds them as numbers. One with intervals has two more, ``<title> low``
    and ``<title> high``. Numbers of footnotes stand in ``notes``.
    """
    if page.key == ("", ""):
        return {}
    return {
        f".{section.key}.csv": _table(page, section.table)
        for section in page.sections
        if section.table is not None
    }


def _table(page: Page, table: Table) -> str:
    columns = list(zip(table.columns, zip(*table.rows, strict=True), strict=True))
    noted = any(cell.marks for cells in table.rows for cell in cells)
    head = ["protocol", "dataset", *(title for pair in columns for title in _titles(*pair))]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*head, *(["notes"] if noted else [])])
    for cells in table.rows:
        told = [
            text for cell, pair in zip(cells, columns, strict=True) for text in _told(cell, *pair)
        ]
        notes = " ".join(str(mark) for cell in cells for mark in cell.marks)
        writer.writerow([*map(_safe, [*page.key, *told]), *([notes] if noted else [])])
    return out.getvalue()


def _titles(column: Column, cells: tuple[Cell, ...]) -> Iterator[str]:
    yield column.title
    if _spread(cells):
        yield from (f"{column.title} low", f"{column.title} high")


def _told(cell: Cell, column: Column, cells: tuple[Cell, ...]) -> Iterator[str]:
    figures = any(one.value is not None for one in cells)
    yield _number(cell.value) if figures else cell.text
    if _spread(cells):
        yield from (_number(cell.low), _number(cell.high))


def _spread(cells: tuple[Cell, ...]) -> bool:
    return any(cell.low is not None for cell in cells)


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def _safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
