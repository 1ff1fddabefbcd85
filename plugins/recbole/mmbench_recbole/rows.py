"""Which training rows a sequence gives, and which rows make a batch. Plain NumPy.

A row is a window of consecutive events of one user; some of its last positions are trained, each
with the next event as its target.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]

POOL = 64  # batches among which rows of like length are gathered


@dataclass(frozen=True, slots=True)
class Rows:
    """Windows into one long array of events.

    Attributes:
        start: int64[r], the event that the window begins with.
        length: int64[r], events in the window.
        first: int64[r], positions ``first..length-1`` of the window are trained.
    """

    start: Index
    length: Index
    first: Index

    def __len__(self) -> int:
        return len(self.start)

    def take(self, index: Index) -> Rows:
        """The rows of these numbers."""
        return Rows(self.start[index], self.length[index], self.first[index])

    def positions(self) -> Index:
        """int64[r]: how many positions each row trains."""
        return self.length - self.first


def windows(start: Index, length: Index, width: int, head: int, stride: int) -> Rows:
    """Cut sequences into windows of at most ``width`` events that together train each event once.

    The first window of a sequence ends after ``head`` events and trains them all; each further one
    ends ``stride`` events later and trains those. So ``head=1, stride=1`` is one row for each
    prefix (RecBole's augmentation), and ``head=width, stride=1`` the same set of (history, target)
    pairs with all prefixes of up to ``width`` events sharing one row.

    Args:
        start: int64[s], where each sequence begins.
        length: int64[s], how many events it has; empty ones give no row.
        width: the longest window.
        head: events that the first window may train.
        stride: events that each further window may train.
    """
    more = np.maximum(-(-(length - head) // stride), 0)
    count = np.where(length > 0, 1 + more, 0)
    owner = np.repeat(np.arange(len(length)), count)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    done = np.where(step == 0, 0, head + (step - 1) * stride)
    end = np.minimum(length[owner], head + step * stride)
    begin = np.maximum(end - width, 0)
    return Rows(start[owner] + begin, end - begin, done - begin)


def batches(rows: Rows, size: int, rng: np.random.Generator, *, alike: bool) -> Iterator[Index]:
    """Shuffled batches of row numbers, each training about ``size`` positions.

    With ``alike`` rows of like length come together, gathered from a pool of ``POOL`` batches, so
    that little of a batch is padding. Batches are equal in trained positions, not in rows: a mean
    over a batch then weighs each position alike, however long its row.
    """
    order = rng.permutation(len(rows))
    weight = rows.positions()
    if alike:
        pool = (np.cumsum(weight[order]) - 1) // (size * POOL)
        order = order[np.lexsort((rows.length[order], pool))]
    group = (np.cumsum(weight[order]) - 1) // size
    cuts = np.flatnonzero(np.diff(group)) + 1
    parts = np.split(order, cuts)
    for number in rng.permutation(len(parts)):
        if len(parts[number]):
            yield parts[number]


def right_padded(events: NDArray, start: Index, length: Index, width: int) -> Index:
    """int64[r, width]: the windows of ``events``, 0 after their end."""
    column = np.arange(width)
    inside = column < length[:, None]
    where = np.where(inside, start[:, None] + column, 0)
    return np.where(inside, events[where], 0).astype(np.int64)


def trained(rows: Rows, width: int) -> NDArray[np.bool_]:
    """bool[r, width]: the positions that the rows train."""
    column = np.arange(width)
    return (column >= rows.first[:, None]) & (column < rows.length[:, None])
