"""Ask a model, chunk by chunk, and keep the rank of every query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mmbench.products import FEWEST_ROWS, block_rows
from mmbench.protocol.answers import Reader, demand_finite
from mmbench.protocol.candidate_sets import FULL, CandidateSet, ask_order
from mmbench.protocol.candidates import places, shown_candidates
from mmbench.protocol.metrics import VALIDATION, per_query
from mmbench.protocol.protocols import Protocol
from mmbench.protocol.rank import TOP, WHOLE, Engine, choose_engine
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
        equal: int32[q]: the other candidates that are tied with it.
        top: int32[q, 20]: the best items, 0 where none is left; not for sampled sets.
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
    sets: Sequence[CandidateSet] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Ranks:
    """Rank every query of the fold against the candidate sets, in one pass over the scores.

    Args:
        fold: who is asked, and the targets.
        n_items: size of the catalogue.
        ask: the model. It is asked once for all sets: about the ``catalogue``, or, where all are
            sampled, about the ``candidates`` that ``shown_candidates`` returns.
        protocol: names the sets.
        sets: of these only some.
        progress: told ``(done, total, "queries")`` after each chunk.

    Memory beyond the ranks does not depend on the number of queries. Raises AnswerError for an
    answer that cannot be ranked, and ValueError for a candidate set that the fold does not have.
    """
    chosen = tuple(protocol.candidate_sets if sets is None else sets)
    strange = [one.name for one in chosen if one.sampled and one.name not in fold.candidates]
    if strange or not chosen:
        raise ValueError(f"candidate sets {strange}: choose of {protocol.name}'s own")
    slices = chunks(fold, n_items)
    shown = _shown(fold, chosen, n_items)
    what: Asked = "catalogue" if shown is None else "candidates"
    width = n_items if shown is None else shown.shape[1]
    engine = choose_engine(len(fold) * width)
    ranks = _blank(len(fold), chosen, engine)
    reader = Reader(n_items, width)
    for rows, answer in zip(slices, ask(what, slices), strict=True):
        for part, scores in reader.blocks(answer, rows):
            if shown is None:
                _rank_whole(fold, part, scores, chosen, ranks, engine)
            else:
                demand_finite(scores, part)
            for one in chosen:
                if one.sampled:
                    counts = _count_among(fold, one, part, scores, shown, engine)
                    ranks.greater[one.name][part], ranks.equal[one.name][part] = counts
        if progress is not None:
            progress(rows.stop, len(fold), "queries")
    return ranks


def evaluate_each(
    fold: Fold,
    n_items: int,
    ask: Callable[[CandidateSet], Ask],
    protocol: Protocol,
    *,
    sets: Sequence[CandidateSet] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Ranks:
    """As ``evaluate``, of a model that is asked once for each set, see ``ask_order``.

    ``ask(one)`` is called when a set's turn comes, and returns the road to the model for it.
    """
    chosen = tuple(protocol.candidate_sets if sets is None else sets)
    found: dict[str, Ranks] = {}
    for number, one in enumerate(ask_order(chosen)):

        def tell(done: int, total: int, unit: str, before: int = number) -> None:
            if progress is not None:
                progress(before * total + done, len(chosen) * total, unit)

        found[one.name] = evaluate(fold, n_items, ask(one), protocol, sets=(one,), progress=tell)
    parts = [found[one.name] for one in chosen]
    return Ranks(
        greater={name: counts for part in parts for name, counts in part.greater.items()},
        equal={name: counts for part in parts for name, counts in part.equal.items()},
        top={name: best for part in parts for name, best in part.top.items()},
        engine=parts[0].engine,
    )


def excluded(fold: Fold, one: CandidateSet) -> tuple[Int64, Int32]:
    """What a set leaves out of its candidates: offsets, int64[q + 1], and items, query by query."""
    if one.kind == "unseen":
        return fold.seen_offsets, fold.seen
    return np.zeros(len(fold) + 1, np.int64), np.zeros(0, np.int32)


def validation_ndcg(
    fold: Fold,
    n_items: int,
    ask: Ask,
    limit: int | None = None,
    sets: Sequence[CandidateSet] = (FULL,),
) -> float:
    """ndcg@10 over the (first ``limit``) queries of the fold; see ``evaluate``.

    On ``full``, or, for a model that can only afford sampled ``sets``, on the first of them.
    """
    slices = chunks(fold, n_items, limit)
    shown = _shown(fold, sets, n_items)
    width = n_items if shown is None else shown.shape[1]
    engine = choose_engine(slices[-1].stop * width)
    reader = Reader(n_items, width)
    total = 0.0
    for rows, answer in zip(
        slices, ask("catalogue" if shown is None else "candidates", slices), strict=True
    ):
        for part, scores in reader.blocks(answer, rows):
            if shown is None:
                counts = _count_full(fold, part, scores, engine)
            else:
                demand_finite(scores, part)
                counts = _count_among(fold, sets[0], part, scores, shown, engine)
            total += float(per_query(VALIDATION, *counts).sum())
    return total / float(slices[-1].stop)


def _shown(fold: Fold, sets: Sequence[CandidateSet], n_items: int) -> Int32 | None:
    """What the model is asked about, int32[q, c]; None for the catalogue."""
    return shown_candidates(fold, sets, n_items) if all(one.sampled for one in sets) else None


def _blank(total: int, sets: Sequence[CandidateSet], engine: Engine) -> Ranks:
    return Ranks(
        greater={one.name: np.empty(total, dtype=np.int32) for one in sets},
        equal={one.name: np.empty(total, dtype=np.int32) for one in sets},
        top={one.name: np.empty((total, TOP), np.int32) for one in sets if not one.sampled},
        engine=engine.name,
    )


def _rank_whole(
    fold: Fold,
    rows: slice,
    scores: Float32,
    sets: Sequence[CandidateSet],
    ranks: Ranks,
    engine: Engine,
) -> None:
    """The sets that are not sampled and their lists, from one sweep; what is wanted is kept."""
    counts = np.empty((len(WHOLE), 2, len(scores)), dtype=np.int32)
    top = np.empty((len(WHOLE), len(scores), TOP), dtype=np.int32)
    offsets = fold.seen_offsets[rows.start : rows.stop + 1]
    if engine.rank_rows(scores, fold.target[rows], offsets, fold.seen, counts, top) >= 0:
        demand_finite(scores, rows)
    for one in sets:
        if not one.sampled:
            place = WHOLE.index(one.kind)
            ranks.greater[one.name][rows], ranks.equal[one.name][rows] = counts[place]
            ranks.top[one.name][rows] = top[place]


def _count_among(
    fold: Fold,
    chosen: CandidateSet,
    rows: slice,
    scores: Float32,
    shown: Int32 | None,
    engine: Engine,
) -> Int32:
    """int32[2, b]: greater and equal in a sampled set.

    ``scores`` are of the catalogue or, where the model answered no more, of what was ``shown``.
    """
    candidates, target = fold.candidates[chosen.name][rows], fold.target[rows]
    if shown is not None and scores.shape[1] == shown.shape[1]:
        candidates = places(candidates, shown[rows])
        target = places(target[:, None], shown[rows])[:, 0]
    counts = np.empty((2, len(scores)), dtype=np.int32)
    engine.among_rows(scores, target, candidates, counts)
    return counts


def _count_full(fold: Fold, rows: slice, scores: Float32, engine: Engine) -> Int32:
    """int32[2, b]: greater and equal in the whole catalogue."""
    counts = np.empty((2, len(scores)), dtype=np.int32)
    if engine.count_rows(scores, fold.target[rows].astype(np.int64) - 1, counts) >= 0:
        demand_finite(scores, rows)
    return counts
