"""The plugin's model. Importing this module loads no torch; fitting does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmbench import Interactions, Items, Queries, Run, hookimpl, vlm
from mmbench.toolkit.training import seeded
from mmbench_pixrec.configs import PRESETS, PixRecConfig
from mmbench_pixrec.papers import PIXREC
from mmbench_pixrec.windows import last_events

if TYPE_CHECKING:
    from mmbench_pixrec.generator import Generator

Float32 = NDArray[np.float32]


class PixRec:
    """Writes the next item's text after a history of texts and pictures, and matches it."""

    Config = PixRecConfig
    presets: ClassVar = PRESETS
    stand_ins = ("tiny",)
    papers: ClassVar = PIXREC
    loss = "CE on the tokens of the target's text, and InfoNCE in the batch"

    def __init__(self, config: PixRecConfig) -> None:
        self.config = config

    @staticmethod
    def needs(config: PixRecConfig) -> frozenset[str]:
        """Text, and pictures unless the config only reads."""
        return frozenset({"text", "image"} if config.images else {"text"})

    @staticmethod
    def pretrained(config: PixRecConfig) -> tuple[str, ...]:
        """The backbones, but for tiny models."""
        return vlm.sources(*config.each())

    @hookimpl
    def fetch(self, cache: Path) -> None:
        for config in self.config.each():
            vlm.fetch(config, cache)

    @hookimpl
    def fit(self, train: Interactions, items: Items, run: Run) -> None:
        from mmbench_pixrec.generator import Generator

        self.asked = self.escalated = 0
        self.larger: Generator | None = None
        fitted: list[Generator] = []
        with seeded(run):
            for number, config in enumerate(self.config.each()):
                own = replace(run, scratch=run.scratch / f"backbone-{number}")
                self.generator = Generator(config, train, items, own)  # it validates by itself
                self.generator.fit(train)
                fitted.append(self.generator)
        self.generator, *rest = fitted
        if rest:
            self.larger = rest[0]
            self.asked = self.escalated = 0
            run.validate(limit=self.config.validate_limit or None)
            run.log(self.config.epochs, escalated=self.escalated / max(self.asked, 1))

    @hookimpl
    def score(self, queries: Queries) -> Float32:
        histories = last_events(queries.history, self.config.window)
        scores = np.zeros((len(queries), len(self.generator.row)), np.float32)
        unsure = []
        for number, drafts in enumerate(self.generator.draft(histories)):
            scores[number] = self.generator.rank(histories[number], drafts)
            if self.larger is not None and not self.generator.sure(drafts):
                unsure.append(number)
        if self.larger is not None and unsure:
            answers = self.larger.draft([histories[number] for number in unsure])
            for number, drafts in zip(unsure, answers, strict=True):
                scores[number] = self.larger.rank(histories[number], drafts)
        self.asked += len(queries)
        self.escalated += len(unsure)
        return scores

    @hookimpl
    def transfer(self, items: Items) -> None:
        """Write on, and match what is written with other items, of which none is popular yet."""
        for generator in (self.generator, self.larger):
            if generator is not None:
                generator.show(items, np.zeros(items.n_items, np.int64))

    @hookimpl
    def embed_items(self) -> Mapping[str, Float32]:
        """The target tower's projections of items that stand alone, zeros for padding."""
        return {"fused": (self.larger or self.generator).catalogue}
