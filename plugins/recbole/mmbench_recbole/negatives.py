"""Sampled negatives for the losses that compare two items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmbench import Interactions

ROUNDS = 50  # a user who has had nearly all items keeps a bad draw after so many tries


class Negatives:
    """Items drawn evenly from those that a user has not had in training."""

    def __init__(self, train: Interactions) -> None:
        self.n_items = train.n_items
        self.had = np.unique(self._key(train.user, train.item))

    def _key(self, user: NDArray, item: NDArray) -> NDArray[np.int64]:
        key: NDArray[np.int64] = user.astype(np.int64) * (self.n_items + 1) + item
        return key

    def draw(self, user: NDArray, rng: np.random.Generator) -> NDArray[np.int64]:
        """int64, one item for each entry of ``user`` (``0..n_users-1``)."""
        item = rng.integers(1, self.n_items + 1, size=len(user))
        for _ in range(ROUNDS):
            bad = np.flatnonzero(self._had(user, item))
            if not len(bad):
                break
            item[bad] = rng.integers(1, self.n_items + 1, size=len(bad))
        return item

    def _had(self, user: NDArray, item: NDArray) -> NDArray[np.bool_]:
        key = self._key(user, item)
        place = np.minimum(np.searchsorted(self.had, key), len(self.had) - 1)
        found: NDArray[np.bool_] = self.had[place] == key
        return found
