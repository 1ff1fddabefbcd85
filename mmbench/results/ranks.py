"""The ranks of a cell on disk: the file that all of its accuracy figures are made of."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.results.record import UNSEALED, Record, ResultError

if TYPE_CHECKING:
    import pyarrow as pa

RANKS, TOP = ".ranks.parquet", ".top.parquet"
GREATER, EQUAL = "greater_", "equal_"


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
    place = path.with_suffix(RANKS)
    try:
        return table_of(sealed_bytes(place, record.ranks_sha256))
    except ResultError as error:
        raise ResultError(f"{place} {error}") from error


def sealed_bytes(place: Path, sha256: str) -> bytes:
    """The bytes of a file, which are those that its record was stored with.

    Records of schema 1 hold no digest (``UNSEALED``), so that theirs may be any. Raises
    ResultError, whose message goes on after the file's name.
    """
    try:
        data = place.read_bytes()
    except OSError as error:
        raise ResultError(f"cannot be read ({error.strerror}): run the cell again") from error
    if sha256 not in (UNSEALED, hashlib.sha256(data).hexdigest()):
        raise ResultError("is not what its record was stored with: run the cell again")
    return data


def read_top(path: Path, record: Record) -> pa.Table:
    """The top lists of a cell, a row a query in the order of its ranks, from beside ``path``.

    Columns: ``top_<set>`` for each candidate set that is not sampled, int32[20]: items by number,
    best first, 0 where the list has ended.

    Raises:
        ResultError: as ``read_ranks``.
    """
    place = path.with_suffix(TOP)
    try:
        return table_of(sealed_bytes(place, record.top_sha256 or UNSEALED))
    except ResultError as error:
        raise ResultError(f"{place} {error}") from error


def table_of(data: bytes) -> pa.Table:
    """The table in a file of ranks. Raises ResultError, as ``sealed_bytes``."""
    import pyarrow as pa

    from mmbench.data.tables import read_parquet

    try:
        return read_parquet(data)
    except (pa.ArrowException, OSError) as error:
        raise ResultError(f"cannot be read ({error}): run the cell again") from error


def ranked_sets(table: pa.Table) -> list[str]:
    """The candidate sets that a table has ranks for, in its own order."""
    names = table.column_names
    found = [name.removeprefix(GREATER) for name in names if name.startswith(GREATER)]
    return [name for name in found if EQUAL + name in names]
