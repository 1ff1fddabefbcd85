"""``dataset.toml``: how a folder becomes a dataset.

Everything is optional but ``id`` and ``[interactions] file``::

    id = "shop"                       # as in --data shop
    name = "A shop"                   # for people
    aliases = ["my-shop"]
    licence = "CC-BY-4.0"
    origin = "where it comes from and how to get it"
    lineage = "shop"                  # shared by datasets that hold the same events; else the id
    remarks = ["pictures are drawn"]  # shown with every result
    root = "/elsewhere"               # where the files are, if not beside this file

    [interactions]
    file = "events.tsv"
    join = ["valid.tsv", "test.tsv"]  # more files of the same columns, read after it
    format = "tsv"                    # csv tsv parquet jsonl json atomic sequences rows
                                      # impressions; else by the name
    delimiter = ";"                   # of csv and tsv, where another one stands between cells
    columns = ["user_id", "item_id"]  # the names, where the file has no header
    encoding = "latin-1"              # where it is not UTF-8
    user = "user_id"                  # columns (not for sequences, rows and impressions)
    item = "item_id"
    history = "item_id_list"          # lists the items before `item`, oldest first; the same
                                      # column as `item` where it lists them all
    time = "timestamp"                # left out: the order of the rows; "day+ms" adds
                                      # milliseconds to a day, "date+clock" what a clock says, and
                                      # "year+month+day" is a day
    unit = "ms"                       # s ms us ns, or each: by the size of each stamp
    time_format = "%d/%m/%Y"          # of dates that are not ISO 8601
    rating = "rating"                 # left out: there are none
    split = "fold"                    # which part of a published split a row is of

    [items]
    file = "items.tsv"
    format = "tsv"                    # csv tsv parquet jsonl json atomic; else by the name
    delimiter = "|"                   # this and the next two: as above
    columns = ["item_id", "title"]
    encoding = "latin-1"
    id = "item_id"
    text = ["title", "brand"]         # the title first
    repeated = "first"                # of rows that repeat an id; left out: they are an error

    [images]
    path = "pictures.zip"             # a zip (read in place) or a folder
    pattern = "{item}.jpg"            # * stands for anything within a name
    remark = "pictures are drawn"     # shown with every result, where the pictures are there

    [recipe]                          # see mmbench.Recipe
    require = ["image"]
    duplicates = "keep"
    min_rating = 4.0
    core = 5
    min_length = 3
    ties = "hash"

Tables without quoting: ``tsv`` and ``atomic`` (RecBole's ``.inter`` and ``.item``, whose headers
carry types). ``sequences``: a user a line, ``user item item ...`` in time order. ``rows``: PixRec's
published rows, which hold the items' texts too (see ``mmbench.data.rows``). ``impressions``: MIND's
(see ``mmbench.data.impressions``). ``json``: a list of objects, or an object a line in JSON or as
Python writes it. Files may be packed (``.gz``, ``.bz2``, ``.xz``) or lie in a zip, whose name then
stands like a folder's: ``ml-1m.zip/ml-1m/ratings.dat``. Times are numbers (seconds; milli-, micro-
and nanoseconds are told by their size), days like 20140513, or dates.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mmbench.data.log import DataError
from mmbench.hookspecs import DatasetInfo, Recipe

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FILE_NAME = "dataset.toml"
ADDRESSES = "addresses.tsv"  # of photographs: item_id, address
PROTOCOL, MARKS = "split.toml", "split.parquet"  # of a published split, see mmbench.data.several
Format = Literal[
    "", "csv", "tsv", "parquet", "jsonl", "json", "atomic", "sequences", "rows", "impressions"
]
Unit = Literal["", "s", "ms", "us", "ns", "each"]
ENDINGS: Mapping[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".inter": "atomic",
    ".item": "atomic",
    ".txt": "sequences",
}
PACKED = frozenset({".gz", ".bz2", ".xz"})


@dataclass(frozen=True, slots=True)
class Reading:
    """How the bytes of a table become columns.

    Attributes:
        format: one of the formats; empty where the file's name tells it.
        delimiter: what stands between cells; empty where the format tells it, a space for runs of
            white space.
        columns: names, where the file has no header.
        encoding: as Python knows it; empty for UTF-8.
    """

    format: Format = ""
    delimiter: str = ""
    columns: tuple[str, ...] = ()
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class EventsSpec:
    """Where the interactions are; ``time`` and ``rating`` may be absent."""

    file: str
    format: Format = ""
    user: str = "user_id"
    item: str = "item_id"
    time: str | None = None
    rating: str | None = None
    join: tuple[str, ...] = ()
    delimiter: str = ""
    columns: tuple[str, ...] = ()
    encoding: str = ""
    history: str | None = None
    unit: Unit = ""
    time_format: str = ""
    split: str | None = None

    @property
    def reading(self) -> Reading:
        """How the files are read."""
        return Reading(
            file_format(self.file, self.format), self.delimiter, self.columns, self.encoding
        )


@dataclass(frozen=True, slots=True)
class ItemsSpec:
    """Where the items' texts are; no ``text`` means every column but ``id``."""

    file: str
    format: Format = ""
    id: str = "item_id"
    text: tuple[str, ...] = ()
    delimiter: str = ""
    columns: tuple[str, ...] = ()
    encoding: str = ""
    repeated: Literal["", "first"] = ""

    @property
    def reading(self) -> Reading:
        """How the file is read."""
        return Reading(
            file_format(self.file, self.format), self.delimiter, self.columns, self.encoding
        )


@dataclass(frozen=True, slots=True)
class ImagesSpec:
    """Where the items' pictures are; ``remark`` is shown with every result that they are in."""

    path: str
    pattern: str = "{item}.*"
    remark: str = ""


@dataclass(frozen=True, slots=True)
class FolderSpec:
    """A folder dataset, as ``dataset.toml`` tells it.

    Attributes:
        info: id, name, licence, recipe and so on.
        root: the folder that file names are relative to.
        interactions: the events.
        items: the texts, or ``None``.
        images: the pictures, or ``None``.
    """

    info: DatasetInfo
    root: Path
    interactions: EventsSpec
    items: ItemsSpec | None = None
    images: ImagesSpec | None = None

    def files(self) -> list[str]:
        """The names of all files (or picture folders) that the dataset consists of."""
        tables = [self.interactions.file, *self.interactions.join]
        tables += [self.items.file] if self.items else []
        names = tables + ([self.images.path] if self.images else [])
        return list(dict.fromkeys(map(on_disk, names)))


@dataclass(frozen=True, slots=True)
class _Toml:
    """The file's layout, for the check of keys and types."""

    id: str
    interactions: EventsSpec
    name: str = ""
    aliases: tuple[str, ...] = ()
    licence: str = ""
    origin: str = ""
    lineage: str = ""
    remarks: tuple[str, ...] = ()
    root: str = ""
    items: ItemsSpec | None = None
    images: ImagesSpec | None = None
    recipe: Recipe = field(default_factory=Recipe)


TABLES = {"interactions": EventsSpec, "items": ItemsSpec, "images": ImagesSpec, "recipe": Recipe}


def suggest(wrong: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` or an empty string."""
    near = difflib.get_close_matches(wrong, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def on_disk(name: str) -> str:
    """The file that a name is in: itself, or the zip that it begins with."""
    parts = name.split("/")
    ends = (k for k, part in enumerate(parts) if part.lower().endswith(".zip"))
    return "/".join(parts[: next(ends, len(parts)) + 1])


def ending(name: str) -> str:
    """The end of a file's name that tells its format, in lower case, without that of packing."""
    path = Path(name)
    return Path(path.stem if path.suffix.lower() in PACKED else name).suffix.lower()


def file_format(name: str, given: Format = "") -> Format:
    """The format of a file, by its name where it is not given. Raises DataError."""
    found = given or ENDINGS.get(ending(name), "")
    if not found:
        raise DataError(
            f"{name}: cannot tell its format by its name; "
            f"set `format` to one of {', '.join(sorted(set(ENDINGS.values())))}"
        )
    return found


def check_id(text: str) -> str:
    """``text`` if it can be an id (letters, digits, ``.``, ``_``, ``-``). Raises DataError."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text):
        raise DataError(f"{text!r} cannot be a dataset's id: use letters, digits, '.', '_' and '-'")
    return text


def parse(text: str, root: Path, where: str) -> FolderSpec:
    """Read ``dataset.toml``; ``where`` names it in messages.

    Raises DataError for broken toml, an unknown key, a value of the wrong type.
    """
    from pydantic import ValidationError

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{where}: not valid toml: {error}") from error
    _check_keys(table, _Toml, where, "")
    for name, kind in TABLES.items():
        if isinstance(table.get(name), dict):
            _check_keys(table[name], kind, where, f" in [{name}]")
    try:
        toml = _adapter().validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{where}: {key}: {first['msg']}") from error
    info = DatasetInfo(
        id=check_id(toml.id),
        name=toml.name,
        aliases=toml.aliases,
        licence=toml.licence,
        origin=toml.origin,
        remarks=toml.remarks,
        text=toml.items.text if toml.items else (),
        recipe=toml.recipe,
        lineage=toml.lineage,
    )
    folder = root / Path(toml.root).expanduser() if toml.root else root
    return FolderSpec(info, folder, toml.interactions, toml.items, toml.images)


@cache
def _adapter() -> TypeAdapter[_Toml]:
    from pydantic import TypeAdapter

    return TypeAdapter(_Toml)


def _check_keys(table: Mapping[str, Any], kind: type, where: str, part: str) -> None:
    known = [one.name for one in fields(kind)]
    for key in table:
        if key not in known:
            raise DataError(
                f"{where}: unknown key {key!r}{part}{suggest(key, known)} "
                f"(there are {', '.join(known)})"
            )


def read_toml(path: Path) -> FolderSpec:
    """The spec in a ``dataset.toml``. Raises DataError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    return parse(text, path.parent, str(path))


def render_toml(spec: FolderSpec, folder: Path) -> str:
    """``dataset.toml`` as it would stand in ``folder``; ``root`` only where that is elsewhere."""
    import tomli_w  # only what writes one wants it

    info = spec.info
    top: dict[str, Any] = {
        "id": info.id,
        "name": info.name,
        "aliases": info.aliases,
        "licence": info.licence,
        "origin": info.origin,
        "lineage": info.lineage,
        "remarks": info.remarks,
    }
    if spec.root.resolve() != folder.resolve():
        top["root"] = str(spec.root.resolve())
    told = _told(top)
    for name, part in (
        ("interactions", spec.interactions),
        ("items", spec.items),
        ("images", spec.images),
        ("recipe", info.recipe),
    ):
        if part is not None:
            told[name] = _told({one.name: getattr(part, one.name) for one in fields(part)})
    return tomli_w.dumps(told)


def write_toml(spec: FolderSpec, path: Path) -> None:
    """Write a spec so that ``read_toml`` returns it again. Raises OSError."""
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        temporary.write_text(render_toml(spec, path.parent), "utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _told(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table without what is not told."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in table.items()
        if value is not None and value not in ("", ())
    }
