"""Stored results in, checked records out; a file that cannot be read is listed, never a crash."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.results.record import Record, ResultError, parse

if TYPE_CHECKING:
    import pyarrow as pa

RANKS = ".ranks.parquet"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A file that was left out: its path inside the folder, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a folder holds.

    Attributes:
        records: at most one a cell, ordered by the cell's id.
        problems: the files that were left out, by path.
        paths: where each record is, by the cell's id.
    """

    records: tuple[Record, ...]
    problems: tuple[Problem, ...]
    paths: Mapping[str, Path]

    def ranks(self, record: Record) -> pa.Table:
        """The stored ranks of one of the records; see ``read_ranks``."""
        return read_ranks(self.paths[record.cell.id], record)


def read_results(folder: Path) -> Reading:
    """Every result below ``folder`` (``**/*.json``; what begins with a dot is a running grid's).

    Where a cell was stored twice, a finished one wins over others, then the later one, and the
    loser is a problem unless it says the same.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: give the folder that holds the results")
    found: dict[str, list[tuple[str, Record]]] = defaultdict(list)
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in name.split("/")):  # a running grid's own files
            continue
        try:
            record = load_record(path)
        except OSError as error:
            problems.append(Problem(name, f"cannot be read: {error.strerror}"))
        except ResultError as error:
            problems.append(Problem(name, str(error)))
        else:
            found[record.cell.id].append((name, record))
    kept: list[Record] = []
    paths: dict[str, Path] = {}
    for cell in sorted(found):
        (name, record), *losers = sorted(found[cell], key=_preference, reverse=True)
        kept.append(record)
        paths[cell] = folder / name
        problems += _conflicts((name, record), losers)
    return Reading(tuple(kept), tuple(sorted(problems)), paths)


def load_record(path: Path) -> Record:
    """The record in a file. Raises OSError, and ResultError, see ``parse``."""
    data = path.read_bytes()
    try:
        stored = json.loads(data)
        if b"\\ud" in data.lower():  # half a character, which nothing could print or write
            json.dumps(stored, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        # A ValueError covers bad JSON and bad UTF-8 alike.
        raise ResultError(f"is not valid JSON ({error}): remove it, or run its cell") from error
    return parse(stored)


def read_ranks(path: Path, record: Record) -> pa.Table:
    """The ranks of a cell, a row a query, from the file beside its record's, ``path``.

    Columns: ``query`` (int32, its place in the fold), ``user`` (the raw id, a string),
    ``greater_<set>`` and ``equal_<set>`` for each candidate set (int32; greater is -1 where the
    query has no answer in the set), ``frequency`` (int32, training events of the target),
    ``history_length`` (int32), ``tied`` (bool, whether the target shares its time with the event
    before it). Records of schema 1 have no ``user`` and no ``tied``.

    Raises:
        ResultError: the file is absent, damaged, or another than the record was stored with.
    """
    import pyarrow as pa

    from mmbench.data.tables import read_parquet

    place = path.with_suffix(RANKS)
    try:
        data = place.read_bytes()
        if record.ranks_sha256 not in ("", hashlib.sha256(data).hexdigest()):
            raise ResultError(f"{place} is not what its record was stored with: run the cell again")
        return read_parquet(data)
    except (pa.ArrowException, OSError) as error:
        told = getattr(error, "strerror", None) or error
        raise ResultError(f"{place} cannot be read ({told}): run the cell again") from error


def _preference(entry: tuple[str, Record]) -> tuple[bool, str, str]:
    name, record = entry
    return record.done, record.started, name


def _conflicts(
    winner: tuple[str, Record], losers: Iterable[tuple[str, Record]]
) -> Iterable[Problem]:
    name, kept = winner
    for other, record in losers:
        if record != kept:
            yield Problem(other, f"is the same cell as {name} with another content: left out")
