"""Which places a row may hold, after what is known of its pairs."""

from __future__ import annotations

from collections.abc import Iterable


def places(rows: int, better: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The first and the last place, from 1, that each row may hold among ``rows``.

    Args:
        rows: how many.
        better: pairs of which the first is known to be better than the second.

    A row stands behind all that are better and before all that are worse. Where the chance of any
    false claim among the pairs is at most 5%, all intervals hold at once with 95% (Al Mohamad,
    van Zwet, Solari and Goeman, Scand. J. Statist. 49, 2022).
    """
    before, behind = [0] * rows, [0] * rows
    for one, other in better:
        behind[one] += 1
        before[other] += 1
    return tuple((1 + a, rows - b) for a, b in zip(before, behind, strict=True))
