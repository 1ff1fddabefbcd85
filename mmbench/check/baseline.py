"""What can be had on a log without learning anything of its order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mmbench.grid.question import Question
from mmbench.protocol import Asked, CandidateSet, evaluate
from mmbench.protocol.metrics import Float64, per_query
from mmbench.views import Answer


def best_guess(question: Question, chosen: CandidateSet) -> Float64:
    """float64[q]: the ndcg@10 that each query has by popularity, or by chance.

    It is the one of the two that has more on average. (A constant score, which ties make chance.)
    """
    train, fold = question.split.train, question.split.test
    counts = np.bincount(train.item, minlength=train.n_items + 1)[1:].astype(np.float32)

    def rate(weights: np.ndarray) -> Float64:
        def ask(kind: Asked, slices: Sequence[slice]) -> Iterator[Answer]:
            for rows in slices:
                yield np.tile(weights, (rows.stop - rows.start, 1))

        ranks = evaluate(fold, train.n_items, ask, question.protocol, sets=(chosen,))
        return per_query("ndcg@10", ranks.greater[chosen.name], ranks.equal[chosen.name])

    return max(rate(counts), rate(np.zeros_like(counts)), key=np.mean)
