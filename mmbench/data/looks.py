"""A first look at each file of a folder: how it is read, its columns, its first rows."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from mmbench.data import formats, images, layouts, rows, sniff
from mmbench.data.delimited import remarks
from mmbench.data.log import DataError
from mmbench.data.names import KNOWN_NAMES, plain
from mmbench.data.packed import open_packed, size
from mmbench.data.records import rows_of, value_of
from mmbench.data.spec import ADDRESSES, FILE_NAME, MARKS, PROTOCOL, Reading, ending
from mmbench.data.tables import as_frame, parquet_head

SAMPLE = 2000  # rows
TEXT: tuple[str, ...] = (
    ".csv",
    ".tsv",
    ".txt",
    ".dat",
    ".data",
    ".base",
    ".test",
    ".item",
    ".inter",
    ".tab",
    ".psv",
)
TEXT += (".user", ".ratings", ".rating", ".lst", ".log", ".part", "")
PROSE = {"readme", "license", "licence", "copying", "changelog", "citation", "notice", "authors"}
ATOMIC = {".inter", ".item", ".user", ".kg", ".link", ".net"}
FEATURES = {
    ".npy",
    ".npz",
    ".pt",
    ".pth",
    ".pkl",
    ".pickle",
    ".h5",
    ".hdf5",
    ".bin",
    ".lmdb",
    ".mdb",
}
ARCHIVE = "an archive: unpack it"
SHEET = "a spreadsheet: save its sheets as CSV"
DATABASE = "a database, or what fills one: export its tables as CSV"
CURES: Mapping[str, str] = {
    **dict.fromkeys(
        (".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar", ".zst", ".z", ".lz4"), ARCHIVE
    ),
    ".zip": "a zip within a zip, or one that cannot be read: unpack it",
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods", ".numbers"), SHEET),
    **dict.fromkeys((".sqlite", ".sqlite3", ".db", ".sql", ".accdb", ".dump"), DATABASE),
    **dict.fromkeys((".feather", ".arrow", ".orc", ".avro", ".ipc"), "save it as Parquet or CSV"),
    **dict.fromkeys((".mat", ".rds", ".rdata", ".rda", ".dta", ".sav"), "save it as CSV"),
}
MARKS_OF = {
    b"PAR1": "Parquet",
    b"PK\x03\x04": "a zip, or a spreadsheet,",
    b"\x1f\x8b": "packed by gzip",
    b"BZh": "packed by bzip2",
    b"SQLite f": "an SQLite database",
    b"%PDF": "a PDF",
}
WITHOUT_COLUMNS = ("sequences", "rows")


@dataclass(frozen=True, slots=True)
class Look:
    """A file as it looks.

    Attributes:
        name: its path in the folder.
        reading: how it is read; of an unknown format, where it is no table.
        columns: their names; of sequences and rows none.
        rows: the first ones.
        known: what is known of its name.
        notes: what a person must know of how it is read.
        why_not: why it is no table; empty where it is.
        prose: whether it looks like words for people, though it could be read as sequences.
        error: what stands against reading it, where its name says that it should be.
    """

    name: str
    reading: Reading = field(default_factory=Reading)
    columns: tuple[str, ...] = ()
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    known: layouts.KnownFile | None = None
    notes: tuple[str, ...] = ()
    why_not: str = ""
    prose: bool = False
    error: DataError | None = None

    @property
    def is_table(self) -> bool:
        """Whether it has columns."""
        return not self.why_not and self.reading.format not in WITHOUT_COLUMNS


@dataclass(frozen=True, slots=True)
class Given:
    """What the caller knows of how files are read.

    Attributes:
        names: files that the caller names, whatever they look like.
        events: the file of the events; what follows is said of it alone, or of all where it is
            empty.
        delimiter: what stands between cells.
        headless: whether the first line is an event.
        columns: names of all columns.
        encoding: of text files.
    """

    names: tuple[str, ...] = ()
    events: str = ""
    delimiter: str = ""
    headless: bool = False
    columns: tuple[str, ...] = ()
    encoding: str = ""


AS_IT_LOOKS = Given()


def look(folder: Path, name: str, given: Given = AS_IT_LOOKS) -> Look:
    """A file as it looks; nothing is raised for one that cannot be read."""
    try:
        return _look(folder / name, name, given)
    except DataError as error:
        return Look(name, why_not=_short(error, folder).removeprefix(f"{name}: "), error=error)
    except (OSError, ValueError, csv.Error) as error:
        return Look(name, why_not=f"cannot be read: {error}")


def _look(path: Path, name: str, given: Given) -> Look:
    kind, stem = ending(name), PurePosixPath(name).name.split(".")[0].lower()
    if name.endswith("/"):
        return Look(name, why_not="too many folders deep")
    if name == FILE_NAME:
        return Look(name, why_not="describes the dataset")
    if name in (PROTOCOL, MARKS) and (path.parent / PROTOCOL).is_file():
        return Look(name, why_not="the published split, as a protocol (--protocol)")
    if name == ADDRESSES:
        return Look(name, why_not="addresses of photographs, for --images")
    if images.is_image(name):
        return Look(name, why_not="a picture")
    if kind in FEATURES:
        return Look(name, why_not="features or objects of a program; mmbench reads tables")
    if stem in PROSE and name not in given.names:
        return Look(name, why_not="words for people, by its name")
    if not size(path):
        return Look(name, why_not="is empty")
    if kind == ".parquet":
        return _look_at_parquet(path, name)
    if kind in {".jsonl", ".ndjson", ".json"}:
        return _look_at_objects(path, name, "json" if kind == ".json" else "jsonl", given)
    if kind in TEXT or kind in ATOMIC or name in given.names or layouts.known_file(name):
        return _look_at_text(path, name, given)
    return Look(name, why_not=CURES.get(kind, "of no known format"))


def _look_at_parquet(path: Path, name: str) -> Look:
    names = formats.header(path, "parquet")
    try:
        frame = as_frame(parquet_head(path, SAMPLE))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable parquet file: {error}") from error
    return Look(name, Reading("parquet"), tuple(names), frame)


def _look_at_objects(path: Path, name: str, form: str, given: Given) -> Look:
    code, notes = _encoding(path, given)
    first = list(itertools.islice(rows_of(path, form, code), SAMPLE))
    if not first:
        return Look(name, why_not="is empty")
    if form == "jsonl" and set(rows.KEYS) <= set(first[0]):
        return Look(name, Reading("rows"))
    if len(first) == 1 and (form == "json"):
        told = "one JSON object, and no list of rows: write a row an event, or `user item item ...`"
        return Look(name, why_not=told)
    reading = Reading("json" if form == "json" else "jsonl", encoding=code)
    columns = tuple(formats.header(path, reading))
    frame = pd.DataFrame(
        [[value_of(row, c) for c in columns] for row in first], columns=list(columns)
    )
    return Look(name, reading, columns, frame.astype(object), layouts.known_file(name), notes)


def _encoding(path: Path, given: Given) -> tuple[str, tuple[str, ...]]:
    """The encoding of a file, and a warning where it is a guess."""
    if given.encoding:
        return given.encoding, ()
    code = sniff.encoding(path)
    if not code or code.startswith("utf-16"):
        return code, (f"in {code}",) if code else ()
    return code, (f"not UTF-8: read as {code}, which may be wrong (--encoding)",)


def _look_at_text(path: Path, name: str, given: Given) -> Look:
    """A file of lines: a table, sequences, or neither."""
    kind, known = ending(name), layouts.known_file(name)
    with open_packed(path) as file:
        start = file.read(8)
    other = next((what for mark, what in MARKS_OF.items() if start.startswith(mark)), "")
    if other:
        return Look(name, why_not=f"{other} by its first bytes, whatever its name says")
    code, notes = _encoding(path, given)
    said = remarks(path, code)
    if said:
        told = "1 line" if len(said) == 1 else f"{len(said):,} lines"
        notes += (f"{told} before its rows are taken for remarks, such as {said[-1].strip()!r}",)
    lines = sniff.lines(path, code)
    if not lines:
        return Look(name, why_not="is empty but for white space")
    if kind in ATOMIC and not (known and known.columns):
        reading = Reading("atomic", given.delimiter, encoding=code)
        if ":" in lines[0] or kind != ".item":
            return _table(path, name, reading, None, notes)
    preferred = {".csv": ",", ".tsv": "\t"}.get(kind, "")
    found = sniff.layout(path, code, given.delimiter or (known.delimiter if known else preferred))
    ragged = found is None or len({len(row) for row in found.rows}) > 1
    if kind != ".csv" and not given.columns and not known and _is_sequences(lines, ragged, found):
        prose = sniff.is_prose(lines) and "sequence" not in name.lower()
        return Look(name, Reading("sequences", encoding=code), notes=notes, prose=prose)
    if found is None:
        return Look(name, why_not="no table: its lines do not fall into equal cells")
    own = {"csv": ",", "tsv": "\t"}
    form = "csv" if found.quoted else "tsv"
    if found.quoted and found.delimiter == "\t":
        notes += ("quotes stand around cells, and are taken off",)
    delimiter = (
        "" if found.delimiter == own[form] and ending(name) == f".{form}" else found.delimiter
    )
    reading = Reading(form, delimiter, encoding=code)  # type: ignore[arg-type]
    return _name_columns(path, name, reading, found, given, known, notes)


def _is_sequences(lines: Sequence[str], ragged: bool, found: sniff.Layout | None) -> bool:
    """Whether lines may be a user each, with items: two words or more, the first ever another.

    Lines of one width are not, where a header names them, where another delimiter than white space
    cuts them (but for one tab between the user and the items), or where a column holds stamps.
    """
    parts = [line.split() for line in lines]
    users = [one[0] for one in parts]
    if min(map(len, parts)) < 2 or len(set(users)) < len(users):
        return False
    if found is None or ragged:
        return True
    if any(plain(cell) in KNOWN_NAMES for cell in found.rows[0]):
        return False
    if found.delimiter == "\t" and len(found.rows[0]) == 2:
        return sum(" " in row[1].strip() for row in found.rows) > len(found.rows) / 2
    stamps = any(
        all(cell.isdigit() and len(cell) >= 9 for cell in column)
        for column in zip(*found.rows, strict=True)
    )
    return found.delimiter == " " and not stamps


def _name_columns(
    path: Path,
    name: str,
    reading: Reading,
    found: sniff.Layout,
    given: Given,
    known: layouts.KnownFile | None,
    notes: tuple[str, ...],
) -> Look:
    """A table of text, its columns named by its header, by who asks, by its name or by numbers."""
    width = len(found.rows[0])
    meant = not given.events or name == given.events
    if given.columns and meant and width == len(given.columns):
        if sniff.has_header(found.rows, KNOWN_NAMES) and not given.headless:
            notes = (*notes, f"its first line is taken for an event: {', '.join(found.rows[0])}")
        return _table(path, name, replace(reading, columns=given.columns), found, notes)
    names = sniff.has_header(found.rows, KNOWN_NAMES) and not (given.headless and meant)
    if known is not None and width == len(known.columns) and not names:
        told = (*notes, f"no header: columns as in {known.of}")
        return _table(path, name, replace(reading, columns=known.columns), found, told)
    if names:
        return _table(path, name, reading, found, notes)
    columns = tuple(f"column {k}" for k in range(1, width + 1))
    told = (*notes, f"no header (its first line: {', '.join(found.rows[0])[:60]})")
    return _table(path, name, replace(reading, columns=columns), found, told)


def _table(
    path: Path, name: str, reading: Reading, found: sniff.Layout | None, notes: tuple[str, ...]
) -> Look:
    names = formats.header(path, reading)
    if found is None:
        text = sniff.head(path).decode(reading.encoding or "utf-8-sig", "replace")
        rest = text.splitlines()[len(remarks(path, reading.encoding)) :]
        cut = csv.reader(rest, delimiter=reading.delimiter or "\t", quoting=csv.QUOTE_NONE)
        body: list[Any] = list(itertools.islice(cut, 1, SAMPLE))
    else:
        body = list(found.rows[0 if reading.columns else 1 :])
    whole = [row for row in body if len(row) == len(names)]
    frame = pd.DataFrame(whole, columns=names, dtype=object)
    return Look(name, reading, tuple(names), frame, layouts.known_file(name), notes)


def _short(error: DataError, folder: Path) -> str:
    return str(error).replace(f"{folder}/", "").partition("; ")[0]


def is_telling(name: str) -> bool:
    """Whether a file's name says that it holds events or items."""
    return (
        re.search(r"inter|event|rating|review|sequence|click|purchase|item|product", name, re.I)
        is not None
    )
