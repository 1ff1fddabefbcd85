"""What no plugin may infer: a secret of each log, and the orders that come from it.

Were items numbered by a public rule, a plugin that knows their raw ids' order (often that of first
appearance) could tell from a number which item comes next. So numbers, samples and the order of
events at the same time are drawn by digests that are keyed with the secret. It is made of all
events, targets included: whoever can compute it has the targets already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from mmbench.data.fingerprint import ranks, spell, spell_array
from mmbench.views import Int32, Int64

PREFIX = b"mmbench: the secret of a log, 1\n"


def make_secret(
    user_ids: Sequence[str],
    item_ids: Sequence[str],
    user: Int32 | Int64,
    item: Int32 | Int64,
    time: Int64,
) -> bytes:
    """32 bytes of a sha256 over the events in raw terms, whatever their order and numbers.

    Args:
        user_ids: raw ids, distinct, in any order.
        item_ids: as ``user_ids``.
        user: whole numbers[n], places in ``user_ids``.
        item: whole numbers[n], places in ``item_ids``.
        time: int64[n], seconds or positions.
    """
    digest = hashlib.sha256(PREFIX)
    digest.update(spell(sorted(user_ids)))
    digest.update(spell(sorted(item_ids)))
    columns = (ranks(user_ids)[user], ranks(item_ids)[item], time)
    order = np.lexsort(columns[::-1])
    for column in columns:
        digest.update(spell_array(column[order]))
    return digest.digest()


def keyed(secret: bytes, kind: str) -> Callable[[bytes], bytes]:
    """A function from bytes to 16 bytes that nobody can foretell without the secret.

    Args:
        secret: 32 bytes.
        kind: what the digests are for, at most 16 letters; each kind has its own.
    """
    start = hashlib.blake2b(digest_size=16, key=secret, person=kind.encode())

    def digest(told: bytes) -> bytes:
        copy = start.copy()
        copy.update(told)
        return copy.digest()

    return digest


def secret_order(secret: bytes, kind: str, ids: Sequence[str]) -> Int64:
    """int64[len(ids)]: the places of distinct ids in the secret's order."""
    digest = keyed(secret, kind)
    keys = [digest(name.encode("utf-8", "surrogatepass")) for name in ids]
    return np.array(sorted(range(len(ids)), key=keys.__getitem__), dtype=np.int64)
