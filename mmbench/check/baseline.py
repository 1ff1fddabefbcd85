"""What can be had on a log without learning anything of its order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mmbench.grid.question import Question
from mmbench.protocol import Asked, CandidateSet, evaluate, summarise
from mmbench.views import Answer

MARGIN = 0.1
"""Of ndcg@10: the standard error over the queries of a check's world is about 0.03 at most."""


def best_guess(question: Question, chosen: CandidateSet) -> float:
    """ndcg@10 of the better of popularity and of a constant score, which ties make chance."""
    train, fold = question.split.train, question.split.test
    counts = np.bincount(train.item, minlength=train.n_items + 1)[1:].astype(np.float32)

    def rate(weights: np.ndarray) -> float:
        def ask(kind: Asked, slices: Sequence[slice]) -> Iterator[Answer]:
            for rows in slices:
                yield np.tile(weights, (rows.stop - rows.start, 1))

        ranks = evaluate(fold, train.n_items, ask, question.protocol, sets=(chosen,))
        return summarise(ranks, question.protocol)[chosen.name]["ndcg@10"]

    return max(rate(counts), rate(np.zeros_like(counts)))
