"""The prepared log: what every protocol starts from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmbench.data.fingerprint import Fingerprints
from mmbench.problems import UserError
from mmbench.views import Int32, Int64, Items


class DataError(UserError):
    """A dataset cannot be used; the message says what, where and how to mend it."""


@dataclass(frozen=True, slots=True)
class PictureSource:
    """What a log's pictures were made of; it stays in the harness.

    Attributes:
        root: the dataset's own folder or zip of pictures.
        digests: the sha256 of each item's file, 64 hex digits; empty where it has none, or one that
            is too large or cannot be read. Index 0 is padding.
    """

    root: Path
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """A prepared log: filtered, numbered, ordered.

    Attributes:
        id: the dataset's id, as in ``amazon2014-beauty``.
        fingerprints: a digest each of the events, the texts and the pictures.
        secret: 32 bytes from which numbers, samples, ties and negatives are drawn, see
            ``mmbench.data.secret``; never shown, stored nowhere but in the prepared log.
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
        picture_source: what ``items.images`` were made of, where there are pictures.
    """

    id: str
    fingerprints: Fingerprints
    secret: bytes = field(repr=False)
    user: Int32
    item: Int32
    time: Int64
    n_users: int
    n_items: int
    items: Items
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    card: dict[str, Any] = field(default_factory=dict)
    picture_source: PictureSource | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for array in (self.user, self.item, self.time):
            array.setflags(write=False)


def sample_users(log: Log, n: int) -> Log:
    """The log of its first ``n`` users; the catalogue stays.

    Users are numbered by the log's secret, so the first ones are a random sample, the same for
    everybody, and part of each larger one. Fingerprints and secret stay too: they are those of the
    whole log. Asking for all users or more answers ``log``. Raises ValueError where ``n`` is not
    positive.
    """
    if n < 1:
        raise ValueError(f"a sample needs at least one user, not {n}")
    if n >= log.n_users:
        return log
    kept = slice(int(log.user.searchsorted(n)))
    sampled = {"users": n, "of": log.n_users}
    return replace(
        log,
        user=log.user[kept],
        item=log.item[kept],
        time=log.time[kept],
        n_users=n,
        user_ids=log.user_ids[:n],
        card={**log.card, "users": n, "events": len(log.user[kept]), "sampled": sampled},
    )
