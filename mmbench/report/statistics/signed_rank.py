"""Signed ranks of a few numbers: Wilcoxon's test, exact, and its Bayesian counterpart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

DRAWS = 50_000
WEIGHT = 2.0**14  # of a draw's mean weight: whole numbers, whose products float64 holds


def signed_rank(values: Sequence[float]) -> float:
    """Wilcoxon's two-sided p that values lie about 0 evenly, by the exact distribution.

    Each sign pattern is as likely as any other, given the sizes (Wilcoxon, Biometrics 1, 1945).
    Values of one size share their mean rank; zeros are ranked and then left out (Pratt, JASA 54,
    1959). All zeros give 1; p is never 0. Raises ValueError for no value or one that is not finite.
    """
    if not values or not all(map(math.isfinite, values)):
        raise ValueError("signed ranks want finite values, one at least")
    sizes = np.abs(np.asarray(values, dtype=np.float64))
    _, place, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    doubled = (2 * last - counts + 1)[place]  # mean ranks are whole or half
    ranks = [int(rank) for rank, value in zip(doubled, values, strict=True) if value]
    if not ranks:
        return 1.0
    ways = [1] + [0] * sum(ranks)  # of how many patterns the ranks with a plus have this sum
    for rank in ranks:
        for total in range(len(ways) - 1, rank - 1, -1):
            ways[total] += ways[total - rank]
    above = sum(int(rank) for rank, value in zip(doubled, values, strict=True) if value > 0)
    tail = sum(ways[: min(above, sum(ranks) - above) + 1])
    return min(1.0, math.ldexp(tail, 1 - len(ranks)))


@dataclass(frozen=True, slots=True)
class Belief:
    """The chances that, on another dataset, values lie below, within or above a region about 0."""

    below: float
    within: float
    above: float


def bayesian_signed_rank(values: Sequence[float], region: float, chance: int = 0) -> Belief:
    """What a Dirichlet process says of the mean of two values drawn anew.

    One more value at 0, and the values, have weights from ``Dirichlet(1/2, 1, ..., 1)``. In each of
    50,000 draws, the weights of pairs whose mean lies below ``-region``, within or above are added,
    and the largest of the three sums wins (Benavoli, Corani, Demsar and Zaffalon, JMLR 18(77),
    2017).

    Args:
        values: one a dataset.
        region: half the width of the region of practical equivalence, about 0.
        chance: picks the draws; the same gives the same on every machine.

    Raises ValueError for no value, one that is not finite, or a negative region.
    """
    if not values or not all(map(math.isfinite, values)) or region < 0:
        raise ValueError("wants finite values, one at least, and a region of 0 or more")
    places = np.concatenate([[0.0], np.asarray(values, dtype=np.float64)])
    means = (places[:, None] + places) / 2
    # gamma variables in proportion are Dirichlet's; of the generator only raw bits are used
    raw = np.random.PCG64(chance).random_raw(DRAWS * len(places)).reshape(DRAWS, len(places))
    uniform = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    drawn = np.column_stack([ndtri(uniform[:, 0]) ** 2 / 2, -np.log(uniform[:, 1:])])
    weights = np.rint(drawn * WEIGHT)
    below, above = (
        ((weights @ kind.astype(np.float64)) * weights).sum(axis=1)
        for kind in (means < -region, means > region)
    )
    within = weights.sum(axis=1) ** 2 - below - above
    sums = np.stack([below, within, above])
    won = sums == sums.max(axis=0)
    shares = (won / won.sum(axis=0)).mean(axis=1)  # a draw that is tied counts for both
    return Belief(*(round(float(share), 4) for share in shares))
