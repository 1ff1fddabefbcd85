"""How a model's embedding spaces lie: alignment, uniformity, separability (Wang and Isola, 2020).

The report that VLM2Rec makes of each modality (section 3, equations 4 and 5), and its modality
report: how well a history's text alone, or its pictures alone, find the fused target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mmbench.protocol.evaluate import Asked, evaluate
from mmbench.protocol.metrics import summarise
from mmbench.protocol.protocols import Protocol
from mmbench.protocol.split import Fold
from mmbench.views import Answer, Float32, Vectors

PAIRS = 1_000_000
EPSILON = 1e-12
Float64 = NDArray[np.float64]
Spaces = Mapping[str, Float32]


def geometry(queries: Float32, items: Float32, fold: Fold) -> dict[str, float]:
    """Equations 4 and 5 on unit vectors: how near targets are, how far all else.

    ``a_pos`` is the mean squared distance of a query and its target, ``a_neg`` that of a query and
    its negatives in the protocol's first sampled set, ``uniformity`` the logarithm of the mean of
    ``exp(-2 d^2)`` over a million pairs of a query and an item, drawn with a fixed seed, and
    ``separability`` ``a_neg / a_pos``, above 1 where negatives are farther.

    Args:
        queries: float32[q, d].
        items: float32[n_items + 1, d].
        fold: the queries' targets and negatives.
    """
    left, right = unit(queries), unit(items)
    target = fold.target
    positive = _squared(left, right[target]).mean()
    candidates = next(iter(fold.candidates.values()))
    negative, pairs = 0.0, 0
    for item in candidates.T:
        drawn = (item != target) & (item > 0)
        negative += float(_squared(left, right[item])[drawn].sum())
        pairs += int(drawn.sum())
    negative /= max(pairs, 1)
    rng = np.random.default_rng(0)
    kernel, drawn = 0.0, 0
    while drawn < PAIRS:
        size = min(PAIRS - drawn, 65_536)
        some, other = rng.integers(len(left), size=size), rng.integers(1, len(right), size=size)
        kernel += float(np.exp(-2 * _squared(left[some], right[other])).sum())
        drawn += size
    return {
        "a_pos": float(positive),
        "a_neg": negative,
        "uniformity": float(np.log(kernel / PAIRS)),
        "separability": negative / (float(positive) + EPSILON),
    }


def modality_report(
    queries: Spaces, items: Float32, fold: Fold, protocol: Protocol
) -> dict[str, dict[str, dict[str, float]]]:
    """``{"f2f" | "t2f" | "v2f": {candidate set: {metric: value}}}``: cosines with fused items.

    Items of one vector are tied, as everywhere.

    Args:
        queries: ``fused``, ``text`` and ``image`` where they exist, float32[q, d] each; a space of
            another width than the items' has no cosine with them, and no row.
        items: float32[n_items + 1, d], the fused items.
        fold: who is asked.
        protocol: names the candidate sets.
    """
    right = unit(items)
    found = {}
    for name, space in (("f2f", "fused"), ("t2f", "text"), ("v2f", "image")):
        if space in queries and queries[space].shape[1] == right.shape[1]:
            left = unit(queries[space])

            def ask(what: Asked, slices: Sequence[slice], left: Float32 = left) -> Iterator[Answer]:
                return (Vectors(left[rows], right) for rows in slices)

            found[name] = summarise(evaluate(fold, len(right) - 1, ask, protocol))
    return found


def unit(vectors: Float32) -> Float32:
    """Rows of length 1; a row of zeros stays."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Float32 = np.divide(
        vectors, length, out=np.zeros(vectors.shape, np.float32), where=length > 0
    )
    return scaled


def _squared(left: Float32, right: Float32) -> Float64:
    difference = left - right
    found: Float64 = np.einsum("ij,ij->i", difference, difference, dtype=np.float64)
    return found
