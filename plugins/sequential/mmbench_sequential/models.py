"""The plugin's models. Importing this module loads no torch; fitting does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmbench import EmbeddingModel, Interactions, Items, Queries, Run, hookimpl
from mmbench.toolkit.training import seeded
from mmbench_sequential import papers
from mmbench_sequential.configs import (
    TASK2_GRU4REC,
    TASK2_SASREC,
    FMLPRecConfig,
    GRU4RecConfig,
    LRURecConfig,
    SASRecConfig,
)
from mmbench_sequential.upstream import transform

if TYPE_CHECKING:
    from mmbench_sequential.network import Network

Float32 = NDArray[np.float32]


class _Sequential(EmbeddingModel):
    """A model that returns inner products of a history's state and the items' vectors."""

    needs: frozenset[str] = frozenset()
    loss = "softmax CE over the catalogue (a sample of it above config.sampled_above items)"
    upstream = "init"
    network: Network
    device: str

    def __init__(self, config: Any) -> None:
        self.config = config

    def build(self, n_items: int) -> Network:
        """The untrained network."""
        raise NotImplementedError

    @hookimpl
    def fit(self, train: Interactions, items: Items, run: Run) -> None:
        from mmbench_sequential.training import train as train_network

        self.device = run.device
        with seeded(run):
            self.network = self.build(train.n_items)
            if self.config.init:
                self._start_from_upstream(items)
            self.network.to(run.device)
            train_network(self.network, train, self.config, run)

    @hookimpl
    def keep(self) -> Mapping[str, Any]:
        from mmbench.toolkit.keeping import pack_module

        return pack_module(self.network)

    @hookimpl
    def restore(self, arrays: Mapping[str, Any], train: Interactions, run: Run) -> None:
        import torch

        from mmbench.toolkit.keeping import unpack_module

        self.device, config = run.device, self.config
        with seeded(run):
            self.network = self.build(train.n_items)
            if config.init:  # of the shape that upstream gave; all of it is among the arrays
                self.network.start_from(
                    torch.from_numpy(arrays["items.vectors"]),
                    frozen=config.init_frozen,
                    scaled=False,
                    residual=config.init_residual,
                )
        unpack_module(self.network, arrays)
        self.network.to(run.device)

    def _start_from_upstream(self, items: Items) -> None:
        import torch

        if "init" not in items.features:
            raise ValueError(
                f"init={self.config.init} wants that model's item embeddings, and none came: "
                "run it with `mmbench run`, which runs that model first"
            )
        vectors = items.features["init"]
        known, config = len(self.network.items.weight), self.config
        if len(vectors) != known:
            raise ValueError(f"init has vectors of {len(vectors) - 1} items, not of {known - 1}")
        if not np.isfinite(vectors).all():
            raise ValueError("init has vectors that are not finite")
        fit = transform(vectors[1:], config.init_transform, config.init_components)
        self.network.start_from(
            torch.from_numpy(np.array(fit)),
            frozen=config.init_frozen,
            scaled=config.init_scaled,
            residual=config.init_residual,
        )

    @hookimpl
    def embed_items(self) -> Mapping[str, Float32]:
        """The tied item vectors (``lrurec``: with the item's bias), a row of zeros for padding."""
        table = self.network.eval().table().detach().cpu().numpy()
        return {"fused": np.pad(table, ((1, 0), (0, 0)))}

    @hookimpl
    def embed_queries(self, queries: Queries) -> Mapping[str, Float32]:
        """States whose inner products with ``embed_items`` are the scores."""
        from mmbench_sequential.scoring import embed

        return {"fused": embed(self.network, queries.history, self.device).cpu().numpy()}


class SASRecCE(_Sequential):
    """Causal self-attention over the history, trained with the whole catalogue's softmax."""

    Config = SASRecConfig
    presets: ClassVar = {
        "paper": SASRecConfig(),
        "task2": replace(TASK2_SASREC, init="vlm2rec"),
        "task2-ids": TASK2_SASREC,
    }
    papers: ClassVar = {
        "": papers.SASREC,
        "task2": papers.TASK2["VLM2Rec->SASRec"],
        "task2-ids": papers.TASK2["SASRec->SASRec"],
    }

    def build(self, n_items: int) -> Network:
        from mmbench_sequential.attention import SASRec

        return SASRec(n_items, self.config)


class GRU4RecCE(_Sequential):
    """A gated recurrent network over the history, trained with the whole catalogue's softmax."""

    Config = GRU4RecConfig
    presets: ClassVar = {
        "paper": GRU4RecConfig(),
        "task2": replace(TASK2_GRU4REC, init="vlm2rec"),
        "task2-ids": TASK2_GRU4REC,
    }
    papers: ClassVar = {
        "task2": papers.TASK2["VLM2Rec->GRU4Rec"],
        "task2-ids": papers.TASK2["GRU4Rec->GRU4Rec"],
    }

    def build(self, n_items: int) -> Network:
        from mmbench_sequential.recurrent import GRU4Rec

        return GRU4Rec(n_items, self.config)


class LRURec(_Sequential):
    """Linear recurrent units over the history: PRIME's retriever."""

    Config = LRURecConfig
    presets: ClassVar = {
        "paper": LRURecConfig(),
        "prime": replace(LRURecConfig(), dropout=0.6, weight_decay=0.0),
    }
    papers = papers.LRUREC

    def build(self, n_items: int) -> Network:
        from mmbench_sequential.lru import LRURec as LRUNetwork

        return LRUNetwork(n_items, self.config)


class FMLPRec(_Sequential):
    """Learned filters over the history in the frequency domain."""

    Config = FMLPRecConfig
    presets: ClassVar = {"paper": FMLPRecConfig()}
    papers = papers.FMLPREC

    def build(self, n_items: int) -> Network:
        from mmbench_sequential.filters import FMLPRec as FilterNetwork

        return FilterNetwork(n_items, self.config)
