"""Tables of text with something between their cells; every complaint names file, row and cure."""

from __future__ import annotations

import csv
import itertools
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa

from mmbench.data.log import DataError
from mmbench.data.packed import as_characters, open_packed, split_zip
from mmbench.data.spec import PACKED, Reading
from mmbench.data.tables import as_frame, read_csv

DELIMITERS = {"csv": ",", "tsv": "\t", "atomic": "\t"}
BLOCK = 1 << 24
MOST_REMARKS = 1000
REMARK = re.compile(r"[#%][ \t]")  # how a line begins that is a remark, before the first row
BETWEEN = "\x1f"  # the unit separator, which no text has: stands for delimiters that Arrow lacks


def raw_header(path: Path, reading: Reading) -> list[str]:
    """The names of the columns as they stand in the file, or as given. Raises DataError."""
    if reading.columns:
        return list(reading.columns)
    delimiter = reading.delimiter or DELIMITERS[reading.format]
    encoding = reading.encoding or "utf-8-sig"
    skipped = len(remarks(path, reading.encoding))
    with open_packed(path) as raw, as_characters(raw, encoding, newline="") as file:
        try:
            for _ in range(skipped):
                file.readline()
            if len(delimiter) > 1 or delimiter == " ":
                names = _cut(file.readline().rstrip("\r\n"), delimiter)
            elif reading.format == "csv":
                names = next(csv.reader(file, delimiter=delimiter), [])
            else:
                names = next(csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE), [])
        except UnicodeError as error:
            raise wrong_encoding(path, reading.encoding) from error
        except csv.Error as error:
            raise DataError(f"{path}: its header cannot be read: {error}") from error
    if not names:
        raise DataError(f"{path}: the file is empty; it needs a header and rows")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise DataError(f"{path}: more than one column is called {min(twice)!r}; rename one")
    return names


def remarks(path: Path, encoding: str = "") -> list[str]:
    """The lines before the first row that begin with a ``#`` or ``%`` and a space."""
    with open_packed(path) as raw, as_characters(raw, encoding or "utf-8-sig") as file:
        try:
            return list(itertools.takewhile(REMARK.match, itertools.islice(file, MOST_REMARKS)))
        except UnicodeError:
            return []  # said when the rows are read


def read_delimited(path: Path, reading: Reading) -> pd.DataFrame:
    """All columns as strings, under the names of ``raw_header``. Raises DataError."""
    names = raw_header(path, reading)
    delimiter = reading.delimiter or DELIMITERS[reading.format]
    quoted = reading.format == "csv" and len(delimiter) == 1 and delimiter != " "
    source = _source(path, reading, delimiter)
    if len(delimiter) > 1 or delimiter == " ":
        delimiter = BETWEEN
    headless = bool(reading.columns)
    escaped = quoted and _has_escapes(source, delimiter)
    try:
        table = read_csv(
            source,
            delimiter,
            quoted,
            names,
            headless=headless,
            escaped=escaped,
            skipped=len(remarks(path, reading.encoding)),
        )
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise wrong_encoding(path, reading.encoding) from error
        first = "row 1 is the first line" if headless else "row 1 is the header"
        raise DataError(
            f"{path}: {error} ({first}). Mend the row, or name another format"
        ) from error
    return as_frame(table)


def escapes(delimiter: str) -> re.Pattern[bytes]:
    """What shows that quotes inside cells stand behind a backslash: such a quote ends no cell."""
    return re.compile(rb'\\"[^"\r\n' + re.escape(delimiter.encode()) + rb"]")


def _has_escapes(source: Path | bytes, delimiter: str) -> bool:
    pattern = escapes(delimiter)
    if isinstance(source, bytes):
        return pattern.search(source) is not None
    left = b""
    with source.open("rb") as file:
        while block := file.read(BLOCK):
            if pattern.search(left + block):
                return True
            left = block[-2:]
    return False


def _source(path: Path, reading: Reading, delimiter: str) -> Path | bytes:
    """What Arrow reads: the file itself, or its bytes as UTF-8 with a single delimiter."""
    apart = len(delimiter) > 1 or delimiter == " "
    packed = split_zip(path)[1] or path.suffix.lower() in PACKED
    if not apart and not packed and not reading.encoding:
        return path
    with open_packed(path) as file:
        data = file.read()
    if not apart and not reading.encoding:
        return data
    try:
        text = data.decode(reading.encoding or "utf-8-sig")
    except UnicodeDecodeError as error:
        raise wrong_encoding(path, reading.encoding) from error
    if apart:
        text = "\n".join(BETWEEN.join(_cut(line, delimiter)) for line in text.split("\n"))
    return text.removeprefix("\ufeff").encode("utf-8")


def _cut(line: str, delimiter: str) -> list[str]:
    return line.split() if delimiter == " " else line.rstrip("\r").split(delimiter)


def wrong_encoding(path: Path, encoding: str = "") -> DataError:
    """What to say of a file that is not in its encoding: where, and how to mend it."""
    code = encoding or "utf-8"
    name = "UTF-8" if code == "utf-8" else code
    cure = (
        "convert the file, for instance with `iconv -f latin1 -t utf-8`, or name its encoding "
        '(`encoding = "latin-1"`, --encoding latin-1)'
    )
    if code == "utf-8":
        with open_packed(path) as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError as error:
                    found = f"byte 0x{line[error.start]:02x}"
                    return DataError(f"{path}, line {number}: not UTF-8 ({found}); {cure}")
    return DataError(f"{path}: not {name}; {cure}")
