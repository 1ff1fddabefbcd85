"""RecBole's general models: they know users and items, not the order of events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import torch

from mmbench import Interactions, Queries, Run
from mmbench_recbole import shims
from mmbench_recbole.negatives import Negatives
from mmbench_recbole.shims import AbstractRecommender, AutoEncoderMixin
from mmbench_recbole.traditional import rate_by_similarity
from mmbench_recbole.users import settle
from mmbench_recbole.world import ITEM, LABEL, NEGATIVE, USER, World, interaction, to_answer

Feed = Literal["pairs", "labels", "users", "nothing"]
SCORING_ROWS = 1024


class General:
    """One RecBole general model, its training batches and its scores.

    Args:
        name: RecBole's class.
        settings: what its ``Config`` gets.
        feed: what a training batch holds: ``pairs`` (user, item, negative), ``labels`` (user, item,
            1 or 0, one negative for each event), ``users`` (autoencoders look the user's items up
            themselves), or ``nothing`` for models that are complete once built.
        batch_size: events, or users, in a batch.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        train: Interactions,
        run: Run,
        *,
        feed: Feed,
        batch_size: int,
    ) -> None:
        if not len(train.item):
            raise ValueError(f"{name} cannot learn: there is no training event")
        shims.seed_everything(run.seed)
        self.rng = np.random.default_rng(run.seed)
        self.device, self.batch_size, self.feed = run.device, batch_size, feed
        self.n_items, self.trainable = train.n_items, feed != "nothing"
        self.world = World(train, max_history=1)
        config = shims.make_config(name, {**settings, "train_batch_size": batch_size}, run.device)
        kind = shims.model_class(name)
        self.model = shims.make_model(kind, config, self.world)
        # CDAE also has a vector for each user, so it cannot be shown another history.
        self.by_history = issubclass(kind, AutoEncoderMixin) and name != "CDAE"
        self.negatives = Negatives(train)

    def ready(self) -> None:
        """Make the model fit for scoring after its weights changed."""
        settle(self.model, self.world)

    def epoch(self) -> Iterator[Any]:
        """The batches of one epoch."""
        users = np.unique(self.world.user)
        n = len(users) if self.feed == "users" else len(self.world)
        order = self.rng.permutation(n)
        for start in range(0, n, self.batch_size):
            index = order[start : start + self.batch_size]
            if self.feed == "users":
                yield interaction({USER: users[index]}, self.device)
            else:
                yield self.batch(index)

    def batch(self, index: np.ndarray) -> Any:
        """A RecBole batch of events, with sampled negatives."""
        user, item = self.world.user[index], self.world.item[index]
        negative = self.negatives.draw(user - 1, self.rng)
        if self.feed == "pairs":
            return interaction({USER: user, ITEM: item, NEGATIVE: negative}, self.device)
        label = np.repeat(np.array([1, 0], dtype=np.float32), len(index))
        both = {USER: np.tile(user, 2), ITEM: np.concatenate([item, negative]), LABEL: label}
        return interaction(both, self.device)

    def score(self, queries: Queries) -> np.ndarray:
        """float32[b, n_items].

        Models that rate by a user's items (autoencoders, item similarities) get the query's whole
        history, not the training items that RecBole keeps for them. The others go by the user's
        number; a user without a training event is the mean user. What RecBole multiplies is rounded
        as torch does it, which depends on the processor and on the batch.
        """
        self.model.eval()
        similarity = getattr(self.model, "item_similarity", None)
        if similarity is not None:
            scores = rate_by_similarity(queries.history, similarity)
            if getattr(self.model, "center_columns", False):  # ADMMSLIM, where asked for
                means = np.asarray(self.model.item_means).ravel()
                scores += (means - means @ similarity)[1:].astype(np.float32)
            return scores
        parts = [
            self.predict(queries.user[s : s + SCORING_ROWS], queries.history[s : s + SCORING_ROWS])
            for s in range(0, len(queries), SCORING_ROWS)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.n_items), dtype=np.float32)

    @torch.inference_mode()
    def predict(self, user: np.ndarray, history: np.ndarray) -> np.ndarray:
        """RecBole's ``full_sort_predict``, without the column of the padding item."""
        number = user.astype(np.int64) + 1
        if self.by_history:
            with self._shown(history):
                scores = self._rate(np.arange(len(user)))
        else:
            scores = self._rate(number)
        return to_answer(scores, len(user), self.n_items)

    def _rate(self, user: np.ndarray) -> torch.Tensor:
        if type(self.model).full_sort_predict is AbstractRecommender.full_sort_predict:
            return self._predict_pairs(user)
        batch = interaction({USER: user}, self.device)
        return torch.as_tensor(self.model.full_sort_predict(batch))

    @contextlib.contextmanager
    def _shown(self, history: np.ndarray) -> Iterator[None]:
        """While this lasts, the model takes these histories for those of its users 0, 1, ..."""
        kept = self.model.history_item_id, self.model.history_item_value
        # An autoencoder rates a set: repeats and padding would only be written twice.
        items = torch.tensor(history.astype(np.int64), device=self.device)
        self.model.history_item_id, self.model.history_item_value = items, (items > 0).float()
        try:
            yield
        finally:
            self.model.history_item_id, self.model.history_item_value = kept

    def _predict_pairs(self, user: np.ndarray) -> torch.Tensor:
        """For models that only rate single pairs: each user with each item."""
        items = np.arange(self.n_items + 1)
        rows = [
            self.model.predict(
                interaction({USER: np.full_like(items, u), ITEM: items}, self.device)
            )
            for u in user
        ]
        return torch.stack([row.view(-1) for row in rows])
