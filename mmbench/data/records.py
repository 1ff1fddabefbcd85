"""Rows that are objects: JSON a line, a JSON list, or Python's own way of writing them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mmbench.data.delimited import wrong_encoding
from mmbench.data.log import DataError
from mmbench.data.names import NAMES, plain
from mmbench.data.packed import as_characters, open_packed

OWNERS = {*NAMES["user"], *NAMES["item"]}
WRAPPED = {"$date", "$oid", "$numberLong", "$numberInt", "$numberDouble", "$numberDecimal"}


def json_rows(path: Path, encoding: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, row) of a jsonl file. Raises DataError."""
    with open_packed(path) as file:
        for number, line in _lines(file, path, encoding):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}, line {number}: not JSON: {error}") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}, line {number}: a row must be a JSON object")
            yield number, row


def object_rows(path: Path, encoding: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, row) of a ``json`` file: a list of objects, one object, or an object a line.

    Objects a line may be written as Python writes them, as in Amazon's metadata of 2014 and in
    Steam's reviews; nothing in them is run. Raises DataError.
    """
    with open_packed(path) as file:
        lines = _lines(file, path, encoding)
        number, first = next(lines, (0, ""))
        if not first:
            return
        row = _literal(first)
        if isinstance(row, dict):
            yield number, row
            for number, line in lines:
                row = _literal(line)
                if not isinstance(row, dict):
                    raise DataError(f"{path}, line {number}: not an object, in JSON or in Python")
                yield number, row
            return
    yield from _whole(path, encoding)


def _whole(path: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file that is one JSON text, or some after one another."""
    with open_packed(path) as file:
        data = file.read()
    try:
        text = data.decode(encoding or "utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise wrong_encoding(path) from error
    decoder, place, number = json.JSONDecoder(), 0, 0
    while place < len(text):
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {error.lineno}: not JSON: {error}") from error
        while place < len(text) and text[place] in " \t\r\n,":
            place += 1
        for row in value if isinstance(value, list) else [value]:
            number += 1
            if not isinstance(row, dict):
                raise DataError(f"{path}: row {number} is no JSON object but {str(row)[:40]!r}")
            yield number, row


def _literal(line: str) -> Any:
    """The value of a line in JSON or in Python; None where it is neither."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        pass
    try:
        return ast.literal_eval(line.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _lines(file: Any, path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """(number, line) of the lines that are not empty."""
    if encoding:
        yield from ((n, line) for n, line in _decoded(file, path, encoding) if line.strip())
        return
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise wrong_encoding(path) from error


def _decoded(file: Any, path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    try:
        with as_characters(file, encoding) as text:
            yield from enumerate(text, 1)
    except UnicodeError as error:
        raise wrong_encoding(path) from error


def rows_of(path: Path, form: str, encoding: str = "") -> Iterator[dict[str, Any]]:
    """The objects of a ``jsonl`` or ``json`` file. Raises DataError."""
    read = json_rows if form == "jsonl" else object_rows
    return (row for _, row in read(path, encoding))


def keys(rows: Iterable[dict[str, Any]]) -> list[str]:
    """All keys of all rows, in the order in which they come first.

    Where an object stands for the user or the item, its own keys are named, as ``user.id``.
    """
    found: dict[str, None] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, dict) and plain(name) in OWNERS and _plain_value(value) is value:
                found.update(dict.fromkeys(f"{name}.{key}" for key in value))
            elif name not in found:
                found[name] = None
    return list(found)


def value_of(row: dict[str, Any], name: str) -> Any:
    """A row's value of a key as ``keys`` names it; None where it has none."""
    if name in row:
        return _plain_value(row[name])
    outer, _, inner = name.partition(".")
    within = row.get(outer)
    return _plain_value(within.get(inner)) if isinstance(within, dict) else None


def _has(row: dict[str, Any], name: str) -> bool:
    outer, _, inner = name.partition(".")
    within = row.get(outer)
    return name in row or (isinstance(within, dict) and inner in within)


def _plain_value(value: Any) -> Any:
    """What MongoDB exports as an object of one key, such as ``{"$date": ...}``, is its value."""
    while isinstance(value, dict) and len(value) == 1 and next(iter(value)) in WRAPPED:
        value = next(iter(value.values()))
    return value


def read_records(
    path: Path, form: str, columns: Sequence[str] | None, encoding: str = ""
) -> pd.DataFrame:
    """Columns (all, where ``columns`` is None) of a file of objects; what a row lacks is None.

    Raises DataError where no row has one of the keys. One that is null everywhere is a column.
    """
    if columns is None:
        columns = keys(rows_of(path, form, encoding))
    wanted = list(columns)
    left = set(wanted)
    values = []
    for row in rows_of(path, form, encoding):
        left -= {name for name in left if _has(row, name)}
        values.append([value_of(row, name) for name in wanted])
    lacking = [name for name in wanted if name in left]
    if values and lacking:
        raise DataError(f"{path}: no row has the key {lacking[0]!r}; name another in dataset.toml")
    return pd.DataFrame(values, columns=wanted, dtype=object)
