"""What a history itself recommends: the yardstick where people buy the same again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mmbench import Interactions, Items, Queries, hookimpl


@dataclass(frozen=True)
class RepeatConfig:
    """Nothing to set."""


class RepeatLast:
    """The history's items first, the last one foremost, then all others by popularity."""

    Config = RepeatConfig
    presets: ClassVar = {"paper": RepeatConfig()}
    needs: frozenset[str] = frozenset()
    draws = False
    known_failures: ClassVar = {
        "learns_which_item_follows_which": "it answers the history again and knows no order"
    }

    def __init__(self, config: RepeatConfig) -> None:
        self.config = config

    @hookimpl
    def fit(self, train: Interactions) -> None:
        """Count the items."""
        self.counts = np.bincount(train.item, minlength=train.n_items + 1).astype(np.float32)

    @hookimpl
    def keep(self) -> dict[str, NDArray[np.float32]]:
        return {"counts": self.counts}

    @hookimpl
    def restore(self, arrays: dict[str, NDArray[np.float32]]) -> None:
        self.counts = arrays["counts"]

    @hookimpl
    def transfer(self, items: Items) -> None:
        """Of other items the history alone is known."""
        self.counts = np.zeros(items.n_items + 1, np.float32)

    @hookimpl
    def score(self, queries: Queries) -> NDArray[np.float32]:
        """float32[b, n_items]: training events of an item; above all, the place in the history."""
        top = self.counts.max() + 1
        scores = np.tile(self.counts, (len(queries), 1))
        everyone = np.arange(len(queries))
        for age, items in enumerate(queries.history.T):  # later events write over earlier ones
            scores[everyone, items] = top + age
        return scores[:, 1:]
