"""The plugin's model. Importing this module loads no torch; fitting does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmbench import Interactions, Items, Queries, Run, hookimpl, vlm
from mmbench_pixrec.configs import PRESETS, Config
from mmbench_pixrec.papers import PIXREC
from mmbench_pixrec.windows import last_events

if TYPE_CHECKING:
    from mmbench_pixrec.generator import Generator

Float32 = NDArray[np.float32]


class PixRec:
    """Writes the next item's text after a history of texts and pictures, and matches it."""

    Config = Config
    presets: ClassVar = PRESETS
    papers: ClassVar = PIXREC
    loss = "CE on the tokens of the target's text, and InfoNCE in the batch"

    def __init__(self, config: Config) -> None:
        self.config = config

    @staticmethod
    def needs(config: Config) -> frozenset[str]:
        """Text, and pictures unless the config only reads."""
        return frozenset({"text", "image"} if config.images else {"text"})

    @hookimpl
    def fetch(self, cache: Path) -> None:
        for config in self._configs():
            vlm.fetch(config, cache)

    @hookimpl
    def fit(self, train: Interactions, items: Items, run: Run) -> None:
        from mmbench_pixrec.generator import Generator

        self.asked = self.escalated = 0
        fitted: list[Generator] = []
        with vlm.seeded(run):
            for number, config in enumerate(self._configs()):
                own = replace(run, scratch=run.scratch / f"backbone-{number}")
                self.generators = [Generator(config, train, items, own)]  # it validates by itself
                self.generators[0].fit(train)
                fitted += self.generators
        self.generators = fitted
        if len(fitted) > 1:
            self.asked = self.escalated = 0
            run.validate(limit=self.config.validate_limit or None)
            run.log(self.config.epochs, escalated=self.escalated / self.asked)

    @hookimpl
    def score(self, queries: Queries) -> Float32:
        histories = last_events(queries.history, self.config.window)
        first = self.generators[0]
        scores = np.zeros((len(queries), len(first.row)), np.float32)
        unsure = []
        for number, drafts in enumerate(first.draft(histories)):
            scores[number] = first.rank(histories[number], drafts)
            if len(self.generators) > 1 and not first.sure(drafts):
                unsure.append(number)
        if unsure:
            larger = self.generators[1]
            answers = larger.draft([histories[number] for number in unsure])
            for number, drafts in zip(unsure, answers, strict=True):
                scores[number] = larger.rank(histories[number], drafts)
        self.asked += len(queries)
        self.escalated += len(unsure)
        return scores

    @hookimpl
    def transfer(self, items: Items) -> None:
        """Write on, and match what is written with other items, of which none is popular yet."""
        for generator in self.generators:
            generator.show(items, np.zeros(items.n_items, np.int64))

    @hookimpl
    def embed_items(self) -> Mapping[str, Float32]:
        """The target tower's projections of items that stand alone, zeros for padding."""
        return {"fused": self.generators[-1].catalogue}

    def _configs(self) -> list[Config]:
        """One for each backbone: what answers first, and where it routes to."""
        if self.config.larger is None:
            return [self.config]
        return [replace(self.config, retrieval="bm25", larger=None), self.config.at_larger()]
