"""Ask a model, chunk by chunk, and keep the rank of every query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mmbench.protocol.answers import check_answer
from mmbench.protocol.metrics import per_query
from mmbench.protocol.protocols import CANDIDATE_SETS, Protocol
from mmbench.protocol.rank import (
    Counts,
    count_candidates,
    count_full,
    count_unseen,
    top_items,
)
from mmbench.protocol.split import Fold
from mmbench.views import Answer, Float32, Int32, Int64

Asked = Literal["catalogue", "candidates"]
Ask = Callable[[Asked, Sequence[slice]], Iterator[Answer]]
"""``ask(what, slices)`` answers for each slice of the fold's queries, in order: float32[b, n_items]
or ``TopK`` for the ``catalogue``, float32[b, c] as well for the ``candidates``."""

TOP = 20
_CHUNK_BYTES = 32 * 2**20
_CHUNK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Ranks:
    """The result of an evaluation: where each query's target stands, for each candidate set.

    Attributes:
        greater: int32[q]: the candidates that score above the target; -1 where the query has no
            answer in this set.
        equal: int32[q]: the other candidates that are level with it.
        top: int32[q, 20]: the best items, 0 where none is left; not for ``neg100``.
    """

    greater: dict[str, Int32] = field(default_factory=dict)
    equal: dict[str, Int32] = field(default_factory=dict)
    top: dict[str, Int32] = field(default_factory=dict)


def chunks(fold: Fold, n_items: int, limit: int | None = None) -> list[slice]:
    """Slices of the fold's (first ``limit``) queries whose scores fill 32 MB at most."""
    if limit is not None and limit < 1:
        raise ValueError(f"a limit of {limit} leaves no query to ask; give 1 or more")
    total = len(fold) if limit is None else min(limit, len(fold))
    rows = max(1, min(_CHUNK_ROWS, _CHUNK_BYTES // (4 * n_items)))
    return [slice(start, min(start + rows, total)) for start in range(0, total, rows)]


def evaluate(
    fold: Fold,
    n_items: int,
    ask: Ask,
    protocol: Protocol,
    *,
    sets: Sequence[str] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Ranks:
    """Rank every query of the fold against the candidate sets, in one pass over the scores.

    Args:
        fold: who is asked, and the targets.
        n_items: size of the catalogue.
        ask: the model. It is asked about the ``catalogue`` once for all sets, or, where ``sets`` is
            ``neg100`` alone, about the ``candidates``.
        protocol: names the sets.
        sets: of these only some.
        progress: told ``(done, total, "queries")`` after each chunk.

    Memory beyond the ranks does not depend on the number of queries. Raises AnswerError for an
    answer that cannot be ranked, and ValueError for an unknown candidate set.
    """
    chosen = tuple(protocol.candidate_sets if sets is None else sets)
    unknown = [name for name in chosen if name not in CANDIDATE_SETS]
    if unknown or not chosen:
        raise ValueError(f"candidate sets {unknown or chosen}: choose of {CANDIDATE_SETS}")
    ranks = _blank(len(fold), chosen)
    slices = chunks(fold, n_items)
    what: Asked = "catalogue"
    width = n_items
    if chosen == ("neg100",):
        what, width = "candidates", fold.candidates.shape[1]
    for rows, answer in zip(slices, ask(what, slices), strict=True):
        scores = check_answer(answer, rows, n_items, width)
        for name, (greater, equal) in _count(fold, rows, scores, n_items, chosen).items():
            ranks.greater[name][rows] = greater
            ranks.equal[name][rows] = equal
        for name in ranks.top:
            shown = scores if name == "full" else _masked(fold, rows, scores)
            ranks.top[name][rows] = top_items(shown, TOP)
        if progress is not None:
            progress(rows.stop, len(fold), "queries")
    return ranks


def validation_ndcg(
    fold: Fold, n_items: int, ask: Ask, limit: int | None = None, what: Asked = "catalogue"
) -> float:
    """ndcg@10 over the (first ``limit``) queries of the fold; see ``evaluate``.

    On ``full``, or, for a model that can only afford the ``candidates``, on those.
    """
    slices = chunks(fold, n_items, limit)
    width = n_items if what == "catalogue" else fold.candidates.shape[1]
    total = 0.0
    for rows, answer in zip(slices, ask(what, slices), strict=True):
        scores = check_answer(answer, rows, n_items, width)
        target = fold.target[rows]
        if what == "catalogue":
            counts = count_full(scores, target)
        else:
            counts = count_candidates(scores, target, fold.candidates[rows])
        total += float(per_query("ndcg@10", *counts).sum())
    return total / float(slices[-1].stop)


def _blank(total: int, sets: Sequence[str]) -> Ranks:
    return Ranks(
        greater={name: np.empty(total, dtype=np.int32) for name in sets},
        equal={name: np.empty(total, dtype=np.int32) for name in sets},
        top={name: np.empty((total, TOP), dtype=np.int32) for name in sets if name != "neg100"},
    )


def _count(
    fold: Fold, rows: slice, scores: Float32, n_items: int, sets: Sequence[str]
) -> dict[str, Counts]:
    target = fold.target[rows]
    counts: dict[str, Counts] = {}
    if {"full", "unseen"} & set(sets):
        counts["full"] = count_full(scores, target)
    if "unseen" in sets:
        counts["unseen"] = count_unseen(scores, target, counts["full"], *_seen(fold, rows))
    if "neg100" in sets:
        candidates = fold.candidates[rows]
        if scores.shape[1] == n_items:  # rated the whole catalogue
            scores = np.take_along_axis(scores, candidates.astype(np.int64) - 1, axis=1)
        counts["neg100"] = count_candidates(scores, target, candidates)
    return {name: counts[name] for name in sets}


def _seen(fold: Fold, rows: slice) -> tuple[Int64, Int32]:
    """The chunk's (row, seen item) pairs."""
    offsets = fold.seen_offsets[rows.start : rows.stop + 1]
    row = np.repeat(np.arange(rows.stop - rows.start), np.diff(offsets))
    return row, fold.seen[offsets[0] : offsets[-1]]


def _masked(fold: Fold, rows: slice, scores: Float32) -> Float32:
    row, seen = _seen(fold, rows)
    masked = scores.copy()
    masked[row, seen - 1] = -np.inf
    return masked
