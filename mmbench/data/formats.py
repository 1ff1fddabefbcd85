"""Readers of interaction and item tables; every complaint names file, row and cure."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mmbench.data.clock import refuse
from mmbench.data.delimited import raw_header, read_delimited, wrong_encoding
from mmbench.data.ids import identifiers
from mmbench.data.impressions import read_impressions
from mmbench.data.lists import explode
from mmbench.data.log import DataError
from mmbench.data.packed import exists, open_packed
from mmbench.data.records import keys, read_records, rows_of
from mmbench.data.spec import EventsSpec, Format, ItemsSpec, Reading
from mmbench.data.stamps import moments
from mmbench.data.tables import as_frame, parquet_names, read_parquet

OBJECTS = ("jsonl", "json")
Say = Callable[[str], None]


def header(path: Path, how: Reading | Format) -> list[str]:
    """The column names of a table; RecBole's types are cut off. Raises DataError.

    Those of objects are all keys of all rows.
    """
    reading = how if isinstance(how, Reading) else Reading(how)
    if not exists(path):
        raise DataError(f"{path}: no such file; put it there or mend its name in dataset.toml")
    if reading.format == "parquet":
        with _readable(path):
            return parquet_names(path)
    if reading.format in OBJECTS:
        return keys(rows_of(path, reading.format, reading.encoding))
    names = raw_header(path, reading)
    return [name.split(":")[0] for name in names] if reading.format == "atomic" else names


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable parquet file: {error}") from error


def read_table(
    path: Path, how: Reading | Format, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """The named columns (default: all) of a table, in the order asked for.

    Columns of text files are strings; ``parquet``, ``jsonl`` and ``json`` keep their types. Raises
    DataError for a missing column, no rows, a row of the wrong width, text in another encoding.
    """
    reading = how if isinstance(how, Reading) else Reading(how)
    form = reading.format
    names = list(columns or []) if form in OBJECTS else header(path, reading)
    chosen = list(columns) if columns is not None else names
    for name in chosen:
        if name not in names:
            raise DataError(
                f"{path}: there is no column {name!r}; the file has {', '.join(names)}. Name the "
                "right one in dataset.toml or with a flag of `mmbench data import`"
            )
    if form in OBJECTS:
        if not exists(path):
            raise DataError(f"{path}: no such file; put it there or mend its name in dataset.toml")
        table = read_records(path, form, columns, reading.encoding)
    elif form == "parquet":
        with _readable(path):
            table = as_frame(read_parquet(path, chosen))
    else:
        frame = read_delimited(path, reading)
        frame = frame.rename(columns=lambda n: n.split(":")[0]) if form == "atomic" else frame
        table = frame[chosen]
    if table.empty:
        raise DataError(f"{path}: the file has a header and no rows")
    return table


def read_events(path: Path, spec: EventsSpec, say: Say = lambda note: None) -> pd.DataFrame:
    """The events of a file, as ``RawDataset.events``; without a time column, times are positions.

    Where times are finer than a second, there is a column ``nanosecond`` too; where the spec names
    a published split, or several files, a column ``split`` of strings. ``path`` is the first
    file's, ``say`` is told what was left out. Raises DataError.
    """
    form = spec.reading.format
    paths = [path, *(_sibling(path, spec.file, name) for name in spec.join)]
    if form == "impressions":
        shown = [read_table(one, replace(spec.reading, format="tsv")) for one in paths]
        return read_impressions(pd.concat(shown, ignore_index=True), path, say)
    if form == "sequences":
        named = [read_sequences(one, spec.encoding) for one in paths]
        if not spec.join:
            return named[0]
    else:
        named = [_read_part(one, spec, say) for one in paths]
    if spec.join and spec.split is None:
        files = (spec.file, *spec.join)
        named = [part.assign(split=file) for part, file in zip(named, files, strict=True)]
    events = pd.concat(named, ignore_index=True)
    if spec.join:
        _refuse_twice(named, paths, say)
    if spec.time is None:
        return events.assign(time=events.groupby("user", sort=False).cumcount().astype(np.int64))
    return events


def _refuse_twice(parts: Sequence[pd.DataFrame], paths: Sequence[Path], say: Say) -> None:
    """Raise DataError where one file holds most of another's events: they would count twice.

    Without moments a user may have had an item twice, and ``say`` is told.
    """
    columns = [c for c in ("user", "item", "time", "nanosecond") if c in parts[0]]
    held = [set(part[columns].itertuples(index=False, name=None)) for part in parts]
    for k, one in enumerate(held):
        for m, other in enumerate(held):
            if k == m or len(one & other) <= len(other) / 2:
                continue
            told = f"{paths[m].name}: most of its events are in {paths[k].name} too"
            if "time" in columns:
                raise DataError(
                    f"{told}; joined, they would count twice: leave one out of the files to be "
                    f"joined (in {paths[m].parent})"
                )
            say(f"{told}; without times they cannot be told apart, and all count")


def _sibling(path: Path, file: str, name: str) -> Path:
    """The path of another file of the same folder: what ``path`` is to ``file``."""
    root = path
    for _ in file.split("/"):
        root = root.parent
    return root / name


def _read_part(path: Path, spec: EventsSpec, say: Say) -> pd.DataFrame:
    """The events of one of the files, without ``time`` where there is no such column."""
    stamps = spec.time.split("+") if spec.time else []
    if spec.time and len(stamps) > 1 and spec.time in header(path, spec.reading):
        stamps = [spec.time]  # a column of that very name
    others = (spec.rating, spec.history, spec.split)
    wanted = [spec.user, spec.item, *stamps, *(c for c in others if c is not None)]
    table = read_table(path, spec.reading, list(dict.fromkeys(wanted)))
    if spec.history is not None:
        return explode(table, spec, path, say)
    events = pd.DataFrame(
        {"user": identifiers(table[spec.user], path), "item": identifiers(table[spec.item], path)}
    )
    if spec.rating is not None:
        events["rating"] = ratings(table[spec.rating], path)
    if stamps:
        events["time"], finer = moments(table, stamps, path, spec.unit, spec.time_format)
        if finer.any() or spec.join:
            events["nanosecond"] = finer
    if spec.split is not None:
        events["split"] = table[spec.split].map(as_text).tolist()
    return events


def read_sequences(path: Path, encoding: str = "") -> pd.DataFrame:
    """Events of a file with a user a line, ``user item item ...``; time is the place, from 0."""
    if not exists(path):
        raise DataError(f"{path}: no such file; put it there or mend its name in dataset.toml")
    with open_packed(path) as file:
        data = file.read()
    try:
        text = data.decode(encoding or "utf-8-sig")
    except UnicodeDecodeError as error:
        raise wrong_encoding(path, encoding) from error
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


def read_items(path: Path, spec: ItemsSpec, say: Say = lambda note: None) -> pd.DataFrame:
    """The items of a file, as ``RawDataset.items``.

    Rows that repeat another, text and all, are one. Raises DataError, also for an item with several
    texts, unless the spec says that the first counts; ``say`` is told then.
    """
    text = list(spec.text) or [name for name in header(path, spec.reading) if name != spec.id]
    table = read_table(path, spec.reading, list(dict.fromkeys([spec.id, *text])))
    ids = identifiers(table[spec.id], path)
    columns = {name: [as_text(value) for value in table[name]] for name in text}
    if "item" in columns:
        raise DataError(
            f"{path}: a text column cannot be called 'item'; name others in `text` under [items]"
        )
    items = pd.DataFrame({"item": ids, **columns}, dtype=object)
    return _single(items, path, spec, say)


def _single(items: pd.DataFrame, path: Path, spec: ItemsSpec, say: Say) -> pd.DataFrame:
    """One row an item."""
    same = items.duplicated()
    if same.any():
        say(
            f"{path.name}: {int(same.sum()):,} rows repeat another one, word for word; once is "
            "enough"
        )
    repeated = items["item"].duplicated() & ~same
    if repeated.any() and spec.repeated != "first":
        one = items["item"][repeated].iloc[0]
        rows = (np.flatnonzero((items["item"] == one) & ~same) + 1)[:2].tolist()
        many = items["item"][repeated].nunique()
        raise DataError(
            f"{path}: item {one!r} is in rows {rows[0]} and {rows[1]} (without the header), and "
            f"{many:,} items are there twice; keep one row an item, or say that the first counts "
            '(`repeated = "first"` under [items], --repeated first)'
        )
    if repeated.any():
        say(
            f"{path.name}: {int(repeated.sum()):,} rows have other texts for an item that has a "
            "row; the first with a title counts"
        )
    if not same.any() and not repeated.any():
        return items
    title = items.columns[1] if len(items.columns) > 1 else "item"
    empty = items[title].str.strip() == ""
    kept = items.assign(empty=empty).sort_values("empty", kind="stable").drop_duplicates("item")
    return kept.sort_index().drop(columns="empty").reset_index(drop=True)


def as_text(value: Any) -> str:
    """A cell as text: missing is empty, a list is joined by commas."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, list | tuple | np.ndarray):
        return ", ".join(filter(None, map(as_text, value)))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def ratings(column: pd.Series, path: Path) -> pd.Series:
    """Ratings as float64, NaN where the cell is empty."""
    empty = column.isna() | (column.astype(object) == "")
    rating = numbers(column).to_numpy(np.float64)
    refuse(~np.isfinite(rating) & ~empty.to_numpy(), column, path, "rating")
    return pd.Series(rating)


def numbers(column: pd.Series) -> pd.Series:
    """Numbers, NaN where a cell is none; ``4,5`` is 4.5, where all are written in this way."""
    found = pd.to_numeric(column, errors="coerce")
    texts = column[found.isna()].dropna().astype(str).str.strip()
    texts = texts[texts != ""]
    if len(texts) and texts.str.fullmatch(r"[-+]?\d+,\d+").all():
        found = pd.to_numeric(column.astype(str).str.replace(",", "."), errors="coerce")
    return found
