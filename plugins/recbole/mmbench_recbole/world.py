"""What RecBole's models ask of a data set, answered from mmbench's views.

RecBole counts users from 1 and keeps 0 for padding: our user ``u`` is its user ``u + 1``, and 0 is
a user without a training event. Items have the same numbers on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from mmbench import Interactions, Queries
from mmbench_recbole.rows import right_padded
from mmbench_recbole.shims import Interaction

USER, ITEM, TIME, NEGATIVE, LABEL = "user_id", "item_id", "timestamp", "neg_item_id", "label"
SEQUENCE, LENGTH = "item_id_list", "item_length"


class World:
    """The training events in the shape of a RecBole ``Dataset``, as far as models look into it."""

    uid_field, iid_field, time_field, label_field = USER, ITEM, TIME, LABEL

    def __init__(self, train: Interactions, max_history: int) -> None:
        self.user = train.user.astype(np.int64) + 1
        self.item = train.item.astype(np.int64)
        self.item_num = train.n_items + 1
        # A spare user keeps the two counts apart, so that a table of users can be told by its size.
        self.user_num = train.n_users + 1 + (train.n_users == train.n_items)
        self.inter_num = len(self.item)
        self.field2seqlen = {SEQUENCE: max_history}
        self.inter_feat = interaction({USER: self.user, ITEM: self.item, TIME: train.time})

    def __len__(self) -> int:
        return self.inter_num

    def num(self, field: str) -> int:
        return {USER: self.user_num, ITEM: self.item_num}[field]

    def inter_matrix(self, form: str = "coo", value_field: str | None = None) -> sp.spmatrix:
        """float32[user_num, item_num], 1 where the user had the item in training."""
        pairs = np.unique(np.stack([self.user, self.item]), axis=1)
        ones = np.ones(pairs.shape[1], dtype=np.float32)
        return sp.coo_matrix((ones, tuple(pairs)), (self.user_num, self.item_num)).asformat(form)

    def history_item_matrix(
        self, value_field: str | None = None, max_history_len: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Each user's training items, their values (1) and their number."""
        return _histories(self.user, self.item, self.user_num, max_history_len)

    def history_user_matrix(
        self, value_field: str | None = None, max_history_len: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Each item's training users, their values (1) and their number."""
        return _histories(self.item, self.user, self.item_num, max_history_len)


def _histories(
    row: NDArray, column: NDArray, n_rows: int, longest: int | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    order = np.argsort(row, kind="stable")
    start = np.searchsorted(row[order], np.arange(n_rows))
    length = np.bincount(row, minlength=n_rows)
    if longest is not None:
        length = np.minimum(length, longest)
    items = right_padded(column[order], start, length, max(int(length.max()), 1))
    return (
        torch.from_numpy(items),
        torch.from_numpy((items > 0).astype(np.float32)),
        torch.from_numpy(length),
    )


def interaction(columns: Mapping[str, NDArray], device: str = "cpu") -> Interaction:
    """A RecBole batch from NumPy columns."""
    return Interaction({k: torch.tensor(v, device=device) for k, v in columns.items()})


def to_answer(scores: torch.Tensor, b: int, n_items: int) -> NDArray[np.float32]:
    """float32[b, n_items] from RecBole's scores, flat or not, without the padding item's column."""
    answer: NDArray[np.float32] = scores.view(b, -1)[:, 1 : n_items + 1].float().cpu().numpy()
    return answer


def query_columns(queries: Queries, max_history: int) -> dict[str, Any]:
    """The queries as RecBole's right-padded columns.

    A query without history has length 1 and a padding item in it: RecBole reads the state at
    ``length - 1``.
    """
    length = (queries.history > 0).sum(axis=1).astype(np.int64)
    kept = np.minimum(length, max_history)
    size = queries.history.shape[1]
    start = np.arange(1, len(queries) + 1, dtype=np.int64) * size - kept
    return {
        USER: queries.user.astype(np.int64) + 1,
        SEQUENCE: right_padded(queries.history.ravel(), start, kept, max_history),
        LENGTH: np.maximum(kept, 1),
    }
