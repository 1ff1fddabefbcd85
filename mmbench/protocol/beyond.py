"""Beyond accuracy: what the top lists of all queries are like together.

Lists are int32[q, K], best first, 0 where a list has ended. None of these looks at a target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmbench.views import Int32, Interactions

if TYPE_CHECKING:
    from mmbench.protocol.evaluate import Ranks

PAIRED = 1000
"""Lists whose pairs are visited: half a million pairs tell a mean to a thousandth or better."""


def coverage(top: Int32, k: int, n_items: int) -> float:
    """The share of the catalogue that is in the first ``k`` places of any list.

    ``|union of the lists| / n_items``: catalogue coverage, Ge, Delgado-Battenfeld and Jannach,
    "Beyond accuracy", RecSys 2010.
    """
    return float(np.count_nonzero(_holders(top, k, n_items)) / n_items)


def diversity(top: Int32, k: int, n_items: int) -> float:
    """How different the lists of two queries are: 0 when all are the same, 1 when none overlap.

    ``1 - mean over pairs of |A & B| / k``: inter-user diversity, Zhou et al., "Solving the apparent
    diversity-accuracy dilemma of recommender systems", PNAS 107(10), 2010. An item that ``c`` lists
    hold is shared by ``c (c - 1) / 2`` pairs, so no pair is ever visited. 0 for a single list.
    """
    lists = len(top)
    if lists < 2:
        return 0.0
    holders = _holders(top, k, n_items).astype(np.float64)
    shared = float((holders * (holders - 1)).sum())
    return 1 - shared / (lists * (lists - 1.0) * k)


def distance(top: Int32, k: int) -> float:
    """How different the lists of two queries are, by Jaccard: 1 where none overlap.

    ``1 - mean over pairs of |A & B| / |A | B|``, the inter-list diversity of Kaminskas and Bridge,
    ACM TiiS 7(1), 2016. ``diversity`` divides by ``k`` instead, so that a pair which shares half of
    its items counts 1/2 there and 1/3 here. A quotient is not summed by counting holders, so pairs
    are visited: those of the first ``PAIRED`` lists, which are a sample, as queries stand in an
    order by chance. Two empty lists are alike; 0 for a single list.
    """
    lists = _first(top, k)[:PAIRED]
    count = len(lists)
    if count < 2:
        return 0.0
    row, place = np.nonzero(lists)
    items, column = np.unique(lists[row, place], return_inverse=True)
    held = np.zeros((count, len(items)), np.float32)
    held[row, column] = 1
    size = held.sum(axis=1)
    shared = held @ held.T
    union = size[:, None] + size - shared
    likeness = np.where(union > 0, shared / np.maximum(union, 1), 1)[np.triu_indices(count, 1)]
    return float(1 - likeness.mean(dtype=np.float64))


def novelty(top: Int32, k: int, train: Interactions) -> float:
    """How unexpected the listed items are, in bits: the mean over places of ``-log2 p(item)``.

    Self-information as in Zhou et al., PNAS 107(10), 2010, with ``p`` the item's share of training
    events, smoothed by one event an item: ``(count + 1) / (events + n_items)``. Places where a list
    has ended do not count; 0 where there are only such.
    """
    counts = np.bincount(train.item, minlength=train.n_items + 1)
    bits = -np.log2((counts + 1) / (len(train.item) + train.n_items))
    listed = _first(top, k)
    listed = listed[listed > 0]
    return float(bits[listed].mean()) if len(listed) else 0.0


def beyond_accuracy(ranks: Ranks, train: Interactions, k: int = 10) -> dict[str, dict[str, float]]:
    """``{candidate set: {"coverage@k", "diversity@k", ...}}`` for the sets with lists."""
    return {
        chosen: {
            f"coverage@{k}": coverage(top, k, train.n_items),
            f"diversity@{k}": diversity(top, k, train.n_items),
            f"distance@{k}": distance(top, k),
            f"novelty@{k}": novelty(top, k, train),
        }
        for chosen, top in ranks.top.items()
    }


def _first(top: Int32, k: int) -> Int32:
    if not 1 <= k <= top.shape[1]:
        raise ValueError(f"the lists have {top.shape[1]} places, so k is 1..{top.shape[1]}: {k}")
    return top[:, :k]


def _holders(top: Int32, k: int, n_items: int) -> np.ndarray:
    """int64[n_items]: how many lists hold each item."""
    return np.bincount(_first(top, k).ravel(), minlength=n_items + 1)[1:]
