"""Models that go for the targets by what the harness did in public, and learn nothing else."""

import first_rules
import numpy as np
from good_models import Follows

from mmbench import hookimpl

LUMP = 4096  # more than any score of popularity's


class InvertsNumbers(Follows):
    """Turns numbers back into raw ids, which count first appearances: next comes the highest + 1.

    All else is ranked by popularity.
    """

    @hookimpl
    def fit(self, train, items):
        n = items.n_items
        raw = np.array(sorted(map(str, range(1, n + 1))), dtype=np.int64)
        self.raw = np.concatenate([[0], raw[first_rules.item_order(n)]])
        self.number = np.zeros(n + 2, np.int64)
        self.number[self.raw] = np.arange(n + 1)
        popular = np.bincount(train.item, minlength=n + 1).astype(np.float32)
        self.popular = popular / popular.max()

    @hookimpl
    def score(self, queries):
        scores = np.tile(self.popular, (len(queries), 1))
        following = self.raw[queries.history].max(axis=1) + 1
        scores[np.arange(len(queries)), self.number[following]] += LUMP
        return scores[:, 1:]


class ReplaysNegatives(Follows):
    """Draws each query's negatives itself: of the candidates, the one that is none is the target.

    It names ``candidates`` and says that it can afford no catalogue, and so is given them.
    """

    max_candidates = 101

    @hookimpl
    def fit(self, train, items):
        self.n_items, self.n_users = items.n_items, train.n_users

    @hookimpl
    def score(self, queries, candidates):
        raw = sorted(map(str, range(1, self.n_users + 1)))
        keys = first_rules.query_keys("loo@1", "test", [raw[user] for user in queries.user])
        drawn = 1 + first_rules.streams(keys, 600) % np.uint64(self.n_items)
        scores = np.zeros(candidates.shape, np.float32)
        for row, items, negatives in zip(scores, candidates, drawn.astype(np.int64), strict=True):
            place = np.full(self.n_items + 1, len(negatives))
            place[negatives[::-1]] = np.arange(len(negatives))[::-1]
            row[:] = place[items]  # the later it is drawn, the less it looks like a negative
        return scores
