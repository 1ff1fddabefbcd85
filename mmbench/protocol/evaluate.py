"""Ask a model, chunk by chunk, and keep the rank of every query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mmbench.products import FEWEST_ROWS, block_rows
from mmbench.protocol.answers import Reader, demand_finite
from mmbench.protocol.metrics import per_query
from mmbench.protocol.protocols import CANDIDATE_SETS, Protocol
from mmbench.protocol.rank import SETS, TOP, Engine, choose_engine
from mmbench.protocol.split import Fold
from mmbench.views import Answer, Float32, Int32, Int64

Asked = Literal["catalogue", "candidates"]
Ask = Callable[[Asked, Sequence[slice]], Iterator[Answer]]
"""``ask(what, slices)`` answers for each slice of the fold's queries, in order: about the
``catalogue`` float32[b, n_items], ``TopK`` or ``Vectors``, about the ``candidates`` float32[b, c]
as well. An answer is done with when the next is asked for."""

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
        engine: the library that counted; it changes no number.
    """

    greater: dict[str, Int32] = field(default_factory=dict)
    equal: dict[str, Int32] = field(default_factory=dict)
    top: dict[str, Int32] = field(default_factory=dict)
    engine: str = ""


def chunks(fold: Fold, n_items: int, limit: int | None = None) -> list[slice]:
    """Slices of the fold's (first ``limit``) queries whose scores fill 32 MB at most.

    Above half a million items 16 queries fill more; fewer would be slow to ask and to multiply.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"a limit of {limit} leaves no query to ask; give 1 or more")
    total = len(fold) if limit is None else min(limit, len(fold))
    rows = chunk_rows(n_items)
    return [slice(start, min(start + rows, total)) for start in range(0, total, rows)]


def chunk_rows(n_items: int) -> int:
    """How many queries are asked at a time, see ``chunks``: as many whole blocks as fit."""
    rows = min(_CHUNK_ROWS, max(FEWEST_ROWS, _CHUNK_BYTES // (4 * n_items)))
    return rows - rows % block_rows(n_items)


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
    slices = chunks(fold, n_items)
    what: Asked = "catalogue"
    width = n_items
    if chosen == ("neg100",):
        what, width = "candidates", fold.candidates.shape[1]
    engine = choose_engine(len(fold) * width)
    ranks = _blank(len(fold), chosen, engine)
    reader = Reader(n_items, width)
    for rows, answer in zip(slices, ask(what, slices), strict=True):
        for part, scores in reader.blocks(answer, rows):
            if scores.shape[1] == n_items:
                _rank(fold, part, scores, ranks, engine)
            else:
                counts = _count_candidates(fold, part, scores, engine)
                ranks.greater["neg100"][part], ranks.equal["neg100"][part] = counts
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
    engine = choose_engine(slices[-1].stop * width)
    reader = Reader(n_items, width)
    total = 0.0
    for rows, answer in zip(slices, ask(what, slices), strict=True):
        for part, scores in reader.blocks(answer, rows):
            if what == "catalogue":
                counts = _count(scores, fold.target[part].astype(np.int64) - 1, part, engine)
            else:
                counts = _count_candidates(fold, part, scores, engine)
            total += float(per_query("ndcg@10", *counts).sum())
    return total / float(slices[-1].stop)


def _blank(total: int, sets: Sequence[str], engine: Engine) -> Ranks:
    return Ranks(
        greater={name: np.empty(total, dtype=np.int32) for name in sets},
        equal={name: np.empty(total, dtype=np.int32) for name in sets},
        top={name: np.empty((total, TOP), dtype=np.int32) for name in sets if name != "neg100"},
        engine=engine.name,
    )


def _rank(fold: Fold, rows: slice, scores: Float32, ranks: Ranks, engine: Engine) -> None:
    """All sets and both lists from one pass; those that are wanted are kept."""
    counts = np.empty((len(SETS), 2, len(scores)), dtype=np.int32)
    top = np.empty((2, len(scores), TOP), dtype=np.int32)
    bad = engine.rank_rows(
        scores,
        fold.target[rows],
        fold.seen_offsets[rows.start : rows.stop + 1],
        fold.seen,
        fold.candidates[rows],
        counts,
        top,
    )
    if bad >= 0:
        demand_finite(scores, rows)
    for name in ranks.greater:
        ranks.greater[name][rows], ranks.equal[name][rows] = counts[SETS.index(name)]
    for name in ranks.top:
        ranks.top[name][rows] = top[SETS.index(name)]


def _count_candidates(fold: Fold, rows: slice, scores: Float32, engine: Engine) -> Int32:
    """Against the candidates alone, from their scores or those of the whole catalogue."""
    candidates = fold.candidates[rows]
    if scores.shape != candidates.shape:
        scores = np.take_along_axis(scores, candidates.astype(np.int64) - 1, axis=1)
    return _count(scores, np.argmax(candidates == fold.target[rows, None], axis=1), rows, engine)


def _count(scores: Float32, column: Int64, rows: slice, engine: Engine) -> Int32:
    """int32[2, b]: greater and equal."""
    counts = np.empty((2, len(scores)), dtype=np.int32)
    if engine.count_rows(scores, column, counts) >= 0:
        demand_finite(scores, rows)
    return counts
