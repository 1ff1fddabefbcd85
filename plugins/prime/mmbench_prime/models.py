"""The model. Importing this module loads no torch; fitting does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench import Interactions, Items, Queries, Run, TopK, hookimpl, vlm
from mmbench.toolkit.training import seeded
from mmbench_prime import configs
from mmbench_prime.answer import may_be_recommended, merge
from mmbench_prime.papers import PAPERS

if TYPE_CHECKING:
    from mmbench_prime.ranker import Ranker
    from mmbench_prime.retriever import Retriever

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]


class Prime:
    """Retrieves a few items, ranks them with a vision-language model, and learns from that."""

    Config = configs.PrimeConfig
    presets: ClassVar = configs.PRESETS
    stand_ins = ("tiny",)
    papers = PAPERS
    per_set = True
    loss = "softmax CE of the retriever; CE of the label among candidates; odds ratio of sets"
    phase: Literal["retriever", "all"]
    retriever: Retriever
    ranker: Ranker

    def __init__(self, config: configs.PrimeConfig) -> None:
        self.config = config

    @staticmethod
    def needs(config: configs.PrimeConfig) -> frozenset[str]:
        """What is told of an item: its picture, its texts, or both."""
        texts = set(config.attributes) - {"image"}
        return frozenset(({"image"} if config.sees else set()) | ({"text"} if texts else set()))

    @staticmethod
    def pretrained(config: configs.PrimeConfig) -> tuple[str, ...]:
        """The ranker's backbone, unless it is a tiny model."""
        return vlm.sources(config)

    @hookimpl
    def fetch(self, cache: Path) -> None:
        """Download the backbone of the config."""
        vlm.fetch(self.config, cache)

    @hookimpl
    def fit(self, train: Interactions, items: Items, run: Run) -> None:
        """Train the retriever, then the ranker, then the retriever by the ranker's preference."""
        from mmbench_prime.preference import train_by_preference
        from mmbench_prime.ranker import Ranker
        from mmbench_prime.retriever import Retriever, train_retriever
        from mmbench_prime.runs import named
        from mmbench_prime.training import train_ranker

        config = self.config
        with seeded(run):
            self.phase = "retriever"
            self.retriever = Retriever(config, train.n_items, run.device)
            train_retriever(self.retriever, train, config, run)
            self.phase = "all"
            self.ranker = Ranker(config, items, run)
            if config.trained != "none":
                train_ranker(self.ranker, train, config, named(run, "ranker"), self._order)
            if config.preference_epochs:
                told = named(run, "preference")
                train_by_preference(self.retriever, self.ranker.rank, train, config, told)

    @hookimpl
    def score(self, queries: Queries, candidates: Int32, excluded: Int32) -> Float32 | TopK:
        """What was ranked first, then the retriever's order; float32[b, c].

        While the retriever is trained, its best items, all tied: see ``retriever.level_best``.
        """
        from mmbench_prime.ranker import Task
        from mmbench_prime.retriever import best_items, histories_of, level_best

        whole = self.retriever.rate(queries.history)
        if self.phase == "retriever":
            recall = self.config.retriever_recall
            return level_best(whole, recall) if recall else whole
        scores = np.take_along_axis(whole, candidates.astype(np.int64) - 1, axis=1)
        allowed = may_be_recommended(candidates, excluded)
        best = best_items(scores, allowed, self.config.topk)
        columns = [row[free[row]] for row, free in zip(best, allowed, strict=True)]
        histories = histories_of(queries.history, self.config.max_history)
        tasks = [
            Task(history, tuple(shown[row].tolist()))
            for history, shown, row in zip(histories, candidates, columns, strict=True)
        ]
        return merge(scores, columns, self.ranker.rank(tasks))

    def _order(self, history: Sequence[int], items: Sequence[int]) -> list[int]:
        """Items in the retriever's order."""
        from mmbench_prime.retriever import pad

        scores = self.retriever.rate(pad([history], self.config.retriever_history))[0]
        return sorted(items, key=lambda item: -scores[item - 1])
