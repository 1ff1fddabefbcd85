"""What a rank is worth, in expectation over a random order of the items tied with the target.

With ``g`` items above and ``e`` others tied, the target's rank is uniform on
``g + 1 .. g + e + 1``; each metric is its mean over these, in closed form. There is one target a
query, so ``hit@k`` is also recall@k, and ``ndcg@1`` is ``hit@1``. A query whose target is no
candidate (``g = -1``) counts 0. All are averages over queries, a query a user.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.views import Int32

if TYPE_CHECKING:
    from mmbench.protocol.evaluate import Ranks

Float64 = NDArray[np.float64]
HEADLINE = "ndcg@10"  # what rows are ordered and compared by
VALIDATION = "ndcg@10"  # what models are validated by


def _hit(rank: Float64) -> Float64:
    """1 (up to the cutoff)."""
    return np.ones_like(rank)


def _ndcg(rank: Float64) -> Float64:
    """1 / log2(rank + 1), the ideal list having the target first (Järvelin, Kekäläinen 2002)."""
    return 1 / np.log2(rank + 1)


def _mrr(rank: Float64) -> Float64:
    """1 / rank (Voorhees, TREC-8, 1999)."""
    return 1 / rank


GAINS: dict[str, Callable[[Float64], Float64]] = {"hit": _hit, "ndcg": _ndcg, "mrr": _mrr}
"""What rank ``r`` is worth, by the metric's name: all that a metric is, and takes to be added."""

UNCUT = ("mrr",)  # may be asked for without ``@k``
CUTOFFS = (1, 5, 10, 20, 50)
REPORTED = (
    *(f"hit@{k}" for k in CUTOFFS),
    *(f"ndcg@{k}" for k in CUTOFFS if k > 1),
    "mrr",
    "mrr@10",
)
"""The metrics of a result row, in order: of every cell, whenever it was run."""


def per_query(metric: str, greater: Int32, equal: Int32) -> Float64:
    """float64[q]: the expected ``hit@k``, ``ndcg@k``, ``mrr@k`` or ``mrr`` of each query.

    The gain of rank ``r`` is 1, ``1 / log2(r + 1)`` or ``1 / r``, and 0 past ``k``. Its sum over
    the ranks ``g + 1 .. g + e + 1`` is a difference of prefix sums, to be divided by ``e + 1``.
    Raises ValueError for an unknown metric.
    """
    name, at, cutoff = metric.partition("@")
    cut = cutoff.isdecimal() and int(cutoff) > 0
    if name not in GAINS or not (cut or (metric in UNCUT)):
        known = ", ".join([*(f"{one}@k" for one in GAINS), *UNCUT])
        raise ValueError(f"unknown metric {metric!r}: use one of {known}, k from 1")
    answered = greater >= 0
    above = np.where(answered, greater, 0).astype(np.int64)
    below = above + np.where(answered, equal, 0) + 1
    last = int(below.max(initial=1))
    if at:
        last = min(last, int(cutoff))
    gains = GAINS[name](np.arange(1, last + 1, dtype=np.float64))
    prefix = np.concatenate([[0.0], np.cumsum(gains)])
    total = prefix[np.minimum(below, last)] - prefix[np.minimum(above, last)]
    return np.where(answered, total / (below - above), 0.0)


def summarise(ranks: Ranks) -> dict[str, dict[str, float]]:
    """``{candidate set: {metric: mean over all queries}}``."""
    return {
        chosen: {
            name: float(per_query(name, greater, ranks.equal[chosen]).mean()) for name in REPORTED
        }
        for chosen, greater in ranks.greater.items()
    }


def tie_rate(ranks: Ranks) -> dict[str, float]:
    """``{candidate set: share of queries whose target is level with another candidate}``."""
    return {chosen: float((equal > 0).mean()) for chosen, equal in ranks.equal.items()}


def unanswered(ranks: Ranks) -> dict[str, float]:
    """``{candidate set: share of queries that have no answer there}``."""
    return {chosen: float((greater < 0).mean()) for chosen, greater in ranks.greater.items()}
