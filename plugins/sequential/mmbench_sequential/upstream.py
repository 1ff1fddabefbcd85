"""Another model's item vectors, made fit to start from.

Encoders' vectors are crowded: all lie near one direction, and a few directions hold most of what is
left. A random linear map of such vectors starts with items that are nearly one. Taking the mean
away, and scaling the directions to one spread (whitening), keeps what tells items apart.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmbench import find_duplicates

Transform = Literal["raw", "centred", "pca", "zca"]
SMALL = 1e-6  # a direction whose variance is a smaller share of the largest is rounding


def transform(
    vectors: NDArray[np.float32], how: Transform, components: int = 0
) -> NDArray[np.float32]:
    """Item vectors, centred or whitened; equal vectors stay equal, bit by bit.

    Args:
        vectors: float32[n, e], a row an item, no padding.
        how: ``raw`` leaves them; ``centred`` takes the mean away; ``pca`` whitens along the
            principal components, the largest first; ``zca`` whitens and turns back, so that each
            coordinate stays as near as can be to what it was.
        components: of ``pca`` and ``zca``, so many are kept; 0 keeps all.

    Returns float32[n, e], with ``pca`` float32[n, k] for k kept components. The mean and the
    components are those of the items, of which each counts once, however alike.

    Raises ValueError where all items have one vector, which whitening cannot spread.
    """
    if how == "raw":
        return vectors
    later, first = find_duplicates(vectors)
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    if how != "centred":
        scatter = centred.T @ centred / len(centred)
        variance, directions = np.linalg.eigh(scatter)
        order = np.argsort(-variance)
        kept = order[variance[order] > SMALL * max(variance[order[0]], np.finfo(float).tiny)]
        kept = kept[: components or None]
        if not len(kept):
            raise ValueError("all items have one vector: there is nothing to whiten")
        white = directions[:, kept] / np.sqrt(variance[kept])
        centred = centred @ (white if how == "pca" else white @ directions[:, kept].T)
    found: NDArray[np.float32] = centred.astype(np.float32)
    found[later] = found[first]
    return found
