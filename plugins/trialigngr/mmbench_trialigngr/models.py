"""The model. Importing this module loads no torch; fitting does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmbench import Interactions, Items, Queries, Run, hookimpl, vlm
from mmbench.toolkit import weights
from mmbench.toolkit.training import seeded
from mmbench_trialigngr import configs
from mmbench_trialigngr.answer import level_counts, rank_reached

if TYPE_CHECKING:
    from mmbench_trialigngr.writer import IdWriter

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]

COUNTED = ("tiny:", "tfidf", "colour-histogram")  # what names no weights


class TriAlignGR:
    """Writes the next item's semantic id, and learns from eight tasks between ids and texts."""

    Config = configs.TriAlignConfig
    presets: ClassVar = configs.PRESETS
    stand_ins = ("tiny",)
    per_set = True
    loss = "CE on the tokens of answers, tasks drawn uniformly"
    writer: IdWriter
    popularity: Float32

    def __init__(self, config: configs.TriAlignConfig) -> None:
        self.config = config

    @staticmethod
    def needs(config: configs.TriAlignConfig) -> frozenset[str]:
        """Texts, and pictures where something looks at them."""
        return frozenset({"text", "image"} if config.sees else {"text"})

    @staticmethod
    def pretrained(config: configs.TriAlignConfig) -> tuple[str, ...]:
        """The weights of all parts that the config uses."""
        parts = [*vlm.sources(config)]
        if config.captions:
            parts += vlm.sources(vlm.BackboneConfig(backbone=config.caption_backbone))
        if config.interests:
            parts += vlm.sources(vlm.BackboneConfig(backbone=config.interest_backbone))
        if config.embedding_backbone:
            parts += vlm.sources(vlm.BackboneConfig(backbone=config.embedding_backbone))
        else:
            images = (config.image_encoder,) if "image" in config.content else ()
            texts = (config.text_encoder,) if set(config.content) - {"image"} else ()
            parts += [name for name in (*texts, *images) if not name.startswith(COUNTED)]
        return tuple(dict.fromkeys(parts))

    @staticmethod
    def seconds(config: configs.TriAlignConfig) -> Mapping[str, float]:
        """About how long a cell takes on a CPU; an id is three tokens."""
        prompt, trained = 3 * config.max_history + 8, float(config.training_tokens)
        found = dict(vlm.seconds_for(config, trained=trained, item=0, user=2 * prompt))
        parts = []
        if config.captions:
            tokens = 2 * config.caption_tokens
            parts.append((config.caption_backbone, tokens, config.caption_items))
        if config.interests:
            tokens = 200 + config.interest_tokens
            parts.append((config.interest_backbone, tokens, config.interest_items))
        for backbone, tokens, most in parts:
            part = vlm.BackboneConfig(backbone=backbone)
            rates = vlm.seconds_for(part, trained=0, item=tokens, user=0)
            place, count = ("cell", most) if most else ("item", 1)
            if rates:
                found[place] = found.get(place, 0.0) + count * rates["item"]
        return found

    @hookimpl
    def fetch(self, cache: Path) -> None:
        """Download or convert all weights."""
        for source in self.pretrained(self.config):
            weights.fetch(source, cache)

    @hookimpl
    def fit(self, train: Interactions, items: Items, run: Run) -> None:
        """Make captions, interests and ids, where they are not kept already; train on the tasks."""
        from mmbench_trialigngr.catalogue import make_assets, make_ids, make_vectors
        from mmbench_trialigngr.draws import draw_tasks
        from mmbench_trialigngr.writer import IdWriter, Objective

        config = self.config
        counts = np.bincount(train.item, minlength=items.n_items + 1)[1:]
        self.popularity = level_counts(counts)
        with seeded(run):
            assets = make_assets(config, items, train, run)
            ids = make_ids(config, make_vectors(config, items, assets, run), run)
            self.writer = writer = IdWriter(config, assets, ids, run)
            draws = draw_tasks(config.tasks, train, writer.told, config.max_history, run.seed)
            vlm.train(
                Objective(writer.backbone),
                draws,
                lambda chosen, rng: writer.batch(chosen),
                config,
                run,
                lengths=[len(writer.encode(draw)) for draw in draws],
            )

    @hookimpl
    def score(self, queries: Queries, candidates: Int32, excluded: Int32) -> Float32:
        """Log-probabilities of ids, float32[b, c]; what no beam reached stands after that.

        The catalogue is searched; few candidates are rated each.
        """
        histories = [row[row > 0].tolist() for row in queries.history]
        few = candidates.shape[1] < len(self.popularity)
        if few or self.config.exact:
            return self.writer.rate(histories, candidates if few else None)
        items, scores = self.writer.search(histories, excluded)
        return rank_reached(items, scores, self.popularity)
