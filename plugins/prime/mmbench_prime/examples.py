"""What the ranker is trained on: prefixes of sequences, and items that stand beside the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench import Interactions

Int32 = NDArray[np.int32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """A history, oldest first, and the item that came next."""

    history: tuple[int, ...]
    target: int


def make_examples(train: Interactions, shortest: int, most: int, max_history: int) -> list[Example]:
    """All prefixes of at least ``shortest`` events; of a shorter sequence the whole of it.

    Args:
        train: the training events. Users with one event give nothing.
        shortest: events of a prefix, its target among them.
        most: prefixes of a user, the last ones; 0 for all.
        max_history: events of a history that are kept.
    """
    examples = []
    for items in train.sequences():
        ends = list(range(min(shortest, len(items)), len(items) + 1)) if len(items) > 1 else []
        for end in ends[-most:]:
            history = items[max(end - 1 - max_history, 0) : end - 1]
            examples.append(Example(tuple(history.tolist()), int(items[end - 1])))
    return examples


def popularity_weights(train: Interactions) -> Float64:
    """float64[n_items]: an item's training events and one more."""
    return 1.0 + np.bincount(train.item, minlength=train.n_items + 1)[1:].astype(np.float64)


def draw_negatives(
    weights: Float64, count: int, barred: Sequence[int], rng: np.random.Generator
) -> Int32:
    """Items drawn one after the other, without replacement, each as likely as its weight.

    The smallest of exponential variates with these rates are such a draw (Efraimidis and
    Spirakis, 2006).

    Args:
        weights: float64[n_items], above 0.
        count: how many; fewer where the catalogue has no more.
        barred: items that are not drawn.
        rng: the chance.

    Returns:
        int32[k], in the order of the draw.
    """
    arrival = rng.standard_exponential(len(weights)) / weights
    arrival[np.array(barred, dtype=np.int64) - 1] = np.inf
    count = min(count, int(np.isfinite(arrival).sum()))
    first = np.argpartition(arrival, count - 1)[:count] if count else np.zeros(0, np.int64)
    return (1 + first[np.argsort(arrival[first])]).astype(np.int32)
