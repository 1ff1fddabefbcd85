"""Which training rows the sequences give, and which rows make a batch. Plain NumPy.

Position ``p`` of the long array of all users' events shows event ``p``; its target is event
``p + 1``. A row is a run of positions of one user.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench import Interactions

Index = NDArray[np.int64]

POOL = 64  # batches among which rows of like length are gathered


@dataclass(frozen=True, slots=True)
class Rows:
    """Runs of positions.

    Attributes:
        shown: int64[r], the first event that the row shows; padding stands before it.
        trained: int64[r], the first position that is trained: ``shown - 1`` where the row's own
            first event is a target, predicted from padding.
        stop: int64[r], positions end before it, so event ``stop`` is the last target.
    """

    shown: Index
    trained: Index
    stop: Index

    def __len__(self) -> int:
        return len(self.stop)

    def take(self, index: Index) -> Rows:
        """The rows of these numbers."""
        return Rows(self.shown[index], self.trained[index], self.stop[index])

    def widths(self) -> Index:
        """int64[r]: the columns that each row needs."""
        return self.stop - np.minimum(self.shown, self.trained)

    def targets(self) -> Index:
        """int64[r]: how many positions each row trains."""
        return self.stop - self.trained


def every_position(train: Interactions, width: int, *, first: bool) -> Rows:
    """Rows that train each position of each sequence once.

    A sequence with more than ``width`` positions is cut into windows, the last of them full.

    Args:
        train: the training events.
        width: the most positions of a row.
        first: also predict each user's first event, from padding alone.
    """
    offsets = train.offsets()
    begin, last = offsets[:-1], offsets[1:] - 1
    low = begin - 1 if first else begin
    count = np.maximum(-(-(last - low) // width), 0)
    owner = np.repeat(np.arange(len(begin)), count)
    window = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    stop = last[owner] - window * width
    trained = np.maximum(low[owner], stop - width)
    return Rows(np.maximum(trained, begin[owner]), trained, stop)


def prefixes(train: Interactions, width: int) -> Rows:
    """One row for each event but a user's first: it shows up to ``width`` events before it."""
    offsets = train.offsets()
    begin = np.repeat(offsets[:-1], np.diff(offsets))
    stop = np.flatnonzero(np.arange(len(begin)) > begin)
    return Rows(np.maximum(begin[stop], stop - width), stop - 1, stop)


def batches(rows: Rows, size: int, rng: np.random.Generator, *, alike: bool) -> Iterator[Index]:
    """Shuffled batches of row numbers, each with the positions of ``size`` average rows.

    With ``alike`` rows of like width come together, gathered from a pool of ``POOL`` batches, so
    that little of a batch is padding. Batches are equal in trained positions, not in rows: a mean
    over a batch then weighs each position alike, however long its row.
    """
    targets = rows.targets()
    budget = size * float(targets.mean())
    order = rng.permutation(len(rows))
    if alike:
        pool = (np.cumsum(targets[order]) - 1) // (budget * POOL)
        order = order[np.lexsort((rows.widths()[order], pool))]
    group = (np.cumsum(targets[order]) - 1) // budget
    parts = np.split(order, np.flatnonzero(np.diff(group)) + 1)
    for number in rng.permutation(len(parts)):
        yield parts[number]


def left_padded(events: NDArray[np.int32], rows: Rows, width: int) -> tuple[Index, Index]:
    """What rows show and what they train, the last position in the last column.

    Args:
        events: int32[n], the items of all users' events.
        rows: r rows.
        width: columns.

    Returns:
        int64[r, width], the items shown, 0 where padded; and int64[r, width], the targets, 0 where
        a position is not trained.
    """
    position = rows.stop[:, None] - width + np.arange(width)
    shown = position >= rows.shown[:, None]
    trained = position >= rows.trained[:, None]
    history = np.where(shown, events[np.where(shown, position, 0)], 0)
    target = np.where(trained, events[np.where(trained, position + 1, 0)], 0)
    return history.astype(np.int64), target.astype(np.int64)
