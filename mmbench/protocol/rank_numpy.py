"""Ranking with numpy: a few blocks of rows at a time, which fit a processor's cache."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmbench.protocol.rank import GROUPED, SPARE, TOP
from mmbench.views import Float32, Int32, Int64

_BLOCK = 64  # rows


def rank_rows(
    scores: Float32,
    target: Int32,
    offsets: Int64,
    seen: Int32,
    counts: Int32,
    top: Int32,
) -> int:
    """See ``rank.RankRows``."""
    for start in range(0, len(scores), _BLOCK):
        rows = slice(start, min(start + _BLOCK, len(scores)))
        block, out = scores[rows], counts[:, :, rows]
        column = target[rows].astype(np.int64) - 1
        full, unseen = out
        bad = count_rows(block, column, full)
        if bad >= 0:
            return start + bad
        own = block[np.arange(len(block)), column]
        bounds = offsets[rows.start : rows.stop + 1]
        row = np.repeat(np.arange(len(block)), np.diff(bounds))
        known = seen[bounds[0] : bounds[-1]].astype(np.int64) - 1
        _without(block, own, column, row, known, full, unseen)
        _list(block, row, known, top[:, rows])
    return -1


def among_rows(scores: Float32, target: Int32, candidates: Int32, counts: Int32) -> None:
    """See ``rank.AmongRows``."""
    own = scores[np.arange(len(scores)), target - 1][:, None]
    values = np.take_along_axis(scores, candidates.astype(np.int64) - 1, axis=1)
    there = candidates > 0
    counts[0] = np.count_nonzero((values > own) & there, axis=1)
    counts[1] = np.count_nonzero((values == own) & there, axis=1) - 1


def count_rows(scores: Float32, column: Int64, counts: Int32) -> int:
    """See ``rank.CountRows``."""
    own = scores[np.arange(len(scores)), column]
    flags = np.empty((min(_BLOCK, len(scores)), scores.shape[1]), dtype=bool)
    for start in range(0, len(scores), _BLOCK):
        block = scores[start : start + _BLOCK]
        level, used = own[start : start + _BLOCK, None], flags[: len(block)]
        # A row's maximum is NaN or +inf where any of its scores is.
        bad = ~(block.max(axis=1) < np.inf)
        if bad.any():
            return start + int(np.argmax(bad))
        # A flat row at a time, count_nonzero is twice as fast as over an axis.
        np.greater(block, level, out=used)
        counts[0, start : start + _BLOCK] = [np.count_nonzero(row) for row in used]
        np.equal(block, level, out=used)
        counts[1, start : start + _BLOCK] = [np.count_nonzero(row) - 1 for row in used]
    return -1


def _without(
    block: Float32,
    own: Float32,
    column: Int64,
    row: Int64,
    known: Int64,
    full: Int32,
    unseen: Int32,
) -> None:
    """``unseen``: what was counted in ``full``, less the seen items."""
    values, level = block[row, known], own[row]
    unseen[0] = full[0] - np.bincount(row[values > level], minlength=len(block))
    unseen[1] = full[1] - np.bincount(row[values == level], minlength=len(block))
    unanswered = row[known == column[row]]
    unseen[0, unanswered], unseen[1, unanswered] = -1, 0


def _list(block: Float32, row: Int64, known: Int64, top: Int32) -> None:
    """Both lists of a block."""
    rows, n_items = block.shape
    hidden = np.zeros((rows, n_items + 1), dtype=bool)
    hidden[:, 0], hidden[row, known + 1] = True, True
    best = _best(block, TOP + SPARE)
    left = ~np.take_along_axis(hidden, best, axis=1)
    top[0], top[1] = _first(best, best > 0), _first(best, left)
    short = np.flatnonzero((left.sum(axis=1) < TOP) & (best[:, -1] > 0))
    if len(short):  # of these, more than SPARE of the best have been seen
        most = int(np.bincount(row, minlength=rows)[short].max())
        best = _best(block[short], TOP + most)
        top[1, short] = _first(best, ~np.take_along_axis(hidden[short], best, axis=1))


def _first(best: Int32, kept: NDArray[np.bool_]) -> Int32:
    """int32[rows, TOP]: the first kept entries of each row, then zeros."""
    place = np.cumsum(kept, axis=1) - 1
    row, column = np.nonzero(kept & (place < TOP))
    out = np.zeros((len(best), TOP), dtype=np.int32)
    out[row, place[row, column]] = best[row, column]
    return out


def _best(block: Float32, m: int) -> Int32:
    """int32[rows, m]: the best items in order, 0 where none is left. As in ``rank_numba``."""
    rows, n_items = block.shape
    maxima = _maxima(block)
    values = maxima if 2 * m < maxima.shape[1] else block
    bound = np.full(rows, -np.inf, dtype=np.float32)
    if values.shape[1] > m:
        bound = np.sort(values, axis=1)[:, -m - 1]  # above which m lie, but for ties
    flat = np.flatnonzero(block > bound[:, None])
    row = flat // n_items
    above = np.bincount(row, minlength=rows)
    for i in np.flatnonzero((above < m) & (bound > -np.inf)):
        level = np.flatnonzero(block[i] == bound[i])[: m - above[i]]  # by number
        flat, row = np.append(flat, level + i * n_items), np.append(row, np.full(len(level), i))
    order = np.lexsort((flat, -block.ravel()[flat], row))
    row, item = row[order], flat[order] % n_items + 1
    place = np.arange(len(row)) - np.searchsorted(row, np.arange(rows))[row]
    out = np.zeros((rows, m), dtype=np.int32)
    kept = place < m
    out[row[kept], place[kept]] = item[kept]
    return out


def _maxima(block: Float32) -> Float32:
    """float32[rows, width]: of the items ``g, g + width, ...`` for each group ``g``."""
    rows, n_items = block.shape
    width = -(-n_items // GROUPED)
    even = n_items - n_items % width
    maxima: Float32 = block[:, :even].reshape(rows, -1, width).max(axis=1)
    np.maximum(maxima[:, : n_items - even], block[:, even:], out=maxima[:, : n_items - even])
    return maxima
