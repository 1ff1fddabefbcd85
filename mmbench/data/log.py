"""The prepared log: what every protocol starts from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mmbench.problems import UserError
from mmbench.views import Int32, Int64, Items


class DataError(UserError):
    """A dataset cannot be used; the message says what, where and how to mend it."""


@dataclass(frozen=True, slots=True)
class Log:
    """A prepared log: filtered, numbered, ordered.

    Attributes:
        id: the dataset's id, as in ``amazon2014-beauty``.
        fingerprint: 16 hex digits of a sha256 over the arrays, the texts, the pictures' names and
            sizes, and every preparing step.
        user: int32[n], ``0..n_users-1``, ascending.
        item: int32[n], ``1..n_items``.
        time: int64[n], seconds or positions, never decreasing within a user; events of equal time
            keep the order of the source.
        n_users: number of users, each with at least one event.
        n_items: size of the catalogue, each item with at least one event when the log was prepared.
        items: texts and pictures.
        user_ids: the source's user ids, ``n_users`` of them.
        item_ids: the source's item ids, ``n_items + 1`` of them, index 0 is an empty string.
        card: JSON-able description, see ``mmbench.data.card.describe``.
    """

    id: str
    fingerprint: str
    user: Int32
    item: Int32
    time: Int64
    n_users: int
    n_items: int
    items: Items
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    card: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for array in (self.user, self.item, self.time):
            array.setflags(write=False)


def sample_users(log: Log, n: int, seed: int = 0) -> Log:
    """The log of ``n`` users drawn without replacement, in their old order; the catalogue stays.

    The fingerprint stays too: it names the whole log. Asking for all users or more answers ``log``.
    Raises ValueError where ``n`` is not positive.
    """
    if n < 1:
        raise ValueError(f"a sample needs at least one user, not {n}")
    if n >= log.n_users:
        return log
    chosen = np.sort(np.random.default_rng(seed).choice(log.n_users, size=n, replace=False))
    number = np.full(log.n_users, -1, dtype=np.int32)
    number[chosen] = np.arange(n, dtype=np.int32)
    user = number[log.user]
    kept = user >= 0
    sampled = {"users": n, "of": log.n_users, "seed": seed}
    return replace(
        log,
        user=user[kept],
        item=log.item[kept],
        time=log.time[kept],
        n_users=n,
        user_ids=tuple(log.user_ids[u] for u in chosen),
        card={**log.card, "users": n, "events": int(kept.sum()), "sampled": sampled},
    )
