"""Scores against scores: identical bit for bit, or the same but for rounding."""

from __future__ import annotations

import numpy as np

from mmbench.check.rules import CheckFailed
from mmbench.views import Float32

ROUNDING = 1e-4
"""A batch of another size adds in another order; differences up to this share of the range of a
query's scores are rounding."""


def demand_identical(ours: Float32, theirs: Float32, when: str) -> None:
    """Raise CheckFailed unless the scores float32[q, n] are the same, bit for bit."""
    differs = ~((ours == theirs) | (np.isneginf(ours) & np.isneginf(theirs)))
    _demand(differs, ours, theirs, f"scores differ {when}")


def demand_same(ours: Float32, theirs: Float32, when: str) -> None:
    """Raise CheckFailed unless the scores float32[q, n] are the same but for rounding.

    An item that is retrieved on one side alone is forgiven if it is tied with the last of the
    other side.
    """
    lowest, highest = _edges(np.concatenate([ours, theirs], axis=1))
    span = np.maximum(highest - lowest, np.abs(highest))
    filled = [np.where(np.isneginf(s), _lowest(s)[:, None], s) for s in (ours, theirs)]
    silent = np.isneginf(ours) & np.isneginf(theirs)
    with np.errstate(invalid="ignore"):
        far = np.abs(filled[0] - filled[1]) > ROUNDING * span[:, None]
    _demand(far & ~silent, ours, theirs, f"scores differ {when}")


def _lowest(scores: Float32) -> Float32:
    """float32[q]: the lowest finite score of each query, +inf where it has none."""
    lowest: Float32 = np.where(np.isfinite(scores), scores, np.inf).min(axis=1)
    return lowest


def _edges(scores: Float32) -> tuple[Float32, Float32]:
    """float32[q] each: the lowest and highest finite score of each query, 0 where it has none."""
    lowest, highest = _lowest(scores), -_lowest(-scores)
    return np.where(np.isfinite(lowest), lowest, 0), np.where(np.isfinite(highest), highest, 0)


def _demand(differs: np.ndarray, ours: Float32, theirs: Float32, what: str) -> None:
    if differs.any():
        row, column = np.argwhere(differs)[0]
        raise CheckFailed(
            f"{what}: {int(differs.any(axis=1).sum())} of {len(ours)} queries; the first is query "
            f"{row}, column {column}: {ours[row, column]:.6g} against {theirs[row, column]:.6g}"
        )
