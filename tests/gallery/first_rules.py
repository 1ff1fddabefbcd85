"""What anybody could know of the first protocols: how items got numbers, and negatives were drawn.

``loo@1`` numbered items by a fixed permutation of their sorted raw ids and users by theirs, and
drew a query's negatives from a stream whose key was a digest of public words and the raw user id.
Pictures were handed over as the source's own files.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np


def item_order(n):
    """int[n]: of the items by number, the place of each in the sorted raw ids."""
    words = np.random.Philox(20140714).random_raw(n)
    return np.argsort(np.argsort(words, kind="stable"), kind="stable")


def query_keys(protocol, fold, user_ids):
    """uint64[q]."""
    digests = (hashlib.sha256(f"{protocol}\n2025\n{fold}\n{one}".encode()) for one in user_ids)
    return np.array([int.from_bytes(d.digest()[:8], "little") for d in digests], np.uint64)


def streams(keys, width):
    """uint64[q, width]: SplitMix64."""
    state = keys[:, None] + np.arange(1, width + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@dataclass(frozen=True)
class Pictures:
    """One file an item, as the source has them."""

    root: Path
    names: tuple[str | None, ...]

    def read(self, item):
        return (self.root / self.names[item]).read_bytes()


def hand_over(folder, raw, trace):
    """Pictures that tell the raw ids int[n] by their ``name``, ``size`` or ``time`` alone."""
    folder.mkdir()
    hidden = np.random.default_rng(5).permutation(len(raw)) + 1
    names = [f"{one}.png" for one in (raw if trace == "name" else hidden)]
    for number, name in zip(raw.tolist(), names, strict=True):
        (folder / name).write_bytes(bytes(100 + number if trace == "size" else 100))
        moment = 10**9 + (60 * number if trace == "time" else 0)
        os.utime(folder / name, (moment, moment))
    return Pictures(folder, (None, *names))
