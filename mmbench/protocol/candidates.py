"""The negatives of sampled candidate sets: drawn once, the same for every model."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmbench.protocol.chance import streams
from mmbench.views import Int32, Int64

if TYPE_CHECKING:
    from mmbench.protocol.candidate_sets import CandidateSet
    from mmbench.protocol.split import Fold

_BLOCK = 2048


def draw_candidates(
    keys: Sequence[bytes], user: Int32, target: Int32, own: Int64, n_items: int, n_negatives: int
) -> Int32:
    """The target and its negatives, in item order.

    A query's negatives are the first ``n_negatives`` different items of its own stream that are
    not the user's own, which is a uniform draw without replacement, whoever else is asked. Where
    there are no more than that, all of them.

    Args:
        keys: of q queries, see ``chance.query_keys``.
        user: int32[q], the log's user numbers.
        target: int32[q].
        own: int64[m], ascending: ``user * (n_items + 1) + item`` of all that any user has in the
            whole log, targets included.
        n_items: size of the catalogue.
        n_negatives: how many to draw.

    Returns:
        int32[q, 1 + n], ascending in each row: nothing in its place tells the target. ``n`` is the
        largest number of negatives that a query has; rows with fewer begin with zeros.
    """
    owned = np.searchsorted(own, (user.astype(np.int64)[:, None] + [0, 1]) * (n_items + 1))
    wanted = np.minimum(n_items - (owned[:, 1] - owned[:, 0]), n_negatives)
    out = np.zeros((len(keys), 1 + int(wanted.max(initial=0))), dtype=np.int32)
    out[:, 0] = target
    for start in range(0, len(keys), _BLOCK):
        rows = slice(start, start + _BLOCK)
        _draw(keys[rows], user[rows], own, n_items, wanted[rows], out[rows, 1:])
    out.sort(axis=1)
    return out


def _draw(
    keys: Sequence[bytes], user: Int32, own: Int64, n_items: int, wanted: Int64, out: Int32
) -> None:
    """Put ``wanted`` negatives into the beginning of each row of ``out``."""
    pending = np.flatnonzero(wanted)
    width = out.shape[1] + 28  # how much of a stream is looked at decides nothing: rows go on
    while len(pending):
        drawn = streams([keys[row] for row in pending.tolist()], width) % np.uint64(n_items)
        items = (drawn + np.uint64(1)).astype(np.int64)
        coded = user[pending].astype(np.int64)[:, None] * (n_items + 1) + items
        at = np.searchsorted(own, coded)
        at[at == len(own)] = 0
        fresh = _first_in_row(items) & (own[at] != coded)
        count = np.cumsum(fresh, axis=1)
        done = count[:, -1] >= wanted[pending]
        row, column = np.nonzero(fresh & done[:, None] & (count <= wanted[pending, None]))
        out[pending[row], count[row, column] - 1] = items[row, column]
        pending = pending[~done]
        width *= 2


def _first_in_row(items: Int64) -> np.ndarray:
    """bool[q, w]: whether the row has not drawn this item before."""
    order = np.argsort(items, axis=1, kind="stable")
    ordered = np.take_along_axis(items, order, axis=1)
    first = np.ones(items.shape, dtype=bool)
    np.put_along_axis(first, order[:, 1:], ordered[:, 1:] != ordered[:, :-1], axis=1)
    return first


def count_drawn(fold: Fold) -> dict[str, dict[str, int]]:
    """``{sampled set: {"least", "most"}}``: how many negatives the queries have."""
    counts = {name: (rows > 0).sum(axis=1) - 1 for name, rows in fold.candidates.items()}
    return {
        name: {"least": int(count.min()), "most": int(count.max())}
        for name, count in counts.items()
    }


def shown_candidates(fold: Fold, sets: Iterable[CandidateSet], n_items: int) -> Int32:
    """What a model is asked about that rates no more than that: int32[q, c], rows ascending.

    Each query's negatives of all sets are the first of one stream, so the largest set holds the
    others. Where a query has fewer candidates, its row is filled up with items that do not count:
    the user's own, for it has all others.
    """
    largest = max((one for one in sets if one.sampled), key=lambda one: one.size)
    shown = fold.candidates[largest.name].copy()
    everything = np.arange(1, n_items + 1, dtype=np.int32)
    for row in np.flatnonzero(shown[:, 0] == 0):
        short = int(np.count_nonzero(shown[row] == 0))
        shown[row, :short] = np.setdiff1d(everything, shown[row])[:short]
    shown.sort(axis=1)
    return shown


def places(items: Int32, shown: Int32) -> Int32:
    """int32[q, n], from 1: where each row's ``items`` stand in the same row of ``shown``.

    Rows of ``shown`` ascend, and hold all that is looked for; item 0 is at no place, 0.
    """
    row = np.arange(len(shown))[:, None]
    width = np.int64(shown.max(initial=0) + 1)
    found = np.searchsorted((row * width + shown).ravel(), row * width + items)
    numbers: Int32 = np.where(items > 0, found - row * shown.shape[1] + 1, 0).astype(np.int32)
    return numbers


def candidates_hash(fold: Fold, secret: bytes) -> str:
    """HMAC-SHA256 of the fold's candidates, 64 hex digits: equal where two cells ranked the same.

    Keyed with the log's secret, so that nobody can try targets until the digest is right.
    """
    digest = hmac.new(secret, digestmod="sha256")
    for name, candidates in fold.candidates.items():
        rows = np.ascontiguousarray(candidates, dtype="<i4")
        digest.update(f"{name} {rows.shape}\n".encode())
        digest.update(rows.tobytes())
    return digest.hexdigest()
