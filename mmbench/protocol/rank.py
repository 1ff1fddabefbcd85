"""Ranks by counting: how many items score above a target, and how many tie with it.

Scores are dense, float32[b, c]; -inf is an item that was not retrieved, and ties with all others
that were not. Nothing sorts the catalogue, and beyond the scores a few blocks of rows are held.
"""

from __future__ import annotations

import numpy as np

from mmbench.views import Float32, Int32, Int64

Counts = tuple[Int32, Int32]
"""``greater`` and ``equal``, int32[b] each: the items above the target, and the others level with
it. A ``greater`` of -1 marks a query that has no answer in the candidate set."""

_BLOCK = 64  # rows that fit a processor's cache
_LOWEST = np.finfo(np.float32).min


def count_full(scores: Float32, target: Int32) -> Counts:
    """Against the whole catalogue; column ``j`` of ``scores`` is item ``j + 1``."""
    return _count(scores, target.astype(np.int64) - 1)


def count_unseen(scores: Float32, target: Int32, full: Counts, row: Int64, seen: Int32) -> Counts:
    """Against the items not seen: what was counted in ``full``, less the seen ones.

    Args:
        scores: float32[b, n_items].
        target: int32[b].
        full: what ``count_full`` answered for these.
        row: int64[m], the query, and
        seen: int32[m], an item that its user has seen; no pair twice.
    """
    own = scores[np.arange(len(target)), target - 1]
    values, level = scores[row, seen - 1], own[row]
    greater = full[0] - np.bincount(row[values > level], minlength=len(target))
    equal = full[1] - np.bincount(row[values == level], minlength=len(target))
    answered = np.ones(len(target), dtype=bool)
    answered[row[seen == target[row]]] = False
    return (
        np.where(answered, greater, -1).astype(np.int32),
        np.where(answered, equal, 0).astype(np.int32),
    )


def count_candidates(scores: Float32, target: Int32, candidates: Int32) -> Counts:
    """Against the candidates alone; ``scores`` is float32[b, c], column for column."""
    return _count(scores, np.argmax(candidates == target[:, None], axis=1))


def _count(scores: Float32, column: Int64) -> Counts:
    total, width = scores.shape
    own = scores[np.arange(total), column]
    greater, equal = np.empty(total, dtype=np.int32), np.empty(total, dtype=np.int32)
    buffer = np.empty((min(_BLOCK, total), width), dtype=bool)
    for start in range(0, total, _BLOCK):
        block, level = scores[start : start + _BLOCK], own[start : start + _BLOCK, None]
        flags = buffer[: len(block)]
        # A flat row at a time, count_nonzero is twice as fast as over an axis.
        np.greater(block, level, out=flags)
        greater[start : start + _BLOCK] = [np.count_nonzero(row) for row in flags]
        np.equal(block, level, out=flags)
        equal[start : start + _BLOCK] = [np.count_nonzero(row) - 1 for row in flags]
    return greater, equal


def top_items(scores: Float32, k: int) -> Int32:
    """int32[b, k]: the best items, by score and, where level, by number; 0 where none is left.

    Items of score -inf are not listed.
    """
    total, n_items = scores.shape
    out = np.zeros((total, k), dtype=np.int32)
    for start in range(0, total, _BLOCK):
        out[start : start + _BLOCK, : min(k, n_items)] = _top_block(
            np.ascontiguousarray(scores[start : start + _BLOCK]), min(k, n_items)
        )
    return out


def _top_block(block: Float32, k: int) -> Int32:
    rows, n_items = block.shape
    last = np.full(rows, _LOWEST, dtype=np.float32)  # leaves -inf out
    many = np.count_nonzero(block > -np.inf, axis=1) > k  # partition is slow on rows full of ties
    if many.any():
        some = block if many.all() else block[many]
        last[many] = np.partition(some, n_items - k, axis=1)[:, n_items - k]
    flat = np.flatnonzero(block >= last[:, None])
    row, value = flat // n_items, block.ravel()[flat]
    # Of those level with the last place, the lowest numbers get what places remain.
    level = value == last[row]
    above = np.bincount(row[~level], minlength=rows)
    kept = ~level
    kept[level] = _place(row[level], rows) < (k - above)[row[level]]
    row, value, item = row[kept], value[kept], flat[kept] % n_items + 1
    order = np.lexsort((-value, row))  # stable, so by number where level
    out = np.zeros((rows, k), dtype=np.int32)
    out[row[order], _place(row[order], rows)] = item[order]
    return out


def _place(row: Int64, rows: int) -> Int64:
    """For ascending ``row``: how many entries of the same row come before each."""
    starts = np.searchsorted(row, np.arange(rows))
    return np.arange(len(row)) - starts[row]
