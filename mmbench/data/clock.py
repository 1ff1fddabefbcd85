"""Cells of a time column as exact moments, whatever their unit and spelling."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmbench.data.log import DataError

SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # of which unit so many make a second
# Larger than any time of the finer unit before the year 5000, in seconds; and the least that
# tells a unit at all: smaller ones are near 1970 in each.
UNITS = (("ns", 1e17), ("us", 1e14), ("ms", 1e11), ("s", 1e8))
NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
FORMATS = (
    *("%m %d, %Y", "%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y.%m.%d", "%Y年%m月%d日"),
    *("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d %b %Y", "%d-%b-%Y", "%d %B %Y"),
    *("%B %d, %Y", "%b %d, %Y", "%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %z"),
    *("%d/%m/%Y", "%m/%d/%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S"),
    *("%m/%d/%Y %H:%M:%S", "%d-%m-%Y", "%m-%d-%Y", "%d-%m-%Y %H:%M:%S", "%m-%d-%Y %H:%M:%S"),
    *("%m/%d/%Y %I:%M:%S %p", "%d/%m/%y", "%m/%d/%y", "%m/%d/%Y %I:%M %p", "%d/%m/%Y %I:%M %p"),
    *("%d/%m/%Y %I:%M:%S %p", "%Y-%m-%d %I:%M %p", "%Y-%m-%d %I:%M:%S %p", "%d/%m/%y %H:%M"),
    *("%m/%d/%y %H:%M", "%d-%m-%Y %H:%M", "%m-%d-%Y %H:%M", "%d %b %Y %H:%M:%S", "%d-%b-%y"),
    *("%d-%b-%Y %H:%M:%S", "%b %d, %Y %I:%M %p", "%b %d, %Y %I:%M:%S %p", "%b %d, %Y, %I:%M %p"),
    *("%B %d, %Y %I:%M %p", "%B %d, %Y at %I:%M %p", "%d/%b/%Y:%H:%M:%S %z", "%b %d %Y"),
    *("%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S.%f UTC", "%Y-%m-%d %H:%M:%S %z"),
)
DAYS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # digits, and what they stand for


class Ambiguous(DataError):
    """Dates that may be written in two ways."""


@dataclass(frozen=True, slots=True)
class Times:
    """What a time column is.

    Attributes:
        unit: of numbers: ``s``, ``ms``, ``us``, ``ns``, or ``each`` where there are several.
        form: of dates that are not ISO 8601, as ``strptime`` takes it.
        step: the finest difference that it can tell, in seconds: 86400 for days.
        notes: what a person must know of it.
    """

    unit: str = ""
    form: str = ""
    step: float = 1.0
    notes: tuple[str, ...] = ()


def times(column: pd.Series, path: Path, unit: str = "", form: str = "") -> tuple[np.ndarray, int]:
    """Exact times (int64, or float64 where there are fractions) and how many make a second.

    Args:
        column: numbers, strings or moments.
        path: for messages.
        unit: of numbers; empty where their size tells it; ``each`` where each tells its own.
        form: of dates; empty where they are ISO 8601 or of one known form.

    Raises DataError for a cell that is no time, and for numbers of several units, where ``unit`` is
    empty; Ambiguous for dates of two forms.
    """
    number = pd.to_numeric(column, errors="coerce") if column.dtype.kind != "M" else None
    if form or number is None or number.isna().all():
        return _dates(column, path, form or _form(column, path))
    approximate = number.to_numpy(np.float64)
    refuse(~np.isfinite(approximate), column, path, "time")
    exact = number.to_numpy()
    largest = float(np.abs(approximate).max())
    if exact.dtype.kind == "f" and (exact == np.floor(exact)).all() and largest < 2**63:
        exact = exact.astype(np.int64)
    if not unit and (compact := _compact(exact)):
        return _dates(pd.Series(exact.astype(str), name=column.name), path, compact)
    told = units(exact)
    if not unit and len(told) > 1:
        raise DataError(f"{path}: {mixed(told, str(column.name))}; {CURE}")
    if unit == "each":
        return _each(exact), 10**9
    return exact, SECOND[unit or next(iter(told), "s")]


CURE = (
    'say how to read them: `unit = "each"` (--time-unit each) takes each by its own size, '
    '"s", "ms", "us" or "ns" takes all alike'
)


def units(exact: np.ndarray) -> dict[str, int]:
    """How many numbers are of the size of present times in each unit; none near 1970."""
    size = np.abs(exact.astype(np.float64))
    found = {}
    above = np.inf
    for name, least in UNITS:
        count = int(((size > least) & (size <= above)).sum())
        above = least
        if count:
            found[name] = count
    return found


def mixed(told: dict[str, int], name: str) -> str:
    """A sentence on a column with numbers of several units."""
    parts = [f"{count:,} in {NAMES[unit]}" for unit, count in told.items()]
    return f"the column {name!r} holds times of several units, by their size: {', '.join(parts)}"


def _each(exact: np.ndarray) -> np.ndarray:
    """int64[n] nanoseconds, each number read in the unit that its size tells."""
    size = np.abs(exact.astype(np.float64))
    above, moments = np.inf, np.zeros(len(exact), dtype=np.int64)
    for name, least in (*UNITS[:-1], ("s", -1.0)):
        at = (size > least) & (size <= above)
        above = least
        scale = 10**9 // SECOND[name]
        whole = np.floor(exact[at]).astype(np.int64)
        rest = ((exact[at] - whole) * scale).astype(np.int64)
        moments[at] = whole * scale + rest
    return moments


def split_moments(exact: np.ndarray, unit: int) -> tuple[np.ndarray, np.ndarray]:
    """int64[n] whole seconds and int64[n] nanoseconds of them, from what ``times`` returns."""
    second = exact // unit
    finer = np.clip((exact - second * unit) * (10**9 // unit), 0, 10**9 - 1)
    return second.astype(np.int64), finer.astype(np.int64)


def _compact(exact: np.ndarray) -> str:
    """The form of numbers that are all days, such as 20140513, or moments written like that."""
    if exact.dtype.kind not in "iu" or not len(exact):
        return ""
    for digits, form in DAYS.items():
        least = 10 ** (digits - 4)
        if not ((exact >= 1900 * least) & (exact < 2101 * least)).all():
            continue
        date = pd.to_datetime(pd.Series(exact.astype(str)), errors="coerce", format=form)
        return form if date.notna().all() else ""
    return ""


def _form(column: pd.Series, path: Path) -> str:
    """The form of dates; empty for ISO 8601. Raises Ambiguous where two fit."""
    if column.dtype.kind == "M":
        return ""
    texts = column.astype(str).str.strip()
    known = texts[texts != ""]
    some = known.iloc[:200]
    if not len(some) or not _parsed(some, "ISO8601").isna().any():
        return ""
    fit = [form for form in FORMATS if not _parsed(some, form).isna().any()]
    if len(fit) > 1:
        fit = [form for form in fit if not _parsed(known, form).isna().any()] or fit[:1]
    if len(fit) > 1 and (_parsed(known, fit[0]) != _parsed(known, fit[1])).any():
        raise Ambiguous(
            f"{path}: {known.iloc[0]!r} in column {column.name!r} may be {fit[0]} or {fit[1]}; say "
            "which (`time_format` under [interactions], --time-format)"
        )
    return fit[0] if fit else ""


def share(column: pd.Series) -> float:
    """The share of cells that are times, each for itself: a stamp, or a date of a known form."""
    numbers = pd.to_numeric(column, errors="coerce")
    good = np.array(numbers.abs() > UNITS[-1][1])
    texts = column.astype(str).str.strip()
    for form in ("ISO8601", *FORMATS):
        left = texts[~good]
        good[~good] = _parsed(left, form).notna().to_numpy() & ~left.str.isdigit().to_numpy()
    return float(good.mean())


def _parsed(texts: pd.Series, form: str) -> pd.Series:
    return pd.to_datetime(texts, errors="coerce", utc=True, format=form)


def _dates(column: pd.Series, path: Path, form: str) -> tuple[np.ndarray, int]:
    """int64[n] microseconds of dates, and how many make a second."""
    if column.dtype.kind == "M":
        date = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
    else:
        date = _parsed(column.astype(str).str.strip(), form or "ISO8601")
    refuse(date.isna().to_numpy(), column, path, "time")
    return date.dt.as_unit("us").to_numpy("datetime64[us]").astype(np.int64), 10**6


def examine(column: pd.Series, path: Path) -> Times | None:
    """What a column of times is; None where it holds something else, or cells that are no times.

    Numbers near 1970 are times only if all of them are.
    """
    unit, notes = "", []
    try:
        exact, per_second = times(column, path)
    except Ambiguous:
        return Times(step=86_400.0)  # said when it is read
    except DataError:
        try:
            exact, per_second = times(column, path, unit="each")
        except (DataError, ValueError, OverflowError):
            return None
        unit = "each"
        told = units(pd.to_numeric(column, errors="coerce").to_numpy())
        notes.append(f"{mixed(told, str(column.name))}; each is read in its own")
    second, finer = split_moments(exact, per_second)
    notes += _far(second, str(column.name))
    numbers = pd.to_numeric(column, errors="coerce") if column.dtype.kind != "M" else None
    form = ""
    if numbers is None or numbers.isna().all():
        form = _form(column, path)
    elif not unit and not _compact(numbers.to_numpy()):
        unit = next(name for name, count in SECOND.items() if count == per_second)
    step = 1.0 if not finer.any() else 1e-3
    if not finer.any() and (second % 86_400 == 0).all():
        step = 86_400.0
    return Times(unit, form, step, tuple(notes))


def _far(second: np.ndarray, name: str) -> Iterable[str]:
    """A line on moments that are far from all others: a broken stamp, or another unit."""
    if len(second) < 3 or np.abs(second).max() < UNITS[-1][1]:
        return
    low, middle, high = np.quantile(second, [0.05, 0.5, 0.95])
    reach = max(3 * 365 * 86_400.0, 10 * float(high - low))
    far = np.flatnonzero(np.abs(second - middle) > reach)
    if len(far):
        day = _day(int(second[far[0]]))
        yield (
            f"{len(far):,} times in {name!r} are far from the others, such as row {far[0] + 1}: "
            f"{day} (most are from {_day(int(low))} to {_day(int(high))}); they stand as they are"
        )


def _day(second: int) -> str:
    moment = np.datetime64(second, "s")
    return str(moment.astype("datetime64[D]"))


def refuse(bad: np.ndarray, column: pd.Series, path: Path, what: str) -> None:
    """Raise DataError where a row is marked, and name the first."""
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{path}, row {row + 1} (without the header): {column.iloc[row]!r} in column "
            f"{column.name!r} is no {what}; {int(bad.sum()):,} such rows: drop or mend them, or "
            "name another column"
        )
