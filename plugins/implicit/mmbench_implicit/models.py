"""The plugin's models. Importing this module loads neither scipy nor implicit; fitting does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmbench import EmbeddingModel, Interactions, Queries, Run, hookimpl

Float32 = NDArray[np.float32]


class _Positive:
    """Refuses settings that are not above 0."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if value <= 0:
                raise ValueError(f"{field.name} is {value}; it must be above 0")


@dataclass(frozen=True)
class ALSConfig(_Positive):
    """Weighted matrix factorisation.

    Attributes:
        dim: factors of users and items.
        alpha: confidence in an event; that of no event is 1.
        regularization: weight of the squared factors.
        epochs: passes over users and items.
        max_history: events of a history that are read.
    """

    dim: int = 64
    alpha: float = 1.0
    regularization: float = 0.01
    epochs: int = 15
    max_history: int = 50


@dataclass(frozen=True)
class UserKNNConfig(_Positive):
    """User-based nearest neighbours.

    Attributes:
        neighbours: users that are asked.
        max_history: events of a history that are read.
    """

    neighbours: int = 100
    max_history: int = 50


class ALS(EmbeddingModel):
    """Matrix factorisation for implicit feedback by alternating least squares (``implicit``'s)."""

    Config = ALSConfig
    presets: ClassVar = {"paper": ALSConfig()}
    needs: frozenset[str] = frozenset()
    loss = "weighted squared error over all users and items"
    known_failures: ClassVar = {"learns_which_item_follows_which": "it knows no order"}

    def __init__(self, config: ALSConfig) -> None:
        self.config = config

    @hookimpl
    def fit(self, train: Interactions, run: Run) -> None:
        from threadpoolctl import threadpool_limits

        from mmbench_implicit.baskets import of_users

        config = self.config
        self.n_items = train.n_items
        with threadpool_limits(1, "blas"):  # it divides the work among threads itself
            from implicit.cpu.als import AlternatingLeastSquares

            self.model: Any = AlternatingLeastSquares(
                factors=config.dim,
                alpha=config.alpha,
                regularization=config.regularization,
                iterations=config.epochs,
                random_state=run.seed,
            )
            self.model.fit(
                of_users(train),
                show_progress=False,
                callback=lambda epoch, *_: run.progress(epoch + 1, config.epochs, "epochs"),
            )

    @hookimpl
    def keep(self) -> Mapping[str, Any]:
        """The items' factors: users are solved for."""
        return {"items": self.model.item_factors}

    @hookimpl
    def restore(self, arrays: Mapping[str, Any], train: Interactions) -> None:
        from threadpoolctl import threadpool_limits

        config, self.n_items = self.config, train.n_items
        with threadpool_limits(1, "blas"):  # as in fit
            from implicit.cpu.als import AlternatingLeastSquares

            self.model = AlternatingLeastSquares(
                factors=config.dim, alpha=config.alpha, regularization=config.regularization
            )
        self.model.item_factors = arrays["items"]

    @hookimpl
    def embed_items(self) -> Mapping[str, Float32]:
        """The items' factors, a row of zeros for padding."""
        return {"fused": np.pad(self.model.item_factors, ((1, 0), (0, 0)))}

    @hookimpl
    def embed_queries(self, queries: Queries) -> Mapping[str, Float32]:
        """Factors of the histories, solved for exactly: users are told by what they had."""
        from mmbench_implicit.baskets import of_histories

        asked = of_histories(queries.history[:, -self.config.max_history :], self.n_items)
        found: Float32 = self.model.recalculate_user(np.arange(len(queries)), asked)
        return {"fused": found.astype(np.float32)}


class UserKNN:
    """What the users had whose items are most like the history's."""

    Config = UserKNNConfig
    presets: ClassVar = {"paper": UserKNNConfig()}
    needs: frozenset[str] = frozenset()
    draws = False

    def __init__(self, config: UserKNNConfig) -> None:
        self.config = config

    @hookimpl
    def fit(self, train: Interactions) -> None:
        from mmbench_implicit.baskets import of_users

        self.baskets = of_users(train)

    @hookimpl
    def keep(self) -> Mapping[str, Any]:
        """Nothing: the neighbours are those of the training events."""
        return {}

    @hookimpl
    def restore(self, train: Interactions) -> None:
        self.fit(train)

    @hookimpl
    def score(self, queries: Queries) -> Float32:
        """Summed cosines; what no neighbour had is 0, all tied."""
        from mmbench_implicit.baskets import of_histories
        from mmbench_implicit.neighbours import rate

        history = queries.history[:, -self.config.max_history :]
        asked = of_histories(history, self.baskets.shape[1])
        return rate(asked, self.baskets, queries.user, self.config.neighbours)
