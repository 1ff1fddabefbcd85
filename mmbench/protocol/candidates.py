"""The negatives of sampled candidate sets: drawn once, the same for every model."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from mmbench.protocol.chance import UInt64, streams
from mmbench.views import Int32, Int64

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmbench.protocol.candidate_sets import CandidateSet
    from mmbench.protocol.split import Fold

_BLOCK = 2048


def draw_candidates(
    keys: UInt64, user: Int32, target: Int32, own: Int64, n_items: int, n_negatives: int
) -> Int32:
    """The target and its negatives, in item order.

    A query's negatives are the first ``n_negatives`` different items of its own stream that are
    not the user's own, which is a uniform draw without replacement, whoever else is asked.

    Args:
        keys: uint64[q], see ``chance.query_keys``.
        user: int32[q], the log's user numbers.
        target: int32[q].
        own: int64[m], ascending: ``user * (n_items + 1) + item`` of all that any user has in the
            whole log, targets included.
        n_items: size of the catalogue.
        n_negatives: how many to draw; where the catalogue cannot give as many to some query, all
            queries get the most that each can have.

    Returns:
        int32[q, 1 + n], ascending in each row: nothing in its place tells the target.
    """
    owned = np.searchsorted(own, (user.astype(np.int64)[:, None] + [0, 1]) * (n_items + 1))
    free = n_items - (owned[:, 1] - owned[:, 0])
    n = min(n_negatives, int(free.min(initial=n_items)))
    out = np.empty((len(keys), 1 + n), dtype=np.int32)
    out[:, 0] = target
    for start in range(0, len(keys) if n else 0, _BLOCK):
        rows = slice(start, start + _BLOCK)
        out[rows, 1:] = _negatives(keys[rows], user[rows], own, n_items, n)
    out.sort(axis=1)
    return out


def _negatives(keys: UInt64, user: Int32, own: Int64, n_items: int, n: int) -> Int32:
    out = np.empty((len(keys), n), dtype=np.int32)
    pending = np.arange(len(keys))
    width = n + 28  # how much of the stream is looked at decides nothing: rows that lack go on
    while len(pending):
        draws = (1 + streams(keys[pending], width) % np.uint64(n_items)).astype(np.int64)
        coded = user[pending].astype(np.int64)[:, None] * (n_items + 1) + draws
        at = np.searchsorted(own, coded)
        at[at == len(own)] = 0
        fresh = _first_in_row(draws) & (own[at] != coded)
        count = np.cumsum(fresh, axis=1)
        full = count[:, -1] >= n
        chosen = fresh[full] & (count[full] <= n)
        out[pending[full]] = draws[full][chosen].reshape(-1, n)
        pending = pending[~full]
        width *= 2
    return out


def _first_in_row(draws: Int64) -> np.ndarray:
    """bool[q, w]: whether the row has not drawn this item before."""
    order = np.argsort(draws, axis=1, kind="stable")
    ordered = np.take_along_axis(draws, order, axis=1)
    first = np.ones(draws.shape, dtype=bool)
    np.put_along_axis(first, order[:, 1:], ordered[:, 1:] != ordered[:, :-1], axis=1)
    return first


def shown_candidates(fold: Fold, sets: Iterable[CandidateSet]) -> Int32:
    """int32[q, c], ascending in each row: what a model is asked about that rates no more than that.

    Each query's negatives of all sets are the first of one stream, so the largest set holds the
    others.
    """
    largest = max((one for one in sets if one.sampled), key=lambda one: one.size)
    return fold.candidates[largest.name]


def places(items: Int32, shown: Int32) -> Int32:
    """int32[q, n], from 1: where each row's ``items`` stand in the same row of ``shown``.

    Rows of ``shown`` ascend, and hold all that is looked for.
    """
    row = np.arange(len(shown))[:, None]
    width = np.int64(shown.max(initial=0) + 1)
    found = np.searchsorted((row * width + shown).ravel(), row * width + items)
    numbers: Int32 = (found - row * shown.shape[1] + 1).astype(np.int32)
    return numbers


def candidates_hash(fold: Fold) -> str:
    """sha256 over the fold's candidates, 64 hex digits: equal where two cells ranked the same."""
    digest = hashlib.sha256()
    for candidates in fold.candidates.values():
        rows = np.ascontiguousarray(candidates, dtype="<i4")
        digest.update(repr(rows.shape).encode())
        digest.update(rows.tobytes())
    return digest.hexdigest()
