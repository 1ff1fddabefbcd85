"""The answer to a query: what was ranked first, then the retriever's order over all the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
Bool = NDArray[np.bool_]


def may_be_recommended(candidates: Int32, excluded: Int32) -> Bool:
    """bool[b, c]: the candidates that are not excluded.

    Args:
        candidates: int32[b, c].
        excluded: int32[b, e], 0 is none.
    """
    allowed = np.ones(candidates.shape, dtype=bool)
    for row in range(len(candidates)):
        out = excluded[row][excluded[row] > 0]
        if len(out):
            allowed[row] = ~np.isin(candidates[row], out)
    return allowed


def merge(
    scores: Float32, ranked: Sequence[NDArray[np.int64]], rates: Sequence[Float32]
) -> Float32:
    """Scores float32[b, c] in which the ranked columns of each row stand above all others.

    Among themselves they stand by the ranker's rates, which keep their distances, the others by the
    retriever's scores. So every candidate has a rank, also where nothing ranked is the target.

    Args:
        scores: float32[b, c], the retriever's.
        ranked: b rows of columns.
        rates: float32 for each of them.
    """
    merged = scores.copy()
    for row, columns, rate in zip(merged, ranked, rates, strict=True):
        if len(columns):
            row[columns] = row.max() + 1 + (rate - rate.min())
    return merged
