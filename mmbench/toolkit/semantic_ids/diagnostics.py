"""How good ids are: what they lose, how evenly they are used, which items they take for one.

``aliasing`` and ``neighbours_kept`` are ours. All figures but those two are exact; these sample
pairs and items where the catalogue is large, by a generator that is handed in.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmbench.views import Float32, Int32

PAIRS = 200_000  # of items, that are looked at
ASKED = 2_000  # items whose neighbours are looked at
NEIGHBOURS = 10
BLOCK = 64  # items whose cosines are in memory at a time
LOW = 0.95  # a cosine is low that is below this share of pairs by chance


class Aliasing(NamedTuple):
    """``shares`` of each depth of the ids, None where no pair agrees; ``low``, the cosine."""

    shares: tuple[float | None, ...]
    low: float | None


class Kept(NamedTuple):
    """The share of neighbours that is kept, and what ids by chance would keep."""

    share: float | None
    by_chance: float | None


def usage(codes: Int32, size: int) -> tuple[int, float]:
    """How many codes of a level are used, and their perplexity: exp of the entropy of their use.

    Args:
        codes: int32[n], of one level.
        size: of its code-book; all codes used alike have this perplexity.
    """
    share = np.bincount(codes, minlength=size) / len(codes)
    share = share[share > 0]
    return len(share), float(np.exp(-(share * np.log(share)).sum()))


def reconstruction_error(vectors: Float32, rebuilt: Float32) -> float | None:
    """The mean squared error over the vectors' variance: 0 is exact, 1 as bad as their mean.

    None where all vectors are equal. Both are float32[n, d].
    """
    wide = vectors.astype(np.float64)
    variance = np.square(wide - wide.mean(axis=0)).sum()
    return float(np.square(wide - rebuilt).sum() / variance) if variance > 0 else None


def collisions(codes: Int32) -> tuple[float, int]:
    """The share of items that ids are short of, 1 - ids / items, and the most items of one id."""
    _, counts = np.unique(codes, axis=0, return_counts=True)
    return 1 - len(counts) / len(codes), int(counts.max())


def aliasing(vectors: Float32, codes: Int32, rng: np.random.Generator) -> Aliasing:
    """Of the pairs of items whose ids agree in the first codes, the share whose vectors do not.

    Two vectors do not agree where their cosine is low: below that of 95% of all pairs of items.
    Ids by chance have .95. One share for each depth, the last for ids that agree wholly. Up to
    200,000 pairs of each depth are all looked at, of more so many are drawn.

    Args:
        vectors: float32[n, d], none of them zero.
        codes: int32[n, levels].
        rng: chance.
    """
    if len(vectors) < 2:
        return Aliasing((None,) * codes.shape[1], None)
    directions = _directions(vectors)
    everyone = np.zeros((len(codes), 1), np.int32)
    low = float(np.quantile(_cosines(directions, *_pairs(everyone, rng)), LOW))
    shares: list[float | None] = []
    for depth in range(1, codes.shape[1] + 1):
        first, second = _pairs(codes[:, :depth], rng)
        below = _cosines(directions, first, second) < low
        shares.append(float(below.mean()) if len(below) else None)
    return Aliasing(tuple(shares), low)


def neighbours_kept(
    vectors: Float32, codes: Int32, rng: np.random.Generator, k: int = NEIGHBOURS
) -> Kept:
    """Of an item's k nearest by cosine, the share that is among its k nearest by id.

    Nearer by id is who shares a longer beginning. Those that share equally much are tied, and a
    place that falls among them counts as the mean over all their orders. Items whose ids share
    nothing are tied too, so that ids by chance keep about k / (n - 1). The mean over 2,000 items
    that are drawn, or over all. None for k items or fewer.

    Args:
        vectors: float32[n, d], none of them zero.
        codes: int32[n, levels].
        rng: chance.
        k: neighbours.
    """
    n = len(vectors)
    if n <= k:
        return Kept(None, None)
    directions = _directions(vectors)
    asked = np.sort(rng.choice(n, min(n, ASKED), replace=False))
    total = 0.0
    for start in range(0, len(asked), BLOCK):
        rows = asked[start : start + BLOCK]
        for item, cosines in zip(rows, directions[rows] @ directions.T, strict=True):
            cosines[item] = -np.inf
            near = np.argpartition(-cosines, k - 1)[:k]
            shared = np.cumprod(codes == codes[item], axis=1).sum(axis=1)
            total += float(_chances(np.delete(shared, item), k)[shared[near]].sum()) / k
    return Kept(total / len(asked), k / (n - 1))


def _chances(shared: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """float64[levels + 1]: of an item that shares so much, the chance to be among the first k."""
    counts = np.bincount(shared, minlength=int(shared.max()) + 1)
    before = counts[::-1].cumsum()[::-1] - counts  # those that share more
    left = np.clip(k - before, 0, counts)
    return np.asarray(left / np.maximum(counts, 1), np.float64)


def _directions(vectors: Float32) -> Float32:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _cosines(
    directions: Float32, first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float32]:
    return np.asarray(np.einsum("nd,nd->n", directions[first], directions[second]), np.float32)


def _pairs(codes: Int32, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of rows that are equal, all of them, or ``PAIRS`` drawn with replacement."""
    _, number, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(number.ravel(), kind="stable")
    starts = np.cumsum(counts) - counts
    pairs = counts * (counts - 1) // 2
    total = int(pairs.sum())
    if total <= PAIRS:
        found = [
            order[start + np.stack(np.triu_indices(count, 1))]
            for start, count in zip(starts, counts, strict=True)
            if count > 1
        ]
        both = np.concatenate(found, axis=1) if found else np.zeros((2, 0), np.int64)
        return both[0], both[1]
    group = np.searchsorted(np.cumsum(pairs), rng.integers(total, size=PAIRS), side="right")
    first = rng.integers(counts[group])
    second = (first + rng.integers(1, counts[group])) % counts[group]
    return order[starts[group] + first], order[starts[group] + second]
