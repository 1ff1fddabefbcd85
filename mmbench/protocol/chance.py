"""Seeded streams, one for each query, that depend on neither company nor library version.

numpy does not promise that ``Generator`` methods keep their streams between versions, and the
negatives of a named protocol must never change; so the few lines of a counter-based generator
stand here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

UInt64 = NDArray[np.uint64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def query_keys(root: str, fold: str, user_ids: Iterable[str]) -> UInt64:
    """uint64[q]: a key for each query, from the protocol's root, the fold and the raw user id."""
    prefix = hashlib.sha256(f"{root}\n{fold}\n".encode())
    keys = []
    for user_id in user_ids:
        digest = prefix.copy()
        digest.update(user_id.encode())
        keys.append(int.from_bytes(digest.digest()[:8], "little"))
    return np.array(keys, dtype=np.uint64)


def streams(keys: UInt64, width: int) -> UInt64:
    """uint64[q, width]: the first ``width`` numbers of each key's stream.

    SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
    2014): number ``j`` mixes ``key + j * gamma``.
    """
    steps = np.arange(1, width + 1, dtype=np.uint64) * _GAMMA  # wraps around, as it should
    state = keys[:, None] + steps
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    mixed: UInt64 = state ^ (state >> np.uint64(31))
    return mixed
