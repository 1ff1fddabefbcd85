"""Which column of an events table tells the time: by its name, and by what its cells hold."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmbench.data import clock
from mmbench.data.looks import Look
from mmbench.data.names import NAMES, SPANS, plain
from mmbench.data.stamps import CALENDAR, is_calendar, is_clock

DAY = 86_400.0  # seconds
EARLIEST, LATEST = np.datetime64("1985-01-01"), np.datetime64("2100-01-01")
TIMELY = re.compile(
    r"time|date|stamp|when|(?:^|_)t(?:$|_)|(?:^|[^a-z])at$|jahr|fecha|heure|datum", re.I
)
NEVER = {name for kind in ("user", "item", "rating", "id") for name in NAMES[kind]}


@dataclass(frozen=True, slots=True)
class When:
    """A column that may tell the time.

    Attributes:
        column: its name.
        times: what its cells are.
        moments: whether they are moments of recent decades; otherwise small numbers.
        place: of its name among those that are known; large where it is not.
        named: whether its name speaks of time.
    """

    column: str
    times: clock.Times
    moments: bool
    place: int
    named: bool

    @property
    def worth(self) -> tuple[bool, bool, float, int]:
        """Moments before numbers, names of times before others, the finest, the likeliest."""
        return self.moments, self.named, -self.times.step, -self.place


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is taken for the time.

    Attributes:
        column: as ``EventsSpec.time``; None where nothing is.
        rivals: columns that might as well be meant.
        notes: what a person must know.
        unread: a column that is named like a time, but holds none that can be read.
    """

    column: str | None = None
    rivals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unread: str = ""


def choose_time(look: Look, taken: Collection[str]) -> Chosen:
    """What a table's columns tell of the time; ``taken`` are columns that are something else."""
    found = find_whens(look, taken)
    best, rivals = choose(found)
    parts = {plain(column): column for column in reversed(look.columns)}
    if set(CALENDAR) <= parts.keys() and not (best and best.moments):
        columns = [parts[name] for name in CALENDAR]
        if is_calendar([look.rows[column] for column in columns]):
            return Chosen("+".join(columns), (), ("times are days, of three columns",))
    if best is None:
        return _unread(look, taken)
    told = []
    if not best.named:
        told.append(f"{best.column!r} is taken for the time by its values (--time-column)")
    elif len(found) > 1 and found[1].moments:
        others = ", ".join(w.column for w in found[1:] if w.moments)
        told.append(
            f"{best.column!r} is taken for the time, as the finest or likeliest; not {others}"
        )
    if not best.moments:
        told.append(
            f"{best.column!r} holds no moments of recent decades but other numbers: they only tell "
            "the order of events"
        )
    clock = next(
        (c for c in look.columns if c not in (*taken, best.column) and is_clock(look.rows[c])), ""
    )
    if clock and best.moments and best.times.step == DAY:
        told.append(f"times are the days of {best.column!r} and the clock of {clock!r}")
        return Chosen(f"{best.column}+{clock}", (), tuple(told))
    return Chosen(best.column, tuple(w.column for w in rivals), tuple(told))


def _unread(look: Look, taken: Collection[str]) -> Chosen:
    """Nothing, and a word on a column that is named like a time."""
    for column in look.columns:
        name = plain(column)
        values = look.rows[column].dropna()
        values = values[values.astype(str).str.strip() != ""]
        timely = name in NAMES["time"] or TIMELY.search(column) is not None
        if column in taken or name in NEVER or SPANS.search(name) or not timely or values.empty:
            continue
        if pd.to_numeric(values, errors="coerce").notna().all():
            continue  # numbers, which are no moments
        if clock.share(values) > 0.5:
            return Chosen(column)  # the row that is none is named when it is read
        return Chosen(
            notes=(
                f"{column!r} is named like a time, but its cells, such as {str(values.iloc[0])!r}, "
                f"are none that can be read: say how (--time-column {column} --time-format "
                "'%d/%m/%Y %H:%M')",
            ),
            unread=column,
        )
    return Chosen()


def find_whens(look: Look, taken: Collection[str]) -> list[When]:
    """The columns of a table that may tell the time, the likeliest first.

    ``taken`` are columns that are something else.
    """
    found = [_when(look, column) for column in look.columns if column not in taken]
    return sorted((one for one in found if one is not None), key=lambda w: w.worth, reverse=True)


def _when(look: Look, column: str) -> When | None:
    values = look.rows[column] if column in look.rows else pd.Series(dtype=object)
    values = values[values.notna() & (values.astype(str).str.strip() != "")]
    name = plain(column)
    if values.empty or name in NEVER or SPANS.search(name) or not _is_scalar(values):
        return None
    times = clock.examine(values, Path(look.name))
    if times is None:
        return None
    known = name in NAMES["time"]
    named = known or TIMELY.search(column) is not None
    moments = _are_moments(values, times)
    if not named and not (moments and not name.endswith("id")):
        return None
    place = NAMES["time"].index(name) if known else len(NAMES["time"])
    return When(column, times, moments, place, named)


def _is_scalar(values: pd.Series) -> bool:
    return not any(isinstance(value, bool | list | dict | np.ndarray) for value in values.head(50))


def _are_moments(values: pd.Series, times: clock.Times) -> bool:
    """Whether most cells are of recent decades, and numbers are of the size of stamps."""
    try:
        exact, unit = clock.times(values, Path(), times.unit, times.form)
    except clock.Ambiguous:
        return True
    except (ValueError, OverflowError):
        return False
    second, _ = clock.split_moments(exact, unit)
    low, high = (int(one.astype("datetime64[s]").astype(np.int64)) for one in (EARLIEST, LATEST))
    return bool(((second > low) & (second < high)).mean() > 0.9)


def choose(whens: Iterable[When]) -> tuple[When | None, list[When]]:
    """The likeliest, and others that might as well be meant: where no name tells which."""
    found = list(whens)
    best = next(iter(found), None)
    if best is None or best.named:
        return best, []
    return best, [one for one in found[1:] if one.moments and not one.named]
