"""A Markov chain of items, with back-off to popularity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mmbench import Interactions
from mmbench_content.configs import MarkovConfig
from mmbench_content.profiles import weigh

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Chain:
    """Interpolated absolute discounting (Ney, Essen and Kneser, 1994), order 1.

    With counts ``c(i, j)``, ``c(i) = sum_j c(i, j)`` and a discount ``D``::

        P(j | i) = max(c(i, j) - D, 0) / c(i) + backoff(i) P(j)
        backoff(i) = sum_j min(c(i, j), D) / c(i),  1 where c(i) = 0

    so that each row sums to 1. ``P(j)`` is an item's share of all events, each item counted once
    more, so that items without an event are possible too.

    Attributes:
        follows: float32[n_items + 1, n_items + 1], the first term.
        backoff: float32[n_items + 1].
        popularity: float32[n_items + 1], ``P(j)``; 0 for padding.
    """

    follows: sp.csr_array
    backoff: Float32
    popularity: Float32

    def rate(self, history: NDArray[np.int32], config: MarkovConfig) -> Float32:
        """float32[b, n_items]: ``P(j | history)``, the weighted mean over its last events.

        An empty history is answered by popularity.
        """
        n_items = len(self.popularity) - 1
        weights = weigh(history, n_items, config.max_history, config.decay)
        sums = weights.sum(axis=1)
        weights = sp.diags_array(1 / np.where(sums, sums, 1)) @ weights
        backoff = np.where(sums, weights @ self.backoff, 1).astype(np.float32)
        scores: Float32 = (weights @ self.follows).toarray()[:, 1:].astype(np.float32)
        scores += backoff[:, None] * self.popularity[1:]
        return scores


def count(train: Interactions, config: MarkovConfig) -> sp.csr_array:
    """float64[n_items + 1, n_items + 1]: how often the column's item came after the row's.

    Steps of ``l`` events count ``decay ** (l - 1)``, for ``l`` up to ``max_history``.
    """
    size = train.n_items + 1
    counts = sp.csr_array((size, size), dtype=np.float64)
    longest = int(np.bincount(train.user).max(initial=0))
    for lag in range(1, min(config.max_history, longest - 1) + 1):
        same = train.user[lag:] == train.user[:-lag]
        pairs = (train.item[:-lag][same], train.item[lag:][same])
        weight = np.full(len(pairs[0]), config.decay ** (lag - 1))
        counts = counts + sp.csr_array((weight, pairs), shape=(size, size))
    return counts


def learn(train: Interactions, config: MarkovConfig) -> Chain:
    """The chain of the training events."""
    counts = count(train, config)
    kept = counts.copy()
    kept.data = np.maximum(kept.data - config.discount, 0)
    kept.eliminate_zeros()
    total = counts.sum(axis=1)
    scale = 1 / np.where(total, total, 1)
    backoff = np.where(total, (total - kept.sum(axis=1)) * scale, 1)
    events = np.bincount(train.item, minlength=train.n_items + 1) + 1.0
    events[0] = 0
    return Chain(
        follows=sp.csr_array(sp.diags_array(scale) @ kept, dtype=np.float32),
        backoff=backoff.astype(np.float32),
        popularity=(events / max(events.sum(), 1)).astype(np.float32),
    )
