"""K-means, and what is built of it: a code-book for each level of residuals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmbench.views import Float32, Int32

BLOCK = 16_384  # vectors whose distances to all centres are in memory at a time


class Clusters(NamedTuple):
    """Centres and where the vectors are.

    Attributes:
        centres: float32[k, d].
        labels: int32[n], the nearest centre of each vector.
        error: sum of the squared distances to them.
    """

    centres: Float32
    labels: Int32
    error: float


def nearest(vectors: Float32, centres: Float32) -> tuple[Int32, Float32]:
    """int32[n], float32[n]: the nearest centre of each vector, the first of several, how far."""
    from scipy.cluster.vq import vq

    labels = np.empty(len(vectors), np.int32)
    distances = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), BLOCK):
        rows = slice(start, start + BLOCK)
        labels[rows], distances[rows] = vq(vectors[rows], centres, check_finite=False)
    return labels, distances


def kmeans(
    vectors: Float32, k: int, rng: np.random.Generator, rounds: int, starts: int = 1
) -> Clusters:
    """Lloyd's algorithm from starts by k-means++ (Arthur and Vassilvitskii, 2007).

    A centre that is the nearest of no vector goes to the vector that is farthest from its own.
    Centres are means of the vectors they were last the nearest of; ``labels`` is exact for the
    centres that are handed back.

    Args:
        vectors: float32[n, d], n at least 1. Where they hold fewer than k distinct ones, several
            centres are equal, and vectors take the first of those.
        k: number of centres.
        rng: chance.
        rounds: at most; fewer where no vector changes its centre.
        starts: what ends with the least error is taken, the first of several.
    """
    found = [_lloyd(vectors, k, rng, rounds) for _ in range(starts)]
    return min(found, key=lambda clusters: clusters.error)


def _lloyd(vectors: Float32, k: int, rng: np.random.Generator, rounds: int) -> Clusters:
    centres = _plus_plus(vectors, k, rng)
    labels, distances = nearest(vectors, centres)
    for _ in range(rounds):
        centres = _means(vectors, labels, centres)
        idle = np.flatnonzero(np.bincount(labels, minlength=k) == 0)
        far = np.argsort(-distances, kind="stable")[: len(idle)]
        far = far[distances[far] > 0]
        centres[idle[: len(far)]] = vectors[far]
        before = labels
        labels, distances = nearest(vectors, centres)
        if not len(far) and np.array_equal(before, labels):
            break
    return Clusters(centres, labels, float((distances.astype(np.float64) ** 2).sum()))


def residual_kmeans(
    vectors: Float32,
    sizes: tuple[int, ...],
    rng: np.random.Generator,
    rounds: int,
    starts: int = 1,
) -> tuple[Float32, ...]:
    """A code-book a level, float32[size, d]: k-means of what the levels before leave over."""
    books, rest = [], vectors
    for size in sizes:
        found = kmeans(rest, size, rng, rounds, starts)
        books.append(found.centres)
        rest = rest - found.centres[found.labels]
    return tuple(books)


def _plus_plus(vectors: Float32, k: int, rng: np.random.Generator) -> Float32:
    """float32[k, d]: vectors, each drawn in proportion to its squared distance to those before."""
    norms = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
    far = np.full(len(vectors), np.inf)
    chosen = [int(rng.integers(len(vectors)))]
    for _ in range(k - 1):
        last = chosen[-1]
        squared = norms + norms[last] - 2.0 * (vectors @ vectors[last])
        far = np.minimum(far, np.maximum(squared, 0))
        far[last] = 0
        total = far.sum()
        odds = far / total if total > 0 else None  # all are chosen: any will do
        chosen.append(int(rng.choice(len(vectors), p=odds)))
    return vectors[chosen].copy()


def _means(vectors: Float32, labels: Int32, centres: Float32) -> Float32:
    """float32[k, d]: the means of the vectors of each label; a centre without any stays."""
    order = np.argsort(labels, kind="stable")
    present, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    sums = np.add.reduceat(vectors[order], starts, axis=0, dtype=np.float64)
    found = centres.copy()
    found[present] = (sums / counts[:, None]).astype(np.float32)
    return found
