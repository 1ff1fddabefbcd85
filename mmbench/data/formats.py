"""Readers of interaction and item tables; every complaint names file, row and cure."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mmbench.data.log import DataError
from mmbench.data.spec import EventsSpec, ItemsSpec, file_format
from mmbench.data.tables import as_frame, parquet_names, read_csv, read_parquet

DELIMITERS = {"csv": ",", "tsv": "\t", "atomic": "\t"}
# Larger than any time of the finer unit before the year 5000, in seconds.
UNITS = ((1e17, 10**9), (1e14, 10**6), (1e11, 10**3))


def header(path: Path, form: str) -> list[str]:
    """The column names of a table; RecBole's types are cut off. Raises DataError."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; put it there or mend its name in dataset.toml")
    if form == "parquet":
        with _readable(path):
            return parquet_names(path)
    if form == "jsonl":
        return list(next(iter(json_rows(path)), (0, {}))[1])
    names = _raw_header(path, form)
    return [name.split(":")[0] for name in names] if form == "atomic" else names


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable parquet file: {error}") from error


def _raw_header(path: Path, form: str) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = (
            csv.reader(file)
            if form == "csv"
            else csv.reader(file, delimiter=DELIMITERS[form], quoting=csv.QUOTE_NONE)
        )
        try:
            names = next(reader, [])
        except UnicodeDecodeError as error:
            raise _not_utf8(path) from error
        except csv.Error as error:
            raise DataError(f"{path}: its header cannot be read: {error}") from error
    if not names:
        raise DataError(f"{path}: the file is empty; it needs a header and rows")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise DataError(f"{path}: more than one column is called {min(twice)!r}; rename one")
    return names


def _not_utf8(path: Path) -> DataError:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return DataError(
                    f"{path}, line {number}: not UTF-8 (byte 0x{line[error.start]:02x}); convert "
                    "the file, for instance with `iconv -f latin1 -t utf-8`"
                )
    return DataError(f"{path}: not UTF-8; convert the file")


def json_rows(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    """(line number, row) of a jsonl file."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError as error:
                raise _not_utf8(path) from error
            except json.JSONDecodeError as error:
                raise DataError(f"{path}, line {number}: not JSON: {error}") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}, line {number}: a row must be a JSON object")
            yield number, row


def read_table(path: Path, form: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The named columns (default: all) of a table, in the order asked for.

    Columns of ``csv``, ``tsv`` and ``atomic`` files are strings; ``parquet`` and ``jsonl`` keep
    their types. Raises DataError for a missing column, no rows, a row of the wrong width, text
    that is not UTF-8.
    """
    names = header(path, form)
    chosen = list(columns) if columns is not None else names
    for name in chosen if form != "jsonl" else ():
        if name not in names:
            raise DataError(
                f"{path}: there is no column {name!r}; the file has {', '.join(names)}. Name the "
                "right one in dataset.toml or with a flag of `mmbench data import`"
            )
    if form == "jsonl":
        table = _read_jsonl(path, chosen)
    elif form == "parquet":
        with _readable(path):
            table = as_frame(read_parquet(path, chosen))
    else:
        table = _read_delimited(path, form)[chosen]
    if table.empty:
        raise DataError(f"{path}: the file has a header and no rows")
    return table


def _read_jsonl(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    rows = [[row.get(name) for name in columns] for _, row in json_rows(path)]
    table = pd.DataFrame(rows, columns=list(columns), dtype=object)
    for name in columns:
        if len(table) and table[name].isna().all():
            raise DataError(f"{path}: no row has the key {name!r}; name another in dataset.toml")
    return table


def _read_delimited(path: Path, form: str) -> pd.DataFrame:
    raw = _raw_header(path, form)
    try:
        table = read_csv(path, DELIMITERS[form], form == "csv", raw)
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise _not_utf8(path) from error
        raise DataError(
            f"{path}: {error} (row 1 is the header). Mend the row, or name another format"
        ) from error
    frame = as_frame(table)
    return frame.rename(columns=lambda name: name.split(":")[0]) if form == "atomic" else frame


def read_events(path: Path, spec: EventsSpec) -> pd.DataFrame:
    """The events of a file, as ``RawDataset.events``; without a time column, times are positions.

    Where times are finer than a second, there is a column ``nanosecond`` too. Raises DataError.
    """
    form = file_format(spec.file, spec.format)
    if form == "sequences":
        return read_sequences(path)
    wanted = [spec.user, spec.item, *(c for c in (spec.time, spec.rating) if c is not None)]
    table = read_table(path, form, list(dict.fromkeys(wanted)))
    events = pd.DataFrame(
        {"user": identifiers(table[spec.user], path), "item": identifiers(table[spec.item], path)}
    )
    if spec.rating is not None:
        events["rating"] = _ratings(table[spec.rating], path)
    if spec.time is None:
        return events.assign(time=events.groupby("user", sort=False).cumcount().astype(np.int64))
    exact, unit = times(table[spec.time], path)
    events["time"], finer = split_moments(exact, unit)
    return events.assign(nanosecond=finer) if finer.any() else events


def read_sequences(path: Path) -> pd.DataFrame:
    """Events of a file with a user a line, ``user item item ...``; time is the place, from 0."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; put it there or mend its name in dataset.toml")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    lines = [line.split() for line in text.split("\n")]
    user: list[str] = []
    lengths: list[int] = []
    for number, parts in enumerate(lines, 1):
        if len(parts) == 1:
            raise DataError(f"{path}, line {number}: user {parts[0]!r} has no item; drop the line")
        if parts:
            user.append(parts[0])
            lengths.append(len(parts) - 1)
    if not user:
        raise DataError(f"{path}: the file is empty; it needs lines like `user item item ...`")
    if len(set(user)) < len(user):
        twice = pd.Series(user)
        name = twice[twice.duplicated()].iloc[0]
        raise DataError(f"{path}: user {name!r} has more than one line; join them in time order")
    return pd.DataFrame(
        {
            "user": np.repeat(np.array(user, dtype=object), lengths),
            "item": [item for parts in lines for item in parts[1:]],
            "time": np.concatenate([np.arange(n, dtype=np.int64) for n in lengths]),
        }
    )


def read_items(path: Path, spec: ItemsSpec) -> pd.DataFrame:
    """The items of a file, as ``RawDataset.items``. Raises DataError, also for an item twice."""
    form = file_format(spec.file, spec.format)
    text = list(spec.text) or [name for name in header(path, form) if name != spec.id]
    table = read_table(path, form, list(dict.fromkeys([spec.id, *text])))
    ids = identifiers(table[spec.id], path)
    twice = ids[ids.duplicated()]
    if len(twice):
        rows = (np.flatnonzero(ids == twice.iloc[0]) + 1)[:2].tolist()
        raise DataError(
            f"{path}: item {twice.iloc[0]!r} is in rows {rows[0]} and {rows[1]} (without the "
            f"header), and {twice.nunique():,} items are there twice; keep one row an item"
        )
    columns = {name: [as_text(value) for value in table[name]] for name in text}
    if "item" in columns:
        raise DataError(
            f"{path}: a text column cannot be called 'item'; name others in `text` under [items]"
        )
    return pd.DataFrame({"item": ids, **columns}, dtype=object)


def identifiers(column: pd.Series, path: Path) -> pd.Series:
    """A column of ids as strings; whole numbers lose a ``.0``. Raises DataError where one lacks."""
    bad = column.isna() | (column.astype(object) == "")
    if bad.any():
        row = int(np.flatnonzero(bad)[0]) + 1
        raise DataError(
            f"{path}, row {row} (without the header): no value in column {column.name!r}; "
            f"{int(bad.sum()):,} such rows: drop or mend them"
        )
    if column.dtype.kind == "f" and (column == np.floor(column)).all():
        column = column.astype(np.int64)
    return pd.Series([str(value) for value in column], dtype=object, name=column.name)


def as_text(value: Any) -> str:
    """A cell as text: missing is empty, a list is joined by commas."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, list | tuple | np.ndarray):
        return ", ".join(filter(None, map(as_text, value)))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def times(column: pd.Series, path: Path) -> tuple[np.ndarray, int]:
    """Exact times (int64, or float64 where there are fractions) and how many make a second."""
    number = pd.to_numeric(column, errors="coerce") if column.dtype.kind != "M" else None
    if number is None or number.isna().all():
        date = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
        _refuse(date.isna().to_numpy(), column, path, "time")
        return date.dt.as_unit("us").to_numpy("datetime64[us]").astype(np.int64), 10**6
    approximate = number.to_numpy(np.float64)
    _refuse(~np.isfinite(approximate), column, path, "time")
    exact = number.to_numpy()
    largest = float(np.abs(approximate).max())
    if exact.dtype.kind == "f" and (exact == np.floor(exact)).all() and largest < 2**63:
        exact = exact.astype(np.int64)
    return exact, next((unit for limit, unit in UNITS if largest > limit), 1)


def split_moments(exact: np.ndarray, unit: int) -> tuple[np.ndarray, np.ndarray]:
    """int64[n] whole seconds and int64[n] nanoseconds of them, from what ``times`` answers."""
    second = exact // unit
    finer = np.clip((exact - second * unit) * (10**9 // unit), 0, 10**9 - 1)
    return second.astype(np.int64), finer.astype(np.int64)


def _ratings(column: pd.Series, path: Path) -> pd.Series:
    """Ratings as float64, NaN where the cell is empty."""
    empty = column.isna() | (column.astype(object) == "")
    rating = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    _refuse(~np.isfinite(rating) & ~empty.to_numpy(), column, path, "rating")
    return pd.Series(rating)


def _refuse(bad: np.ndarray, column: pd.Series, path: Path, what: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{path}, row {row + 1} (without the header): {column.iloc[row]!r} in column "
            f"{column.name!r} is no {what}; {int(bad.sum()):,} such rows: drop or mend them, or "
            "name another column"
        )
