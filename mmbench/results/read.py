"""Stored results in, checked records out; a file that cannot be read is listed, never a crash."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.results.record import Result, ResultError, parse

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A file that was left out: its path inside the folder, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a folder holds: at most one result a cell, ordered by cell id; problems by path."""

    results: tuple[Result, ...]
    problems: tuple[Problem, ...]


def read_results(folder: Path) -> Reading:
    """Every result below ``folder`` (``**/*.json``; what begins with a dot is a running grid's).

    Where a cell was stored twice, a finished one wins over others, then the later one, and the
    loser is a problem unless it says the same.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: give the folder that holds the results")
    found: dict[str, list[tuple[str, Result]]] = defaultdict(list)
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in name.split("/")):  # a running grid's own files
            continue
        try:
            result = _read(path)
        except ResultError as error:
            problems.append(Problem(name, str(error)))
        else:
            found[result.cell.id].append((name, result))
    kept: list[Result] = []
    for cell in sorted(found):
        winner, *losers = sorted(found[cell], key=_preference, reverse=True)
        kept.append(winner[1])
        problems += _conflicts(winner, losers)
    return Reading(tuple(kept), tuple(sorted(problems)))


def read_ranks(folder: Path, cell: str) -> pa.Table:
    """The stored ranks of one cell, a row a query.

    Columns: ``query``, ``greater_<set>`` and ``equal_<set>`` for each candidate set (int32;
    greater is -1 where the query has no answer in the set), ``frequency``, ``history_length``.

    Raises:
        FileNotFoundError: the cell's ranks are not below ``folder``.
        ResultError: the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = sorted(folder.rglob(f"{cell}.ranks.parquet"))
    if not paths:
        raise FileNotFoundError(f"no {cell}.ranks.parquet below {folder}: run the cell again")
    try:
        return pq.read_table(paths[0])
    except (pa.ArrowInvalid, OSError) as error:
        raise ResultError(f"{paths[0]} is damaged ({error}): run the cell again") from error


def _read(path: Path) -> Result:
    try:
        record = json.loads(path.read_bytes())
    except OSError as error:
        raise ResultError(f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        # A ValueError covers bad JSON and bad UTF-8 alike.
        raise ResultError(f"is not valid JSON ({error}): remove it, or run its cell") from error
    return parse(record)


def _preference(entry: tuple[str, Result]) -> tuple[bool, str, str]:
    name, result = entry
    return result.done, result.started, name


def _conflicts(
    winner: tuple[str, Result], losers: Iterable[tuple[str, Result]]
) -> Iterable[Problem]:
    name, kept = winner
    for other, result in losers:
        if result != kept:
            yield Problem(other, f"is the same cell as {name} with another content: left out")
