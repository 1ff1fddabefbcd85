"""Holm's step-down procedure: the chance of one false claim among all, whatever the others are."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """The adjusted p values of a family, in its order (Holm, Scand. J. Statist. 6, 1979).

    The smallest of ``m`` is multiplied by ``m``, the next by ``m - 1``, and so on; none is less
    than the one before, so that after the first that is not below a level none is. Above 1 they
    are 1. Raises ValueError for what is no p value.
    """
    if not all(0 <= one <= 1 for one in p):
        raise ValueError("p values lie in 0..1")
    adjusted = [1.0] * len(p)
    least = 0.0
    for place, number in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        least = max(least, min(1.0, (len(p) - place) * p[number]))
        adjusted[number] = least
    return tuple(adjusted)
