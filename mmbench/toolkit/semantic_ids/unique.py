"""No two items of one id: Sinkhorn's assignment in a group, then the nearest free code."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.toolkit.semantic_ids.config import SemanticIdConfig
from mmbench.views import Float32, Int32

SINKHORN_STEPS = 50
EQUAL = 1e-6  # shares that differ by less, relatively, are equal
Float64 = NDArray[np.float64]
Id = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unique:
    """Ids of which no two are equal, and how many items got another one than their nearest.

    Attributes:
        codes: int32[n, levels].
        by_sinkhorn: items that Sinkhorn's assignment moved and that stayed there.
        by_nearest: items that went to the nearest free code of the last level.
        by_prefix: items that left the codes before it too, as all of the last level were taken.
    """

    codes: Int32
    by_sinkhorn: int = 0
    by_nearest: int = 0
    by_prefix: int = 0


def demand_room(n_items: int, sizes: tuple[int, ...], config: SemanticIdConfig) -> None:
    """Raise ValueError, which says what to set, where there are fewer ids than items."""
    room = math.prod(sizes)
    if config.unique == "none" or room >= n_items:
        return
    cure = "add a level to `sizes`, or raise the smallest"
    if sizes != config.sizes:
        cure = (
            f"add a level to `sizes`, or lower `items_per_code` (now {config.items_per_code}), "
            f"which keeps a level of {n_items:,} items to {max(sizes):,} codes"
        )
    shown = " x ".join(map(str, sizes))
    raise ValueError(
        f"{n_items:,} items cannot each have an id of their own: {shown} codes make {room:,} ids; "
        f"{cure} (or set `unique` to 'none')"
    )


def make_unique(
    latents: Float32, books: tuple[Float32, ...], codes: Int32, config: SemanticIdConfig
) -> Unique:
    """Move items off ids that others have too.

    With ``unique="sinkhorn"`` each group of items that share an id is assigned to the last level's
    codes anew by ``sinkhorn``, up to ``sinkhorn_rounds`` times over, as LC-Rec does (Zheng et al.,
    2024); LC-Rec leaves it at that. What still shares an id then, or from the start with
    ``unique="nearest"``, is told apart here: the item that is nearest to the code keeps it, the
    others, nearest first, go to the nearest code of the last level that is free. Where none is, the
    level before that gives way too, and so on: as long as there are as many ids as items, each gets
    one.

    Args:
        latents: float32[n, d], what was quantised.
        books: float32[size, d], of each level.
        codes: int32[n, levels], the nearest.
        config: ``unique`` and Sinkhorn's settings.

    Raises:
        ValueError: there are fewer ids than items, see ``demand_room``.
    """
    demand_room(len(latents), tuple(map(len, books)), config)
    if config.unique == "none":
        return Unique(codes)
    spread = codes
    if config.unique == "sinkhorn":
        rest = latents - add_entries(books[:-1], codes)
        spread = _spread(rest, books[-1], codes, config)
    settled = _settle(latents, books, spread)
    moved = (settled != codes).any(axis=1)
    late = moved & (settled != spread).any(axis=1)
    far = (settled[:, :-1] != codes[:, :-1]).any(axis=1)
    counts = (moved & ~late, late & ~far, far)
    return Unique(settled, *(int(count.sum()) for count in counts))


def add_entries(books: tuple[Float32, ...], codes: Int32) -> Float32:
    """float32[n, d], or a 0 for no book: the sum of the entries of as many levels as there are."""
    entries = (book[codes[:, level]] for level, book in enumerate(books))
    return np.asarray(sum(entries, np.float32(0)), np.float32)


def sinkhorn(distances: Float64, epsilon: float, steps: int = SINKHORN_STEPS) -> Float64:
    """float64[n, k]: a soft assignment of n items to k codes that uses all codes alike.

    Sinkhorn's algorithm (Cuturi, 2013) as in LC-Rec: distances are scaled to -1..1, rows and
    columns are normalised in turn, columns last. A column sums to n / k exactly, a row to 1 up to
    what is left after so many steps. In logarithms, so that no epsilon is too small.

    Args:
        distances: float64[n, k].
        epsilon: the smaller, the nearer to a hard assignment.
        steps: of both normalisations.
    """
    n, k = distances.shape
    least, most = distances.min(), distances.max()
    spread = (most - least) / 2
    share: Float64 = -(distances - (least + most) / 2) / (spread if spread > 0 else 1.0) / epsilon
    for _ in range(steps):
        share = share - _log_sum(share, 1)
        share = share - _log_sum(share, 0) + math.log(n / k)
    return np.exp(share)


def _log_sum(share: Float64, axis: int) -> Float64:
    """The logarithm of the sum of exp along an axis; scipy's takes ten times as long here."""
    most = share.max(axis=axis, keepdims=True)
    return np.asarray(most + np.log(np.exp(share - most).sum(axis=axis, keepdims=True)), np.float64)


def groups(codes: Int32) -> Iterator[NDArray[np.int64]]:
    """The rows of each id that several have, ascending; ids in the order of their codes."""
    _, number, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(number.ravel(), kind="stable")
    stops = np.cumsum(counts)
    for place in np.flatnonzero(counts > 1):
        yield order[stops[place] - counts[place] : stops[place]]


def _spread(rest: Float32, book: Float32, codes: Int32, config: SemanticIdConfig) -> Int32:
    """LC-Rec's rounds; ``rest`` is float32[n, d], what the last level stands for.

    A group has fewer items than there are codes, and all codes are to be used alike, so that an
    item's share of many codes is the same. LC-Rec takes what rounding makes the greatest; here it
    is the nearest of them.
    """
    codes = codes.copy()
    for _ in range(config.sinkhorn_rounds):
        before = codes.copy()
        for rows in groups(before):
            distances = _squared(rest[rows], book)
            share = sinkhorn(distances, config.sinkhorn_epsilon)
            equal = share >= share.max(axis=1, keepdims=True) * (1 - EQUAL)
            codes[rows, -1] = np.where(equal, distances, np.inf).argmin(axis=1)
        if np.array_equal(before, codes):
            break
    return codes


def _settle(latents: Float32, books: tuple[Float32, ...], codes: Int32) -> Int32:
    """Give each item that shares an id, but the nearest of a group, the nearest that is free."""
    codes = codes.copy()
    off = np.square(latents - add_entries(books, codes)).sum(axis=1)
    waiting = [
        rows[place] for rows in groups(codes) for place in np.argsort(off[rows], kind="stable")[1:]
    ]
    if not waiting:
        return codes
    there = np.ones(len(codes), bool)
    there[waiting] = False
    taken = _Taken(tuple(map(len, books)))
    for row in codes[there].tolist():
        taken.add(tuple(row))
    for item in sorted(waiting, key=lambda item: (off[item], item)):
        found = _nearest_free(latents[item], books, tuple(codes[item].tolist()), taken)
        taken.add(found)
        codes[item] = found
    return codes


class _Taken:
    """How many ids of each beginning are taken."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.room = [math.prod(sizes[depth:]) for depth in range(len(sizes) + 1)]
        self.count: Counter[Id] = Counter()

    def add(self, one: Id) -> None:
        """Take an id."""
        self.count.update(one[:depth] for depth in range(len(one) + 1))

    def has_room(self, beginning: Id) -> bool:
        """Whether an id that begins so is free."""
        return self.count[beginning] < self.room[len(beginning)]


def _nearest_free(latent: Float32, books: tuple[Float32, ...], own: Id, taken: _Taken) -> Id:
    """The free id that shares most of its beginning with the own, and is then nearest by level."""
    depth = next(d for d in reversed(range(len(own))) if taken.has_room(own[:d]))
    found = own[:depth]
    rest: Any = latent - sum(
        (books[level][code] for level, code in enumerate(found)), np.float32(0)
    )
    for book in books[depth:]:
        order = np.argsort(np.square(book - rest).sum(axis=1), kind="stable").tolist()
        code = next(code for code in order if taken.has_room((*found, code)))
        found, rest = (*found, code), rest - book[code]
    return found


def _squared(vectors: Float32, book: Float32) -> Float64:
    """float64[n, k]: squared distances."""
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(vectors, book, "sqeuclidean"), np.float64)
