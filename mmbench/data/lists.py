"""Rows that list a user's items, as RecBole's session benchmarks: ``item_id_list``, ``item_id``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmbench.data.ids import identifiers
from mmbench.data.log import DataError
from mmbench.data.spec import EventsSpec
from mmbench.data.stamps import moments


def explode(
    table: pd.DataFrame, spec: EventsSpec, path: Path, say: Callable[[str], None]
) -> pd.DataFrame:
    """Events of rows with a list of items, and the item after them, if that stands apart.

    They have times where another column lists as many of them.

    A row that begins its neighbour is left out, and ``say`` is told: such files list every
    beginning of a session for training, and would count its events many times. Of the rest each
    row is a user. Raises DataError where a user has several rows, and for lists of other lengths.
    """
    assert spec.history is not None
    users = identifiers(table[spec.user], path).tolist()
    rows = [cell_items(cell) for cell in table[spec.history]]
    if spec.item != spec.history:
        lasts = identifiers(table[spec.item], path).tolist()
        rows = [[*row, last] for row, last in zip(rows, lasts, strict=True)]
    kept = [
        k
        for k, row in enumerate(rows)
        if not any(0 <= n < len(rows) and _begins(row, rows[n], n < k) for n in (k - 1, k + 1))
    ]
    if len(kept) < len(rows):
        say(
            f"{path.name}: {len(rows) - len(kept):,} of {len(rows):,} rows are the beginning of "
            "the row beside them; their events are counted once"
        )
    named = [users[k] for k in kept]
    if len(set(named)) < len(named):
        twice = pd.Series(named)
        raise DataError(
            f"{path}: {spec.user} {twice[twice.duplicated()].iloc[0]!r} has several rows, and none "
            "is the beginning of another; join them in time order"
        )
    lengths = [len(rows[k]) for k in kept]
    events = pd.DataFrame(
        {
            "user": np.repeat(np.array(named, dtype=object), lengths),
            "item": np.array([item for k in kept for item in rows[k]], dtype=object),
        }
    )
    if spec.time is None:
        return events
    stamps = [cell_items(table[spec.time].iloc[k]) for k in kept]
    for k, found, length in zip(kept, stamps, lengths, strict=True):
        if len(found) != length:
            raise DataError(
                f"{path}, row {k + 1} (without the header): {len(found)} times in {spec.time!r} "
                f"for {length} items; mend it, or leave `time` out"
            )
    flat = pd.DataFrame({spec.time: [one for found in stamps for one in found]}, dtype=object)
    second, finer = moments(flat, [spec.time], path, spec.unit, spec.time_format)
    return events.assign(time=second, nanosecond=finer)


def _begins(row: Sequence[str], other: Sequence[str], before: bool) -> bool:
    """Whether a row begins another; of two equal ones, the later one does."""
    return other[: len(row)] == row and (len(other) > len(row) or before)


def cell_items(cell: Any) -> list[str]:
    """The ids in a cell: a list, a list in JSON, or ids with spaces or commas between them."""
    if isinstance(cell, list | tuple | np.ndarray):
        return [str(one) for one in cell]
    text = "" if cell is None or (isinstance(cell, float) and np.isnan(cell)) else str(cell).strip()
    if text.startswith("["):
        try:
            return [str(one) for one in json.loads(text)]
        except ValueError:
            text = text.strip("[]")
    return [one.strip("'\"") for one in text.replace(",", " ").split()]


def are_lists(cells: Sequence[Any]) -> bool:
    """Whether most cells hold two ids or more, in a list, or with spaces or commas between."""
    return sum(len(cell_items(cell)) > 1 for cell in cells) > len(cells) / 2
