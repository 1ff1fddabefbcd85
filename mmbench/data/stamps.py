"""Moments that stand in one column, or in several: a day and its clock, or year, month and day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mmbench.data.clock import refuse, split_moments, times

CLOCK = re.compile(r"\d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[AaPp][Mm])?")
RANGES = {"year": (1900, 2100), "month": (1, 12), "day": (1, 31)}
CALENDAR = tuple(RANGES)


def moments(
    table: pd.DataFrame, columns: Sequence[str], path: Path, unit: str = "", form: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """int64[n] whole seconds and int64[n] nanoseconds of them.

    Args:
        table: has the columns.
        columns: one of moments, see ``clock.times``; or a day's, and those of a clock
            (``16:53:20``) or of milliseconds since midnight; or the year's, the month's and the
            day's.
        path: for messages.
        unit: of the first column, see ``clock.times``.
        form: of the first column.

    Raises DataError for a cell that is none of these.
    """
    if len(columns) == len(CALENDAR):
        return split_moments(*times(_calendar(table, columns, path), path, form="%Y-%m-%d"))
    second, finer = split_moments(*times(table[columns[0]], path, unit, form))
    if len(columns) == 1:
        return second, finer
    later = table[columns[1]]
    if is_clock(later):
        more, finer = _since_midnight(later, path)
    else:
        more, finer = split_moments(*times(later, path, "ms"))
    return second + more, finer


def is_clock(column: pd.Series) -> bool:
    """Whether the first cell that holds something is a time of day."""
    texts = column.dropna().astype(str).str.strip()
    first = texts[texts != ""].head(1)
    return len(first) == 1 and CLOCK.fullmatch(first.iloc[0]) is not None


def is_calendar(columns: Sequence[pd.Series]) -> bool:
    """Whether columns hold years, months and days."""
    for column, (least, most) in zip(columns, RANGES.values(), strict=True):
        numbers = pd.to_numeric(column, errors="coerce")
        if column.empty or not numbers.between(least, most).all():
            return False
    return True


def _since_midnight(column: pd.Series, path: Path) -> tuple[np.ndarray, np.ndarray]:
    texts = column.astype(str).str.strip()
    refuse(~texts.map(lambda t: CLOCK.fullmatch(t) is not None).to_numpy(), column, path, "time")
    late = texts.str.lower().str.endswith("pm").to_numpy()
    half = late | texts.str.lower().str.endswith("am").to_numpy()
    parts = texts.str.rstrip("aApPmM ").str.split(":", expand=True).reindex(columns=range(3))
    hour, minute = (parts[k].astype(np.int64).to_numpy() for k in (0, 1))
    hour = np.where(half, hour % 12 + 12 * late, hour)
    exact = parts[2].where(parts[2].notna(), "0").astype(np.float64).to_numpy()
    refuse((hour > 23) | (minute > 59) | (exact >= 60), column, path, "time")
    whole = np.floor(exact)
    finer = np.round((exact - whole) * 1e6).astype(np.int64) * 1000
    return hour * 3600 + minute * 60 + whole.astype(np.int64), finer


def _calendar(table: pd.DataFrame, columns: Sequence[str], path: Path) -> pd.Series:
    """Days as ``2014-05-13``."""
    parts = [pd.to_numeric(table[name], errors="coerce") for name in columns]
    for name, part in zip(columns, parts, strict=True):
        refuse(part.isna().to_numpy(), table[name], path, "time")
    year, month, day = (part.astype(np.int64).astype(str) for part in parts)
    return (year + "-" + month + "-" + day).rename("+".join(columns))
