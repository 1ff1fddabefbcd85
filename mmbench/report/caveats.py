"""What a reader must know of a whole board: how its data are ordered, and how few they are."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmbench.data.scripts import UNSPACED, unspaced
from mmbench.protocol.candidate_sets import find_set, set_order
from mmbench.protocol.metrics import HEADLINE, per_query
from mmbench.report.statistics import Float64, compare_rows, detectable
from mmbench.report.words import decimals
from mmbench.results.record import Data, Record, ResultError

if TYPE_CHECKING:
    import pyarrow as pa

    from mmbench.report.aggregate import Board, Row

FEW = 500  # queries, below which a board says what it could show
NOTABLE = 0.01  # share of targets that is worth a sentence
UNSPACED_TITLES = 0.2  # share of titles without spaces from which models of words are spoken of
OF_WORDS = {"bm25-text", "tfidf"}
Ranks = Callable[[Record], "pa.Table"]


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The smallest difference in ndcg@10 that two rows of a board show four times in five, at 5%.

    ``pairs`` is the number of pairs of rows whose ranks say so (of their differences it is the
    middle one), or 0 for a bound that follows from the best figure alone.
    """

    candidates: str
    difference: float
    pairs: int


def sensitivity(
    rows: Sequence[Row], queries: int | None, ranks: Ranks | None
) -> Sensitivity | None:
    """What a board with fewer than ``FEW`` queries could show; None for others.

    Args:
        rows: the board's.
        queries: how many it asks.
        ranks: reads a record's ranks, where they are at hand. Rows whose ranks cannot be read, or
            are of other queries, are not looked at.
    """
    whole = [row for row in rows if row.done and row.first.cell.limit is None]
    sets = sorted({name for row in whole for name in row.metrics}, key=set_order)
    if queries is None or not 2 <= queries < FEW or not sets:
        return None
    found = [] if ranks is None else _from_ranks(whole, sets[0], queries, ranks)
    if found:
        return Sensitivity(sets[0], statistics.median(found), len(found))
    best = max(figure.mean for row in whole if (figure := row.figure(sets[0], HEADLINE)))
    # figures lie in 0..1, so with this mean none vary more; and two rows vary together, or alone
    error = math.sqrt(2 * best * max(0.0, 1 - best) / queries)
    return Sensitivity(sets[0], detectable(error, queries - 1), 0)


def _from_ranks(rows: Sequence[Row], name: str, queries: int, ranks: Ranks) -> list[float]:
    """Of each pair of rows that differ at all."""
    figures = [seeds for row in rows if (seeds := _figures(row, name, queries, ranks)) is not None]
    pairs = itertools.combinations(figures, 2)
    return [shown for a, b in pairs if (shown := compare_rows(a, b).detectable)]


def _figures(row: Row, name: str, queries: int, ranks: Ranks) -> Float64 | None:
    """float64[seeds, queries], or None."""
    try:
        tables = [ranks(record) for record in row.done]
    except ResultError:
        return None
    columns = [f"greater_{name}", f"equal_{name}"]
    if not all({*columns} <= {*table.column_names} and len(table) == queries for table in tables):
        return None
    ordered = [table.sort_by("user") if "user" in table.column_names else table for table in tables]
    return np.stack(
        [
            per_query(HEADLINE, *(table[column].to_numpy() for column in columns))
            for table in ordered
        ]
    )


def caveats(board: Board) -> list[str]:
    """The caveats of a board, a sentence or two each, as plain text."""
    short = shortfalls(board).items()
    known = {name: one for name, _ in short if (one := find_set(name))}
    return [*data_caveats(board), *(f"{name}, {known[name].title}: {t}" for name, t in short)]


def data_caveats(board: Board) -> list[str]:
    """Those that hold for every candidate set."""
    return [*_times(board.facts.data), *_targets(_told(board)), *_scripts(board), *_few(board)]


def _told(board: Board) -> Data:
    """What a record tells of the data that is new enough to tell of targets and scripts."""
    records = [board.facts, *board.records]
    return next((r.data for r in records if r.data.cold_targets is not None), board.facts.data)


def _targets(data: Data) -> Iterator[str]:
    cold, again = data.cold_targets or 0.0, data.repeated_targets or 0.0
    if cold >= NOTABLE:
        yield (
            f"Targets: {cold:.1%} of users' last items are in no event that a model is trained on; "
            "models that know items by their numbers alone cannot find those."
        )
    if again >= NOTABLE:
        yield (
            f"Targets: {again:.1%} of users' last items are in their history. Such a target can be "
            "found on `full` by repeating the history, and not at all on sets without what was "
            "seen."
        )
    named, decoded = data.pictures.get("named", 0), data.pictures.get("decoded", 0)
    if decoded < named:
        yield f"Pictures: {named - decoded:,} of {named:,} cannot be used, and count as missing."


def _scripts(board: Board) -> Iterator[str]:
    """A warning where models that count words stand on a board of titles without spaces."""
    without = unspaced(_told(board).scripts)
    share = sum(without.values())
    names = {row.first.cell.model.partition("[")[0].partition("/")[0] for row in board.rows}
    if share >= UNSPACED_TITLES and (counting := sorted(names & OF_WORDS)):
        who = " and ".join(dict.fromkeys(UNSPACED[name] for name in without))
        yield (
            f"Text: {share:.0%} of titles are written without spaces between words ({who}). "
            f"{', '.join(counting)} cut text at spaces, take such a title for a word or two, and "
            "say little here of what text is worth."
        )


def _times(data: Data) -> Iterator[str]:
    if data.time == "positions":
        yield (
            "Times: the source tells only the order of a user's events, which is kept; whether "
            "some happened at the same time is unknown."
        )
    if not data.tied_targets:
        return
    share = f"{data.tied_targets:.1%} of users have their last event at the same time as the one"
    if data.ties == "source":
        yield (
            f"Times: {share} before. Such events stand in the order of the source's rows, which "
            "is no order of buying, and which a model may learn all the same."
        )
    else:
        yield (
            f"Times: {share} before. Which came first is unknown; a hash decides, the same for "
            "every model, so that which of them is asked for is chance."
        )


def shortfalls(board: Board) -> dict[str, str]:
    """What to say of sampled sets whose queries have fewer negatives than the name says."""
    told = {
        name: one.shortfall(drawn.least, drawn.most)
        for name, drawn in sorted(board.facts.drawn.items())
        if (one := find_set(name))
    }
    return {name: text for name, text in told.items() if text}


def _few(board: Board) -> Iterator[str]:
    told, queries = board.sensitivity, board.facts.queries
    if told is None:
        return
    how = (
        f"for the middle one of {told.pairs} pairs of rows"
        if told.pairs > 1
        else "for the one pair of rows"
        if told.pairs
        else "at most, by the best row's figure; less where two rows rank alike"
    )
    yield (
        f"Few queries: {queries}. Two rows must differ by about {decimals(told.difference)} in "
        f"{HEADLINE} ({told.candidates}) to be told apart four times in five (5% level; {how}). "
        "Smaller differences here say little."
    )
