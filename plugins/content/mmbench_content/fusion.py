"""Scores of several parts on one scale, as one inner product, and the choice of their weights.

A part rates an item by an inner product of a query's and the item's vector. Standardised over the
catalogue it is ``(q v - q m) / sqrt(q C q)``, where ``m`` and ``C`` are mean and covariance of the
item vectors, and that is an inner product too: of ``(q, -q m) / sqrt(q C q)`` and ``(v, 1)``. An
item that a part does not know has ``(0, 0)`` there: it counts as the part's average item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Weights = tuple[float, float, float]

FLAT = 1e-6  # a part whose scores spread less than that says nothing


@dataclass(frozen=True, slots=True)
class Part:
    """The item side of a part.

    Attributes:
        vectors: float32[n_items + 1, d + 1], the last column is 1 where the part knows the item.
        mean: float64[d], of the known items.
        covariance: float64[d, d].
    """

    vectors: Float32
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    def ask(self, queries: Float32, weight: float) -> Float32:
        """float32[b, d + 1]: queries whose products with ``vectors`` are weighted z-scores.

        Zeros for a query to which all known items are alike.
        """
        wide = queries.astype(np.float64)
        spread = np.sqrt(np.maximum(np.einsum("bd,de,be->b", wide, self.covariance, wide), 0))
        scale = np.where(spread > FLAT, weight / np.maximum(spread, FLAT), 0)
        asked = np.column_stack([wide, -(wide @ self.mean)]) * scale[:, None]
        return asked.astype(np.float32)


def make_part(vectors: Float32, known: NDArray[np.bool_]) -> Part:
    """A part from float32[n_items + 1, d] and bool[n_items + 1]: which items it knows."""
    values = vectors[known].astype(np.float64)
    mean = values.mean(axis=0)
    centred = values - mean
    widened = np.column_stack([np.where(known[:, None], vectors, 0), known]).astype(np.float32)
    return Part(widened, mean, centred.T @ centred / len(values))


def standardise(scores: Float32) -> Float32:
    """Rows with mean 0 and deviation 1; rows that are flat become 0."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    scaled: Float32 = np.where(spread > FLAT, centred / np.maximum(spread, FLAT), 0)
    return scaled


def grid(image_shares: Sequence[float], other_shares: Sequence[float]) -> Iterator[Weights]:
    """All weights of text, image and the third part; those of a triple sum to 1."""
    for other in other_shares:
        for image in image_shares:
            yield (1 - other) * (1 - image), (1 - other) * image, other


def choose(candidates: Iterable[Weights], validate: Callable[[Weights], float]) -> Weights:
    """The weights with the best validation figure; of equals the first."""
    rated = [(validate(weights), weights) for weights in candidates]
    return max(rated, key=lambda pair: pair[0])[1]
