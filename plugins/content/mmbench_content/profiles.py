"""From histories and vectors to profiles and scores: how every encoder here rates items."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mmbench import Products

Float32 = NDArray[np.float32]


def weigh(history: NDArray[np.int32], n_items: int, max_history: int, decay: float) -> sp.csr_array:
    """float32[b, n_items + 1]: what each item weighs in each history.

    An event weighs ``decay ** age``, the last one has age 0; an item's events add up, padding
    weighs nothing, and only the last ``max_history`` columns count.
    """
    shown = history[:, -max_history:]
    row, column = np.nonzero(shown)
    weight = np.float32(decay) ** (shown.shape[1] - 1 - column).astype(np.float32)
    shape = (len(history), n_items + 1)
    return sp.csr_array((weight, (row, shown[row, column])), shape=shape, dtype=np.float32)


def unit(vectors: NDArray) -> Float32:
    """Rows of length 1; rows of zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Float32 = (vectors / np.where(lengths, lengths, 1)).astype(np.float32)
    return scaled


def profiles(weights: sp.csr_array, vectors: Float32) -> Float32:
    """float32[b, d]: the direction of the weighted mean of the histories' item vectors.

    Zeros where no item of a history has a vector.
    """
    return unit(weights @ vectors)


def rate(queries: Float32, items: Products) -> Float32:
    """float32[b, n_items]: cosines of unit profiles and unit item vectors.

    Items of one vector are tied. An item whose vector is zero has no content to go by: it is not
    retrieved.
    """
    scores = items.rate(queries)
    scores[:, ~items.items.any(axis=1)] = -np.inf
    return scores
