"""What is trained on: a history and the item that came next, and which items are negatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench import Interactions


@dataclass(frozen=True, slots=True)
class Example:
    """A user's history, oldest first, and the target; ``history`` is everything they had before."""

    history: tuple[int, ...]
    target: int


def make_examples(
    train: Interactions, *, all_prefixes: bool = False, few: int = 0, seed: int = 0
) -> list[Example]:
    """The examples of each user with two events or more; the last one is the target.

    Args:
        train: the training events.
        all_prefixes: an example for each event after a user's first.
        few: take so many users, drawn by the seed; 0, or more than there are, takes all.
        seed: of the draw.
    """
    rows = [row.tolist() for row in train.sequences() if len(row) > 1]
    if 0 < few < len(rows):
        chosen = np.random.default_rng([seed, few]).choice(len(rows), few, replace=False)
        rows = [rows[place] for place in np.sort(chosen)]
    return [
        Example(tuple(row[:end]), row[end])
        for row in rows
        for end in (range(1, len(row)) if all_prefixes else (len(row) - 1,))
    ]


def negatives(examples: Sequence[Example]) -> NDArray[np.bool_]:
    """bool[b, b]: whether the target of example ``j`` (column) is a negative of example ``u``.

    It is not where it is the same item as the positive, or one that the user had before.
    """
    targets = np.array([example.target for example in examples])
    return np.stack([~np.isin(targets, [*example.history, example.target]) for example in examples])
