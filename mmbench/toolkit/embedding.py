"""A base for models whose scores are inner products of query and item vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmbench.hookspecs import hookimpl
from mmbench.views import Float32, Queries, Vectors


class EmbeddingModel:
    """Gives ``score`` to a model that has ``embed_items`` and ``embed_queries``.

    A score is the inner product of both in the space ``fused``; make the vectors of unit length for
    a cosine. Query vectors are handed to the harness chunk by chunk and item vectors once, and it
    multiplies and ranks in blocks, so that a million items need no matrix of scores::

        class Mine(EmbeddingModel):
            @hookimpl
            def fit(self, train, items, run): ...

            @hookimpl
            def embed_items(self): return {"fused": self.table}  # float32[n_items + 1, d]

            @hookimpl
            def embed_queries(self, queries): return {"fused": self.encode(queries.history)}
    """

    @hookimpl
    def embed_items(self, *_: Any, **__: Any) -> Mapping[str, Float32]:
        """``embed_items(self)`` or ``embed_items(self, items)``: see ``ModelHooks``.

        Raises NotImplementedError where the model has none of its own.
        """
        raise NotImplementedError(f"{type(self).__name__} has no embed_items")

    @hookimpl
    def embed_queries(self, *_: Any, **__: Any) -> Mapping[str, Float32]:
        """``embed_queries(self, queries)``: see ``ModelHooks``.

        Raises NotImplementedError where the model has none of its own.
        """
        raise NotImplementedError(f"{type(self).__name__} has no embed_queries")

    @hookimpl
    def score(self, queries: Queries) -> Vectors:
        """The queries' vectors, to be multiplied by the items'."""
        return Vectors(self.embed_queries(queries=queries)["fused"])
