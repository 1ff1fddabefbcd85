"""What a text file's bytes tell of how to read it: encoding, delimiter, header."""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmbench.data.delimited import REMARK, escapes
from mmbench.data.packed import open_packed

HEAD = 1 << 20  # bytes that are looked at, but for the encoding
LINES = 200
BLOCK = 1 << 20
DELIMITERS = ("\t", ",", ";", "|", "::", "\x01", " ")
ALIKE = 0.95  # share of lines that must have as many cells as most
BOMS = {codecs.BOM_UTF8: "", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# What an encoding of many bytes a character looks like by chance is seldom told from Latin.
WIDE = {"gb18030", "gb2312", "gbk", "big5", "big5hkscs", "shift_jis", "cp932", "euc_jp", "euc_kr"}
WIDE |= {"cp949", "johab", "shift_jis_2004", "cp950"}
CYRILLIC = {"cp1251", "koi8_r", "mac_cyrillic", "cp855", "cp866", "iso8859_5"}
NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?")
MOMENT = re.compile(r"\d{4}[-/]\d\d?[-/]\d\d?.*|\d\d?[-/.]\d\d?[-/.]\d{4}.*|\d\d?:\d\d(:\d\d)?.*")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the lines of a text file fall into cells.

    Attributes:
        delimiter: what stands between cells; a space for runs of white space.
        quoted: whether cells may stand in quotes.
        rows: the first ones, their cells as strings; the header too, if there is one.
    """

    delimiter: str
    quoted: bool
    rows: tuple[tuple[str, ...], ...]


def head(path: Path) -> bytes:
    """The first bytes, to the end of a line where there are more."""
    with open_packed(path) as file:
        data = file.read(HEAD)
        whole = not file.read(1)
    return data if whole else data[: data.rfind(b"\n") + 1] or data


def encoding(path: Path) -> str:
    """The encoding of a whole file, as Python knows it; empty for UTF-8.

    What is neither UTF-8 nor UTF-16 may be told wrongly: whoever takes it says so.
    """
    data = head(path)
    for mark, name in BOMS.items():
        if data.startswith(mark):
            return name
    if data and data[:4000].count(0) > len(data[:4000]) / 4:
        return "utf-16-le" if data[:4000:2].count(0) < data[1:4000:2].count(0) else "utf-16-be"
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_packed(path) as file:
        while block := file.read(BLOCK):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                return _narrow(block[max(0, error.start - 2000) : error.start + 200_000])
    return ""


def _narrow(sample: bytes) -> str:
    """The encoding of bytes that are not UTF-8: one that is clearly told, else Latin-1."""
    from charset_normalizer import from_bytes

    foreign = bytes(byte for byte in sample if byte > 127)
    best = from_bytes(sample).best()
    told = best.encoding if best is not None else ""
    # Latin letters stand alone among plain ones; those of other scripts stand together
    together = sum(map(len, re.findall(rb"[\x80-\xff]{2,}", sample)))
    if told in WIDE | CYRILLIC and len(foreign) > 8 and together > 0.8 * len(foreign):
        return told
    return "cp1252" if any(0x80 <= byte < 0xA0 for byte in foreign) else "latin-1"


def lines(path: Path, code: str) -> list[str]:
    """The first ``LINES`` lines that are not empty."""
    text = _text(path, code)
    return list(itertools.islice((line for line in text.splitlines() if line.strip()), LINES))


def _text(path: Path, code: str) -> str:
    """The first characters, without remarks."""
    text = head(path).decode(code or "utf-8-sig", "replace")
    return "".join(itertools.dropwhile(REMARK.match, text.splitlines(keepends=True)))


def layout(path: Path, code: str, preferred: str = "") -> Layout | None:
    """How a file's lines fall into cells; None where they do not, as in prose.

    Args:
        path: the file.
        code: its encoding.
        preferred: a delimiter that is taken wherever the first line has it.
    """
    text = _text(path, code)
    first = next((line for line in text.splitlines() if line.strip()), "")
    if preferred and preferred in first:
        return _cut(text, preferred)
    found = [_cut(text, one) for one in DELIMITERS if one in first]
    regular = [one for one in found if _regularity(one.rows) >= ALIKE]
    return max(regular, key=lambda one: (one.delimiter != " ", len(one.rows[0])), default=None)


def _cut(text: str, delimiter: str) -> Layout:
    """The first rows under a delimiter, with quotes where they stand around cells."""
    some = text.splitlines()[: 10 * LINES]
    if len(delimiter) > 1 or delimiter == " ":
        cut = [line.split(None if delimiter == " " else delimiter) for line in some if line.strip()]
        return Layout(delimiter, False, tuple(map(tuple, cut)))
    if not (delimiter == "," or _is_quoted(text, some, delimiter)):
        rows = [tuple(line.split(delimiter)) for line in some if line.strip()]
        return Layout(delimiter, False, tuple(rows))
    source = text.splitlines(keepends=True)
    slash = "\\" if escapes(delimiter).search(text.encode("utf-8", "replace")) else None
    reader = csv.reader(source, delimiter=delimiter, escapechar=slash)
    try:
        rows = [tuple(row) for row in itertools.islice(reader, 10 * LINES) if row]
    except csv.Error:
        rows = [tuple(line.split(delimiter)) for line in some if line.strip()]
    return Layout(delimiter, True, tuple(rows))


def _is_quoted(text: str, some: Sequence[str], delimiter: str) -> bool:
    """Whether quotes stand around cells.

    Between tabs they may be a title's own, and count only where they hide a tab, a line's end or
    a doubled quote, and every one that opens a cell is closed.
    """
    mark = re.escape(delimiter)
    around = re.compile(rf'(?:^|{mark})"(?:[^"]|""|\\")*"(?=$|{mark})')
    if delimiter != "\t":
        return any(around.search(line) for line in some)
    cells = re.compile(r'(?:^|\t)"((?:[^"]|"")*)"(?=$|\t)', re.M)
    hiding = any(re.search(r'""|\t|\n', cell) for cell in cells.findall(text))
    left = cells.sub("", text)
    return hiding and re.search(r'(?:^|\t)"', left, re.M) is None


def _regularity(rows: Sequence[Sequence[str]]) -> float:
    """The share of rows as wide as most, if most are more than one cell wide."""
    widths = Counter(map(len, rows))
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    return count / len(rows) if width > 1 else 0.0


def has_header(rows: Sequence[Sequence[str]], known: set[str]) -> bool:
    """Whether the first row names columns.

    It does where one of its cells is a known name, and does not where one is a number or a date, is
    empty, or stands there twice. Else it does unless it has digits, and every one of its cells is
    written like those below it.

    Args:
        rows: the first rows, of strings.
        known: names in lower case, letters and digits alone.
    """
    first = [cell.strip() for cell in rows[0]]
    plain = [re.sub(r"[^a-z0-9]", "", cell.lower().split(":")[0]) for cell in first]
    if any(name in known for name in plain):
        return True
    if any(NUMBER.fullmatch(cell) or MOMENT.fullmatch(cell) for cell in first):
        return False
    if len(set(first)) < len(first):
        return False
    if len(rows) < 2 or not any(character.isdigit() for cell in first for character in cell):
        return True
    return not all(
        any(_shape(cell) == _shape(row[k]) for row in rows[1:] if k < len(row))
        for k, cell in enumerate(first)
    )


def _shape(cell: str) -> str:
    """How a cell is written: runs of letters and of digits, and what is between them."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", cell.strip()))


def is_prose(some: Sequence[str]) -> bool:
    """Whether lines are sentences or headings rather than ids: few of their words have a digit."""
    words = [word for line in some for word in line.split()]
    if not words:
        return True
    told = sum(any(c.isdigit() for c in word) for word in words) / len(words)
    ends = sum(word[-1] in ".,;:!?)" for word in words) / len(words)
    return told < 0.5 or ends > 0.1
