"""A third party's model: what followed the last item most often, then what is popular."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from mmbench import hookimpl


@dataclass(frozen=True)
class SuccessorConfig:
    popularity: float = 0.01


class Successor:
    Config = SuccessorConfig
    presets = {"paper": SuccessorConfig()}
    needs = frozenset()

    def __init__(self, config):
        self.config = config

    @hookimpl
    def fit(self, train, run):
        size = train.n_items + 1
        follows = train.user[1:] == train.user[:-1]
        pairs = (train.item[:-1][follows], train.item[1:][follows])
        ones = np.ones(len(pairs[0]), dtype=np.float32)
        self.next = sparse.csr_matrix((ones, pairs), shape=(size, size))
        counts = np.bincount(train.item, minlength=size).astype(np.float32)
        self.popular = self.config.popularity * counts / counts.max()
        run.log(0, **{"valid ndcg@10": run.validate()})

    @hookimpl
    def score(self, queries):
        return (self.next[queries.history[:, -1]].toarray() + self.popular)[:, 1:]
