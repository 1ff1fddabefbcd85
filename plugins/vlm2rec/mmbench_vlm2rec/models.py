"""The model. Importing this module loads no torch; fitting does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmbench import Interactions, Items, Products, Queries, Run, hookimpl, vlm
from mmbench.toolkit.training import seeded
from mmbench_vlm2rec import configs
from mmbench_vlm2rec.papers import PAPERS

if TYPE_CHECKING:
    from mmbench_vlm2rec.embedder import Embedder

Float32 = NDArray[np.float32]


class VLM2Rec:
    """A vision-language model that describes histories and items, and compares what it says."""

    Config = configs.Config
    presets: ClassVar = configs.PRESETS
    stand_ins = ("tiny",)
    papers = PAPERS
    loss = "WPCL and CRTR (InfoNCE in sft variants), negatives from the batch"
    processes = True
    embedder: Embedder
    catalogue: Products
    ranked: NDArray[np.intp]

    def __init__(self, config: configs.Config) -> None:
        self.config = config

    @staticmethod
    def needs(config: configs.Config) -> frozenset[str]:
        """What a variant reads: ``llm-...`` has no eyes."""
        return frozenset({"text"} if config.fusion == "text" else {"text", "image"})

    @staticmethod
    def pretrained(config: configs.Config) -> tuple[str, ...]:
        """The backbone, unless it is a tiny model."""
        return vlm.sources(config)

    @staticmethod
    def seconds(config: configs.Config) -> Mapping[str, float]:
        """About how long a cell takes on a CPU: an item is its title and its number in a prompt."""
        item = len(config.views) * (config.title_tokens + 12)
        history = config.max_history * item
        trained = config.training_tokens if config.trains else 0
        return vlm.seconds_for(config, trained=trained, item=item, user=2 * history)

    @hookimpl
    def fetch(self, cache: Path) -> None:
        """Download the backbone of the config."""
        vlm.fetch(self.config, cache)

    @hookimpl
    def fit(self, train: Interactions, items: Items, run: Run) -> None:
        """Adapt the backbone, and embed the catalogue."""
        from mmbench_vlm2rec.embedder import Embedder, texts_of
        from mmbench_vlm2rec.training import train_embedder

        with seeded(run):
            backbone = vlm.load_backbone(self.config, run, texts=texts_of(items), items=items)
            self.embedder = Embedder(backbone, self.config, items, run.encodings)
            if self.config.trains:
                some = self._drawn(items.n_items, run.seed)
                train_embedder(self.embedder, train, run, refresh=lambda: self.refresh(some))
                if some is None:
                    return
            self.refresh()

    @hookimpl
    def transfer(self, items: Items) -> None:
        """Read another catalogue with the same weights."""
        self.embedder.open(items)
        self.refresh()

    @hookimpl
    def score(self, queries: Queries) -> Float32:
        """Cosines of fused vectors, float32[b, n_items]; items of one content are tied."""
        rated = self.catalogue.rate(_unit(self.embedder.embed(_histories(queries), ())["fused"]))
        if len(self.ranked) == len(self.embedder.titles) - 1:
            return rated
        scores = np.full((len(rated), len(self.embedder.titles) - 1), -np.inf, np.float32)
        scores[:, self.ranked - 1] = rated
        return scores

    @hookimpl
    def embed_items(self) -> Mapping[str, Float32]:
        """``fused``, ``text`` and ``image`` (not in ``llm`` variants)."""
        return self.embedder.embed_catalogue(self.spaces)

    @hookimpl
    def embed_queries(self, queries: Queries) -> Mapping[str, Float32]:
        """The same spaces; ``text`` and ``image`` read one modality of the history alone."""
        return self.embedder.embed(_histories(queries), self.spaces)

    @property
    def spaces(self) -> tuple[configs.View, ...]:
        """The modalities that the config can read alone."""
        return ("text",) if self.config.fusion == "text" else ("text", "image")

    def refresh(self, ranked: NDArray[np.intp] | None = None) -> None:
        """Embed the catalogue, or some of its items, with the weights as they are.

        Args:
            ranked: the items that are retrieved from now on, ascending; ``None`` for all.
        """
        if ranked is None:
            ranked = np.arange(1, len(self.embedder.titles))
        vectors = self.embedder.embed([[item] for item in ranked.tolist()], ())["fused"]
        self.ranked, self.catalogue = ranked, Products(_unit(vectors))

    def _drawn(self, n_items: int, seed: int) -> NDArray[np.intp] | None:
        """The items of ``validate_items``; ``None`` where all are ranked."""
        count = self.config.validate_items
        if not 0 < count < n_items:
            return None
        return (
            np.sort(np.random.default_rng([seed, count]).choice(n_items, count, replace=False)) + 1
        )


def _histories(queries: Queries) -> list[Sequence[int]]:
    return [row[row > 0].tolist() for row in queries.history]


def _unit(vectors: Float32) -> Float32:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Float32 = vectors / np.maximum(lengths, np.float32(1e-12))
    return scaled
