"""The answer to queries: what the beams reached by likelihood, all other items by popularity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


def level_counts(counts: Int64) -> Float32:
    """float32, as many: 0 for the most popular, falling above -1; items of equal counts are tied.

    Args:
        counts: int64[n_items], training events.
    """
    _, level = np.unique(counts, return_inverse=True)
    found: Float32 = ((level - level.max()) / (level.max() + 1)).astype(np.float32)
    return found


def rank_reached(items: Int32, scores: Float32, popularity: Float32) -> Float32:
    """float32[b, n_items]: reached items have their scores, all others stand below these.

    Args:
        items: int32[b, k], what was reached, 0 where there is nothing.
        scores: float32[b, k], -inf there.
        popularity: float32[n_items], in (-1, 0], the order of those that were not reached.
    """
    reached = np.isfinite(scores)
    lowest = np.where(reached, scores, 0).min(axis=1, keepdims=True, initial=0)
    answer: Float32 = (np.tile(popularity, (len(items), 1)) + (lowest - 1)).astype(np.float32)
    row, column = np.nonzero(reached)
    answer[row, items[row, column] - 1] = scores[row, column]
    return answer
