"""What others packed, unpacked within bounds and never by the paths that it names.

For recipes, which know what is in a file. ``mmbench.data.packed`` opens files as they lie about.
"""

from __future__ import annotations

import ast
import gzip
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from mmbench.data.log import DataError

MOST = 64 * 1024**3  # bytes that a file may unpack to
RATIO = 200  # and how many times its own size, beyond SMALL
SMALL = 16 * 1024**2
LONGEST_LINE = 4 * 1024**2  # bytes
BLOCK = 1024**2


def bound(packed: int) -> int:
    """How many bytes a packed file of that size may become."""
    return min(MOST, SMALL + RATIO * packed)


def unpack_gzip(path: Path, to: Path) -> None:
    """Write what a gzip file holds. Raises DataError for a damaged one, or one too large."""
    with to.open("wb") as file:
        for block in _gzip_blocks(path):
            file.write(block)


def unpack_member(path: Path, member: str, to: Path) -> None:
    """Write one file of a zip, named by the recipe. Raises DataError."""
    try:
        with zipfile.ZipFile(path) as archive:
            entry = archive.getinfo(member)
            if entry.file_size > bound(path.stat().st_size):
                raise DataError(f"{path}: {member} would have {entry.file_size:,} bytes")
            with archive.open(entry) as packed, to.open("wb") as file:
                _copy(packed, file, entry.file_size)
    except KeyError as error:
        raise DataError(f"{path}: there is no {member} in it") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError) as error:
        raise DataError(f"{path}: not a readable zip: {error}") from error


def _copy(packed: IO[bytes], file: IO[bytes], size: int) -> None:
    left = size
    while left and (block := packed.read(min(BLOCK, left))):
        left -= len(block)
        file.write(block)


def _gzip_blocks(path: Path) -> Iterator[bytes]:
    most, had = bound(path.stat().st_size), 0
    try:
        with gzip.open(path, "rb") as packed:
            while block := packed.read(BLOCK):
                had += len(block)
                if had > most:
                    raise DataError(f"{path}: it unpacks to more than {most:,} bytes")
                yield block
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a whole gzip file: {error}") from error


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a gzip file, numbered from 1; empty ones are left out. Raises DataError."""
    rest, number = b"", 0
    for block in _gzip_blocks(path):
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            number += 1
            if line.strip():
                yield number, line
        if len(rest) > LONGEST_LINE:
            raise DataError(f"{path}, line {number + 1}: more than {LONGEST_LINE:,} bytes")
    if rest.strip():
        yield number + 1, rest


def records(path: Path, form: str) -> Iterator[Mapping[str, Any]]:
    """The objects of a gzip file, one a line.

    ``form`` is ``json``, or ``python`` for the literals in which the older crawls are published;
    they are read as data, nothing in them is run. Raises DataError, which names the line.
    """
    read = json.loads if form == "json" else ast.literal_eval
    for number, line in lines(path):
        try:
            found = read(line.decode("utf-8"))
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: not {form}: {error}") from error
        if not isinstance(found, dict):
            raise DataError(f"{path}, line {number}: no object")
        yield found
