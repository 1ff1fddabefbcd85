"""Rows by the names that people give them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mmbench.report.aggregate import Board, Row


def find_rows(boards: Iterable[Board], asked: str) -> list[tuple[Board, Row]]:
    """The rows that a text names: a cell's id (or its beginning), a row's name, or a model.

    A row may be named as it was asked for, ``text-encoder/small`` for ``text-encoder (small)``, and
    the remark that it is a tiny model's may be left out.
    """
    every = [(board, row) for board in boards for row in board.rows]
    for matches in (
        lambda row: any(r.cell.id.startswith(asked) for r in row.records) and len(asked) >= 4,
        lambda row: row.name == asked or row.first.label == asked,
        lambda row: _as_asked(row.name) == asked,
        lambda row: row.name.replace(" (tiny)", "") == asked,
        lambda row: row.first.cell.model == asked,
    ):
        found = [(board, row) for board, row in every if matches(row)]
        if found:
            return found
    return []


def _as_asked(name: str) -> str:
    """``hybrid[k=1] (small)`` as ``hybrid/small[k=1]``, in brackets too."""
    outer = re.sub(r"^([^\[]+)(\[.*\])? \((\w+)\)$", r"\1/\3\2", name)
    return re.sub(r" \((\w+)\)", r"/\1", outer)
