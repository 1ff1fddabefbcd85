"""Which events are read together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Items = NDArray[np.int32]
Window = tuple[Items, int]


def draw_window(sequence: Items, most: int, rng: np.random.Generator) -> Window:
    """A history and the item after it, from anywhere in a sequence.

    The history's length is drawn first, uniformly from 1 to ``most - 1`` or what the sequence has,
    then its place: as the reference code does, with a target that is always the next event.

    Args:
        sequence: two items or more.
        most: events of a window, the target among them.
        rng: the chance.
    """
    length = int(rng.integers(1, min(most, len(sequence)))) if len(sequence) > 1 else 0
    if not length:
        raise ValueError(f"a window needs two events, and the sequence has {len(sequence)}")
    start = int(rng.integers(len(sequence) - length))
    return sequence[start : start + length], int(sequence[start + length])


def latest_windows(sequence: Items, most: int, count: int) -> list[Window]:
    """The windows that end with the last ``count`` events of a sequence, of ``most`` events each.

    The first event has nothing before it, so it ends none; at the start windows are shorter.
    """
    ends = range(max(len(sequence) - count, 1), len(sequence))
    return [(sequence[max(end + 1 - most, 0) : end], int(sequence[end])) for end in ends]


def last_events(history: Items, most: int) -> list[list[int]]:
    """The last ``most - 1`` items of each history int32[b, L], padding left out."""
    return [row[row > 0][-(most - 1) :].tolist() for row in history]
