"""Accuracy figures of a cell, made of its stored ranks: what a record's file says is not trusted.

What was made once is kept below the cache folder, by the digest of the ranks, the names of the
metrics and the code that makes them.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmbench.data.places import cache_home
from mmbench.files import write_atomically
from mmbench.protocol import metrics
from mmbench.results.ranks import EQUAL, GREATER, RANKS, ranked_sets, sealed_bytes, table_of
from mmbench.results.record import Record, ResultError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What a table of ranks comes to.

    Attributes:
        queries: how many.
        metrics: candidate set to metric to mean over all queries.
        tie_rate: candidate set to the share of queries whose target is tied with another.
        unanswered: candidate set to the share of queries that have no answer there.
    """

    queries: int
    metrics: dict[str, dict[str, float]]
    tie_rate: dict[str, float]
    unanswered: dict[str, float]


def with_figures(path: Path, record: Record) -> Record:
    """The record of a finished cell with the figures of its ranks, which lie beside ``path``.

    Other records come back as they are. Raises ResultError where the ranks are absent, damaged, or
    not those that the record was stored with.
    """
    if not record.done:
        return record
    place = path.with_suffix(RANKS)
    try:
        found = _recall(sealed_bytes(place, record.ranks_sha256))
    except ResultError as error:
        raise ResultError(f"has ranks that cannot be used: {place.name} {error}") from error
    return record.model_copy(update=asdict(found))


def accuracy(table: pa.Table) -> Accuracy:
    """The figures of a table of ranks. Raises ResultError for ranks that no ranking has."""
    sets = ranked_sets(table)
    if not sets or not len(table):
        raise ResultError("holds no ranks: run the cell again")
    found = Accuracy(len(table), {}, {}, {})
    for name in sets:
        greater, equal = (table[kind + name].to_numpy() for kind in (GREATER, EQUAL))
        whole = all(column.dtype.kind == "i" for column in (greater, equal))
        if not whole or greater.min() < -1 or equal.min() < 0:
            raise ResultError(f"holds no ranks for {name}: run the cell again")
        found.metrics[name] = {
            one: float(metrics.per_query(one, greater, equal).mean()) for one in metrics.REPORTED
        }
        found.tie_rate[name] = float(np.mean(equal > 0))
        found.unanswered[name] = float(np.mean(greater < 0))
    return found


def _recall(data: bytes) -> Accuracy:
    """The figures of a file's bytes, from the cache where they were made before."""
    key = hashlib.sha256()
    for part in (data, "\n".join(metrics.REPORTED).encode(), _code()):
        key.update(hashlib.sha256(part).digest())
    kept = cache_home() / "figures" / f"{key.hexdigest()}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Accuracy(**json.loads(kept.read_bytes()))
    found = accuracy(table_of(data))
    with contextlib.suppress(OSError):  # a cache that cannot be written to costs a second
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, json.dumps(asdict(found), allow_nan=False).encode())
    return found


@functools.cache
def _code() -> bytes:
    """The code that figures are made by."""
    return b"".join(Path(str(one)).read_bytes() for one in (metrics.__file__, __file__))
