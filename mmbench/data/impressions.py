"""MIND's ``behaviors.tsv``: what a reader clicked before, and what of a shown list then.

A row has an id, a user, a moment, the ids of news clicked before it (oldest first, without moments)
and the news shown, ``N1-0 N2-1``: 1 for a click. A user's history is the same in all of its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from mmbench.data.clock import times
from mmbench.data.log import DataError

COLUMNS = ("impression", "user", "time", "history", "shown")


def read_impressions(table: pd.DataFrame, path: Path, say: Callable[[str], None]) -> pd.DataFrame:
    """Events: a user's history, then what was clicked, in the order of moments; times are places.

    ``say`` is told what is left out. Raises DataError.
    """
    exact, _ = times(table["time"], path)
    order = np.lexsort((np.arange(len(exact)), exact))
    clicked: dict[str, list[str]] = {}
    before: dict[str, list[str]] = {}
    shown = unlike = 0
    users, histories, lists = (table[name].tolist() for name in ("user", "history", "shown"))
    for row in order.tolist():
        user = str(users[row])
        history = histories[row].split() if isinstance(histories[row], str) else []
        if before.setdefault(user, history) != history:
            unlike += 1
        for one in str(lists[row]).split():
            item, mark, click = one.rpartition("-")
            if not mark or click not in {"0", "1"}:
                raise DataError(
                    f"{path}, row {row + 1}: {one!r} is not written as <news>-0 or <news>-1"
                )
            shown += click == "0"
            if click == "1":
                clicked.setdefault(user, []).append(item)
    say(f"{path.name}: {shown:,} news that were shown and not clicked are no events")
    say(f"{path.name}: histories have no moments, so those of clicks serve for the order alone")
    if unlike:
        say(
            f"{path.name}: {unlike:,} rows tell another history than their user's first row, which "
            "counts"
        )
    rows = [
        (user, item, place)
        for user, history in before.items()
        for place, item in enumerate([*history, *clicked.get(user, [])])
    ]
    events = pd.DataFrame(rows, columns=["user", "item", "time"])
    return events.astype({"user": object, "item": object, "time": np.int64})
