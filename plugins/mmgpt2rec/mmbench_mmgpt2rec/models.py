"""The model. Importing this module loads no torch; fitting does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from mmbench_content.configs import SMALL_IMAGE, SMALL_TEXT
from numpy.typing import NDArray

from mmbench import EmbeddingModel, Interactions, Items, Queries, Run, Vectors, hookimpl
from mmbench.toolkit.training import seeded
from mmbench_mmgpt2rec import configs, features
from mmbench_mmgpt2rec.blocks import Block, Features, learn_block
from mmbench_mmgpt2rec.papers import PAPERS

if TYPE_CHECKING:
    from mmbench_mmgpt2rec.network import Catalogue, GPT2Rec, View

Float32 = NDArray[np.float32]

TEXT_SHARE = 0.75  # of an item's vector; pictures have the rest
# seconds, measured: to start; of an event in an epoch, at least and for each weight of a layer's
# square; of an item in an encoder. Training stops after so many epochs, or about.
STARTED, READ, MULTIPLIED, EPOCHS = 5.0, 3e-5, 1e-9, 25
ENCODED = {SMALL_TEXT: 0.008, SMALL_IMAGE: 0.05}


class MMGPT2Rec(EmbeddingModel):
    """GPT-2 whose words are items, each a vector fused from its title and its picture."""

    Config = configs.MMGPT2RecConfig
    presets: ClassVar = configs.PRESETS
    stand_ins = ("tiny",)
    papers = PAPERS
    loss = "softmax CE over the catalogue (a sample of it above config.sampled_above items)"
    network: GPT2Rec
    run: Run
    encoders: Mapping[str, features.Encoder]
    blocks: Mapping[str, Block]

    def __init__(self, config: configs.MMGPT2RecConfig) -> None:
        self.config = config

    @staticmethod
    def needs(config: configs.MMGPT2RecConfig) -> frozenset[str]:
        """The modalities that an item's vector is made of."""
        texts = {"text"} if config.reads_text else set()
        return frozenset(texts | ({"image"} if config.reads_image else set()))

    @staticmethod
    def pretrained(config: configs.MMGPT2RecConfig) -> tuple[str, ...]:
        """GPT-2's weights, unless they are random, and the encoders'."""
        backbone = () if config.backbone == configs.RANDOM else (config.backbone,)
        return backbone + features.sources(config)

    @staticmethod
    def seconds(config: configs.MMGPT2RecConfig) -> dict[str, float]:
        """About how long a cell takes on two cores; nothing is known of pretrained weights."""
        if config.backbone != configs.RANDOM:
            return {}
        position = READ + MULTIPLIED * config.layers * config.dim**2
        encoders = sum(ENCODED.get(source, 0.0) for source in features.sources(config))
        return {"event": EPOCHS * position, "item": encoders, "cell": STARTED}

    @hookimpl
    def fetch(self, cache: Path) -> None:
        """Download what the config names."""
        features.fetch(self.pretrained(self.config), cache)

    @hookimpl
    def fit(self, train: Interactions, items: Items, run: Run) -> None:
        """Encode the items once, then train the table's weights and GPT-2 together."""
        from mmbench_mmgpt2rec.backbone import load_gpt2
        from mmbench_mmgpt2rec.network import GPT2Rec
        from mmbench_mmgpt2rec.training import train as train_network

        config, self.run = self.config, run
        self.encoders = {}
        if config.reads_text:
            self.encoders |= {"text": features.text_encoder(items, config, run)}
        if config.reads_image:
            self.encoders |= {"image": features.image_encoder(config, run)}
        with seeded(run):
            gpt2, deviation = load_gpt2(config, run.cache)
            made = {name: encode(items) for name, encode in self.encoders.items()}
            self.blocks = {
                name: learn_block(one, self._width(name, gpt2.config.n_embd), deviation)
                for name, one in made.items()
            }
            self.network = GPT2Rec(gpt2, self._catalogue(made), config).to(run.device)
            train_network(self.network, train, config, run)

    @hookimpl
    def keep(self) -> Mapping[str, object]:
        from mmbench.toolkit.keeping import pack_module

        return pack_module(self.network)

    @hookimpl
    def restore(self, arrays: Mapping[str, NDArray], items: Items, run: Run) -> None:
        """The items are encoded again, as in ``fit``; what was trained is among the arrays."""
        from mmbench.toolkit.keeping import unpack_module
        from mmbench_mmgpt2rec.backbone import load_gpt2
        from mmbench_mmgpt2rec.network import GPT2Rec

        config, self.run = self.config, run
        self.encoders = {}
        if config.reads_text:
            self.encoders |= {"text": features.text_encoder(items, config, run)}
        if config.reads_image:
            self.encoders |= {"image": features.image_encoder(config, run)}
        with seeded(run):
            gpt2, deviation = load_gpt2(config, run.cache)
            made = {name: encode(items) for name, encode in self.encoders.items()}
            self.blocks = {
                name: learn_block(one, self._width(name, gpt2.config.n_embd), deviation)
                for name, one in made.items()
            }
            self.network = GPT2Rec(gpt2, self._catalogue(made), config).to(run.device)
        unpack_module(self.network, arrays)

    def _width(self, modality: str, width: int) -> int:
        """The places of a modality in an item's vector: three quarters for text, else all."""
        if len(self.encoders) < 2:
            return width
        text = int(TEXT_SHARE * width)
        return text if modality == "text" else width - text

    def _catalogue(self, made: Mapping[str, Features]) -> Catalogue:
        """The standardised features; of a modality that is not read there are no columns."""
        from mmbench_mmgpt2rec.network import Catalogue

        size = len(next(iter(made.values())).known)
        none = np.zeros((size, 0), np.float32)
        placed = {name: self.blocks[name].apply(one) for name, one in made.items()}
        shown = made["image"].known if "image" in made else np.ones(size, bool)
        return Catalogue(placed.get("text", none), placed.get("image", none), shown)

    @hookimpl
    def transfer(self, items: Items) -> None:
        """Vectors of another catalogue, by the same encoders, standardisation and fusion."""
        made = {name: encode(items) for name, encode in self.encoders.items()}
        self.network.forget_items()
        self.network.show(self._catalogue(made))

    @hookimpl
    def embed_items(self) -> Mapping[str, Float32]:
        """The tied table; ``text`` and ``image`` are what either modality alone makes of an item.

        A row of zeros for padding.
        """
        return {view: self._table(view) for view in self._views()}

    @hookimpl
    def embed_queries(self, queries: Queries) -> Mapping[str, Float32]:
        """States of histories; for ``text`` and ``image`` of histories that are told by one."""
        return {view: self._states(view, queries) for view in self._views()}

    @hookimpl
    def score(self, queries: Queries) -> Vectors:
        """The states of histories, to be multiplied by the items' vectors."""
        return Vectors(self._states("fused", queries))

    def _views(self) -> tuple[View, ...]:
        """What items are told by; a modality alone where there are two."""
        return ("fused", "text", "image") if len(self.encoders) > 1 else ("fused",)

    def _table(self, view: View) -> Float32:
        from mmbench_mmgpt2rec.network import padded

        with self.network.eval().seen_as(view):
            return padded(self.network.table())

    def _states(self, view: View, queries: Queries) -> Float32:
        from mmbench_sequential.scoring import embed

        with self.network.seen_as(view):
            found: Float32 = embed(self.network, queries.history, self.run.device).cpu().numpy()
        return found
