"""What a folder without a ``dataset.toml`` most likely holds, by file names and headers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmbench.data import formats, images, rows
from mmbench.data.columns import why_not_by_name
from mmbench.data.log import DataError
from mmbench.data.spec import (
    ENDINGS,
    EventsSpec,
    FolderSpec,
    Format,
    ImagesSpec,
    ItemsSpec,
    file_format,
)
from mmbench.hookspecs import DatasetInfo

# Column names in lower case without separators, the likeliest first.
NAMES: Mapping[str, tuple[str, ...]] = {
    "user": ("userid", "user", "uid", "reviewerid", "customerid", "visitorid", "sessionid"),
    "item": (
        *("itemid", "item", "iid", "movieid", "parentasin", "asin", "productid", "product"),
        *("bookid", "businessid", "songid", "trackid", "newsid", "videoid", "gameid", "isbn"),
    ),
    "time": ("timestamp", "time", "unixreviewtime", "datetime", "date", "ts", "createdat"),
    "rating": ("rating", "overall", "stars", "score"),
    "title": ("title", "name", "itemname", "productname", "itemtitle", "keywords"),
}
EVENT_FILE = re.compile(r"inter|event|rating|review|sequence|click|purchase|log|train", re.I)
ITEM_FILE = re.compile(r"item|product|catalog|meta|movie|book", re.I)
SAMPLE = 2000
WITHOUT_COLUMNS = ("sequences", "rows")


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    form: Format
    columns: tuple[str, ...]
    named: Mapping[str, str]

    def find(self, kind: str) -> str | None:
        """The column of a kind: the one that the caller named, or the likeliest."""
        if self.named.get(kind) in self.columns:
            return self.named[kind]
        by_name = {re.sub(r"[^a-z0-9]", "", c.lower()): c for c in reversed(self.columns)}
        return next((by_name[name] for name in NAMES[kind] if name in by_name), None)


def guess(
    folder: Path,
    *,
    interactions: str = "",
    items: str = "",
    columns: Mapping[str, str] | None = None,
) -> FolderSpec:
    """The likeliest spec of a folder.

    Args:
        folder: where to look; only its top level, and picture folders in it.
        interactions: the file of the events, if it is known.
        items: the file of the items, if it is known.
        columns: the names of columns, if they are known, by kind: ``user``, ``item``, ``time``,
            ``rating``, ``id`` (of the items table), ``title``.

    Raises:
        DataError: where no file, or more than one alike, looks like events.
    """
    tables = list(_tables(folder, {interactions, items} - {""}, columns or {}))
    events = _choose_events(folder, tables, interactions)
    ids = _sample_ids(folder, events)
    others = [t for t in tables if t.name != events.file and t.form not in WITHOUT_COLUMNS]
    texts = _choose_items(folder, others, ids, items)
    pictures = _choose_images(folder, ids)
    remarks = () if events.time else ("times are positions: the source tells only an order",)
    identity = re.sub(r"[^a-z0-9._-]+", "-", folder.absolute().name.lower()).strip("-._")
    info = DatasetInfo(id=identity or "dataset", remarks=remarks, text=texts.text if texts else ())
    return FolderSpec(info, folder, events, texts, pictures)


def _tables(folder: Path, named: set[str], columns: Mapping[str, str]) -> Iterable[_Table]:
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.suffix.lower() not in ENDINGS:
            continue
        if path.name.startswith(".") or path.stem.lower() in {"readme", "license", "licence"}:
            continue
        form = file_format(path.name)
        if form == "sequences":
            if path.name in named or _looks_like_sequences(path):
                yield _Table(path.name, form, (), columns)
        else:
            try:
                names = tuple(formats.header(path, form))
                if form == "jsonl" and set(rows.KEYS) <= set(names):
                    form = "rows"
                yield _Table(path.name, form, names, columns)
            except DataError:
                telling = EVENT_FILE.search(path.stem) or ITEM_FILE.search(path.stem)
                if path.name in named or telling:  # to pass over it in silence would mislead
                    raise


def _looks_like_sequences(path: Path) -> bool:
    with path.open("rb") as file:
        lines = [line.split() for line in itertools.islice(file, 20)]
    lengths = [len(parts) for parts in lines if parts]
    users = [parts[0] for parts in lines if parts]
    return bool(lengths) and min(lengths) > 1 and len(set(users)) == len(users)


def _choose_events(folder: Path, tables: Sequence[_Table], named: str) -> EventsSpec:
    def worth(table: _Table) -> tuple[int, int]:
        if table.form in WITHOUT_COLUMNS:
            return 3 + bool(EVENT_FILE.search(table.name)), 0
        if table.find("user") is None or table.find("item") is None:
            return 0, 0
        hints = bool(EVENT_FILE.search(table.name)) + bool(table.find("rating"))
        return 2 + 2 * bool(table.find("time")) + hints, (folder / table.name).stat().st_size

    if named:
        table = next((t for t in tables if t.name == named), None)
        if table is None:
            raise DataError(f"{folder / named}: no such file, or of no known format")
        return _events_spec(table)
    ranked = sorted((t for t in tables if worth(t)[0]), key=worth, reverse=True)
    if not ranked:
        seen = "; ".join(f"{t.name}: {', '.join(t.columns) or 'sequences'}" for t in tables)
        raise DataError(
            f"{folder}: no file here looks like interactions (a table with a header that names a "
            f"user and an item column, or a sequences.txt). Found {seen or 'no table'}. Name file "
            "and columns in dataset.toml or with the flags of `mmbench data import`"
        )
    if len(ranked) > 1 and worth(ranked[0]) == worth(ranked[1]):
        raise DataError(
            f"{folder}: {ranked[0].name} and {ranked[1].name} both look like interactions; name "
            "one (`file` under [interactions] in dataset.toml)"
        )
    return _events_spec(ranked[0])


def _events_spec(table: _Table) -> EventsSpec:
    if table.form in WITHOUT_COLUMNS:
        return EventsSpec(table.name, table.form)
    return EventsSpec(
        table.name,
        table.form,
        user=table.find("user") or "user_id",
        item=table.find("item") or "item_id",
        time=table.find("time"),
        rating=table.find("rating"),
    )


def _sample_ids(folder: Path, spec: EventsSpec) -> set[str]:
    """Item ids of some events; empty where the columns are still to be named."""
    path = folder / spec.file
    if spec.format == "rows":
        return set()  # ids are made of texts
    if spec.format == "sequences":
        with path.open("rb") as file:
            lines = [line.decode("utf-8", "replace") for line in itertools.islice(file, SAMPLE)]
        return {item for line in lines for item in line.split()[1:]}
    form = file_format(spec.file, spec.format)
    if spec.item not in formats.header(path, form):
        return set()
    items = formats.read_table(path, form, [spec.item])[spec.item].head(SAMPLE)
    return set(formats.identifiers(items, path))


def _choose_items(
    folder: Path, tables: Sequence[_Table], ids: set[str], named: str
) -> ItemsSpec | None:
    """The table with an id column that holds most of the events' ids, then with most text."""
    best: tuple[float, bool, int] = (0.0, False, 0)
    chosen = None
    for table in tables:
        if (named and table.name != named) or (not named and table.find("user") is not None):
            continue
        column, share = _id_column(folder, table, ids)
        if column is None:
            continue
        text = _text_columns(table, column)
        worth = (round(share, 1), table.find("title") is not None, len(text))
        if text and worth > best:
            best, chosen = worth, ItemsSpec(table.name, table.form, column, text)
    if named and chosen is None:
        raise DataError(
            f"{folder / named}: none of its columns holds the ids of the events' items; name it "
            "(`id` under [items] in dataset.toml)"
        )
    return chosen


def _id_column(folder: Path, table: _Table, ids: set[str]) -> tuple[str | None, float]:
    """The column that holds most of ``ids``, and its share of them."""
    known = set(NAMES["item"]) | {"id"}
    given = table.named.get("id")
    likely = [
        c
        for c in table.columns
        if c == given or (not given and re.sub(r"[^a-z0-9]", "", c.lower()) in known)
    ]
    best: tuple[str | None, float] = (None, 0.0)
    for column in likely:
        values = formats.read_table(folder / table.name, table.form, [column])[column].dropna()
        if values.empty:
            continue
        share = len(ids & set(formats.identifiers(values[values != ""], folder / table.name)))
        if share > best[1] * len(ids):
            best = column, share / len(ids)
    return best


def _text_columns(table: _Table, column: str) -> tuple[str, ...]:
    """The columns worth showing to a model, the title first."""
    text = [c for c in table.columns if c != column and not why_not_by_name(c)]
    title = table.find("title")
    return tuple(sorted(text, key=lambda c: c != title))


def _choose_images(folder: Path, ids: set[str]) -> ImagesSpec | None:
    """The zip or folder with pictures of most of the events' items."""
    best, chosen = 0, None
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not (path.is_dir() or path.suffix.lower() == ".zip"):
            continue
        names = list(images.list_files(path))
        for pattern in ("{item}.*", "*/{item}.*"):
            found = len(ids & set(images.pair(names, pattern)))
            if found > best:
                best, chosen = found, ImagesSpec(path.name, pattern)
    return chosen
