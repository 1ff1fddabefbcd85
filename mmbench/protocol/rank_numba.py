"""Ranking compiled by numba: each row of scores comes from memory once.

A row is counted and, in the same sweep, folded into the maxima of interleaved groups of items. The
best ``m`` items stand in groups whose maximum is among the best ``m`` maxima, so a bound found
among a few hundred maxima leaves few items to sort. A row of a catalogue of usual size stays in
the processor's cache from the sweep to the last look.

Machine code is kept below mmbench's cache folder, for each kind of processor apart.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numba import types

from mmbench.data.places import cache_home
from mmbench.protocol.rank import GROUPED, SPARE, TOP
from mmbench.views import Float32, Int32, Int64

SILENT = -0x7F800001  # the key of -inf
njit: Any = numba.njit
settings: Any = numba.config
Score = np.float32
Key = Any  # np.int32 or, within a function, a wider number
F = TypeVar("F", bound=Callable[..., Any])
INFINITE = np.float32(np.inf)


def _given(kind: Any, dimensions: int) -> Any:
    """The type of an array that is only read: one machine code for read-only arrays and others."""
    return types.Array(kind, dimensions, "C", readonly=True)


def _compiled(*signature: Any) -> Callable[[F], F]:
    """``numba.njit`` that keeps machine code in our cache folder, unless the user names another.

    numba asks its settings for the folder when it decorates; by default it would write beside our
    sources. With a signature it compiles, or finds what it compiled before, at once.
    """

    def decorate(function: F) -> F:
        usual = settings.CACHE_DIR
        settings.CACHE_DIR = usual or os.fspath(cache_home() / "numba")
        try:
            made: F = njit(*signature, cache=True, nogil=True, error_model="numpy")(function)
        finally:
            settings.CACHE_DIR = usual
        return made

    return decorate


@_compiled()
def _sweep(row: Float32, own: Score, maxima: Float32) -> tuple[Any, Any, Any]:
    """The counts above and tied, those that are finite or -inf, and the groups' maxima.

    Group ``g`` has the items ``g, g + width, g + 2 * width, ...``: as vectors of neighbours, the
    maxima need no reduction across a vector's lanes. Counts are as wide as scores, so that as many
    fit in a vector.
    """
    width = len(maxima)
    maxima[:] = -INFINITE
    greater, equal, good = np.int32(0), np.int32(0), np.int32(0)
    for start in range(0, len(row), width):
        part = row[start : start + width]
        for j in range(len(part)):
            score = part[j]
            greater = np.int32(greater + (score > own))
            equal = np.int32(equal + (score == own))
            good = np.int32(good + (score < INFINITE))
            maxima[j] = score if score > maxima[j] else maxima[j]
    return greater, equal, good


@_compiled()
def _unseen(
    row: Float32, own: Score, target: int, known: Int32, greater: int, equal: int
) -> tuple[int, int]:
    for item in known:
        if item == target:
            return -1, 0
        greater -= row[item - 1] > own
        equal -= row[item - 1] == own
    return greater, equal


@_compiled()
def _lists(
    row: Float32,
    maxima: Float32,
    known: Int32,
    value: Float32,
    item: Int32,
    keys: Int32,
    full: Int32,
    unseen: Int32,
) -> None:
    """Both lists: the best items, and the best that are not among ``known``, which is ascending."""
    m = TOP + SPARE
    while True:
        found = _best(row, maxima, m, value, item, keys)
        full[:], unseen[:] = 0, 0
        listed = 0
        for place in range(found):
            if place < TOP:
                full[place] = item[place]
            if listed < TOP and not _holds(known, item[place]):
                unseen[listed] = item[place]
                listed += 1
        if listed == TOP or found < m or m >= TOP + len(known):
            return
        m = TOP + len(known)


@_compiled()
def _holds(known: Int32, item: int) -> bool:
    low, high = 0, len(known)
    while low < high:
        middle = (low + high) // 2
        if known[middle] < item:
            low = middle + 1
        else:
            high = middle
    return low < len(known) and known[low] == item


@_compiled()
def _best(row: Float32, maxima: Float32, m: int, value: Float32, item: Int32, keys: Int32) -> int:
    """Put the best ``m`` items of a row in order into ``item``, -inf left out; how many."""
    width = len(maxima)
    found = 0
    if 2 * m < width:
        bound = _bound(maxima, m + 1, keys[:width])  # above which m lie, but for ties
        for group in range(width):
            if maxima[group] > bound:
                for at in range(group, len(row), width):
                    if row[at] > bound:
                        value[found], item[found] = row[at], at + 1
                        found += 1
    else:
        bound = _bound(row, m + 1, keys)
        for at in range(len(row)):
            if row[at] > bound:
                value[found], item[found] = row[at], at + 1
                found += 1
    if bound > -INFINITE:
        for at in range(len(row)):  # those tied with the bound, by number
            if found >= m:
                break
            if row[at] == bound:
                value[found], item[found] = row[at], at + 1
                found += 1
    _sort(value, item, found)
    return min(found, m)


@_compiled()
def _bound(values: Float32, m: int, keys: Int32) -> Any:
    """The value that at least ``m`` values reach, with hardly more above it; -inf if fewer do.

    Found by halving the range of ``keys``, whole numbers in the order of the values.
    """
    _order(values, keys)
    low: Key = np.int32(SILENT)
    high: Key = _highest(keys) + 1
    if _reach(keys, low + 1) < m:
        return -INFINITE
    while high - low > 1:
        middle = (low + high) // 2
        reach = _reach(keys, middle)
        if reach < m:
            high = middle
            continue
        low = middle
        if reach <= m + m // 8:
            break
    keys[0] = _key(_lowest_from(keys, low))  # the way back is the way there
    return keys.view(np.float32)[0]


# Each loop in a function of its own, and over whole numbers: so they become vector instructions.


@_compiled()
def _order(values: Float32, keys: Int32) -> None:
    """The bits of a float are in its order, but for those of negative ones, which run backwards."""
    bits = values.view(np.int32)
    for at in range(len(bits)):
        keys[at] = _key(bits[at])


@_compiled()
def _key(bits: Key) -> Key:
    return bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))


@_compiled()
def _highest(keys: Int32) -> Key:
    highest: Key = keys[0]
    for at in range(len(keys)):
        highest = max(highest, keys[at])
    return highest


@_compiled()
def _reach(keys: Int32, least: Key) -> int:
    """How many keys are ``least`` or more."""
    least = np.int32(least)
    reach: int = 0
    for at in range(len(keys)):
        reach += keys[at] >= least
    return reach


@_compiled()
def _lowest_from(keys: Int32, least: Key) -> Key:
    """The lowest key that is ``least`` or more."""
    least = np.int32(least)
    lowest: Key = np.int32(0x7FFFFFFF)
    for at in range(len(keys)):
        key = keys[at] if keys[at] >= least else np.int32(0x7FFFFFFF)
        lowest = min(lowest, key)
    return lowest


@_compiled()
def _sort(value: Float32, item: Int32, found: int) -> None:
    """By value, the highest first, and where tied by number (Shell, 1959; Ciura's gaps)."""
    for gap in (701, 301, 132, 57, 23, 10, 4, 1):
        for at in range(gap, found):
            score, number = value[at], item[at]
            place = at
            while place >= gap and (
                value[place - gap] < score
                or (value[place - gap] == score and item[place - gap] > number)
            ):
                value[place], item[place] = value[place - gap], item[place - gap]
                place -= gap
            value[place], item[place] = score, number


@_compiled(
    types.int64(
        _given(types.float32, 2),
        _given(types.int32, 1),
        _given(types.int64, 1),
        _given(types.int32, 1),
        types.int32[:, :, ::1],
        types.int32[:, :, ::1],
    )
)
def rank_rows(
    scores: Float32,
    target: Int32,
    offsets: Int64,
    seen: Int32,
    counts: Int32,
    top: Int32,
) -> int:
    """See ``rank.RankRows``."""
    n_items = scores.shape[1]
    maxima = np.empty((n_items + GROUPED - 1) // GROUPED, np.float32)
    value, item = np.empty(n_items, np.float32), np.empty(n_items, np.int32)
    keys = np.empty(n_items, np.int32)
    full, unseen = counts[0], counts[1]
    for i in range(len(scores)):
        row, known = scores[i], seen[offsets[i] : offsets[i + 1]]
        own = row[target[i] - 1]
        greater, equal, good = _sweep(row, own, maxima)
        if good != n_items:
            return i
        full[0, i], full[1, i] = greater, equal - 1
        unseen[0, i], unseen[1, i] = _unseen(row, own, target[i], known, greater, equal - 1)
        _lists(row, maxima, known, value, item, keys, top[0, i], top[1, i])
    return -1


@_compiled(
    types.void(
        _given(types.float32, 2),
        _given(types.int32, 1),
        _given(types.int32, 2),
        types.int32[:, ::1],
    )
)
def among_rows(scores: Float32, target: Int32, candidates: Int32, counts: Int32) -> None:
    """See ``rank.AmongRows``."""
    for i in range(len(scores)):
        row = scores[i]
        own = row[target[i] - 1]
        greater, equal = 0, -1
        for item in candidates[i]:
            if item:
                greater += row[item - 1] > own
                equal += row[item - 1] == own
        counts[0, i], counts[1, i] = greater, equal


@_compiled(types.int64(_given(types.float32, 2), _given(types.int64, 1), types.int32[:, ::1]))
def count_rows(scores: Float32, column: Int64, counts: Int32) -> int:
    """See ``rank.CountRows``."""
    for i in range(len(scores)):
        row = scores[i]
        own = row[column[i]]
        greater, equal, good = 0, 0, 0
        for j in range(len(row)):
            greater += row[j] > own
            equal += row[j] == own
            good += row[j] < INFINITE
        if good != len(row):
            return i
        counts[0, i], counts[1, i] = greater, equal - 1
    return -1
