"""Tables as datasets hold them: tab-separated with a header, no quoting; or csv."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmbench.data.log import DataError


def one_line(value: Any) -> str:
    """A value as the text of a field: no tabs, no line ends, single spaces."""
    return " ".join(str(value).split()) if value is not None else ""


def write_tsv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table; rows have a value for each column."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("\t".join(columns) + "\n")
        for row in rows:
            file.write("\t".join(map(one_line, row)) + "\n")


def read_tsv(path: Path) -> list[dict[str, str]]:
    """The rows of such a table. Raises DataError where a row has other columns."""
    with path.open(encoding="utf-8", newline="\n") as file:
        columns = file.readline().rstrip("\n").split("\t")
        rows = [line.rstrip("\n").split("\t") for line in file]
    for number, row in enumerate(rows, 2):
        if len(row) != len(columns):
            raise DataError(f"{path}, line {number}: {len(row)} fields for {len(columns)} columns")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def read_csv(path: Path, columns: Sequence[str]) -> list[Mapping[str, str]]:
    """The rows of a csv file that has these columns. Raises DataError."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        lost = [name for name in columns if name not in (reader.fieldnames or ())]
        if lost:
            raise DataError(
                f"{path}: no column {', '.join(lost)} (there are "
                f"{', '.join(reader.fieldnames or ()) or 'none'})"
            )
        return list(reader)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a csv file with a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def sequence_rows(path: Path) -> list[list[str]]:
    """The items of each user of a file of sequences, in their order."""
    with path.open(encoding="utf-8") as file:
        return [line.split()[1:] for line in file if line.strip()]


def sequence_items(path: Path) -> list[str]:
    """The distinct items of a file of sequences, in order of appearance."""
    return list(dict.fromkeys(item for row in sequence_rows(path) for item in row))
