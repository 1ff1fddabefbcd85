"""Cells that ended without a figure: visible rows, each with its reason."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from mmbench.report.aggregate import Board, Row
from mmbench.report.words import reason


@dataclass(frozen=True, slots=True)
class Failure:
    """The seeds of one row that ended alike; ``reason`` is one line, without folders."""

    row: Row
    kind: str
    reason: str
    seeds: tuple[int, ...]


def failures(board: Board) -> list[Failure]:
    """What failed on a board, in the order of its rows."""
    found = []
    for row in board.rows:
        alike: dict[tuple[str, str], list[int]] = defaultdict(list)
        for record in row.failed:
            alike[record.status.kind, reason(record.status.reason)].append(record.cell.seed)
        found += [Failure(row, *key, tuple(seeds)) for key, seeds in alike.items()]
    return found
