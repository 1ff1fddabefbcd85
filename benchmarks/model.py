"""A model that costs nothing to fit: random vectors, for whoever measures the harness around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmbench import EmbeddingModel, Interactions, Queries, hookimpl
from mmbench.views import Float32


@dataclass(frozen=True)
class Config:
    """The width of a vector."""

    dim: int = 64


class RandomVectors(EmbeddingModel):
    """A query is its last item."""

    Config = Config
    presets: ClassVar = {"paper": Config()}

    def __init__(self, config: Config) -> None:
        self.config = config

    @hookimpl
    def fit(self, train: Interactions) -> None:
        rng = np.random.default_rng(0)
        self.table = rng.standard_normal((train.n_items + 1, self.config.dim), dtype=np.float32)

    @hookimpl
    def embed_items(self) -> dict[str, Float32]:
        return {"fused": self.table}

    @hookimpl
    def embed_queries(self, queries: Queries) -> dict[str, Float32]:
        return {"fused": self.table[queries.history[:, -1]]}
