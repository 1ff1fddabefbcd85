"""The sections of a board that hold accuracy: a table for each candidate set."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from mmbench.protocol.candidate_sets import FULL, UNSEEN, find_set
from mmbench.report.aggregate import Board, Row
from mmbench.report.caveats import shortfalls
from mmbench.report.claims import DEVIATION, claim_columns, claim_lines, conclusion, with_interval
from mmbench.report.drawings import pairs, trade
from mmbench.report.notes import marks
from mmbench.report.numbers import of_mean, seeds, with_deviation
from mmbench.report.page import Cell, Section, Shown, make_table
from mmbench.report.standings import Evidence, Standings
from mmbench.report.view import View
from mmbench.report.words import SAMPLED, decimals, key_of, plain, plural, short

READS = {(): "", ("image",): "image", ("text",): "text", ("image", "text"): "both"}


def accuracy(board: Board, candidates: str, evidence: Evidence, view: View) -> Section:
    """One candidate set: the rows' figures, and what may be claimed of them."""
    standings = evidence.standings.get(candidates)
    rows, main = view.ranked(board, candidates), candidates == view.sets_of(board)[0]
    columns = [
        model_column(board),
        *_figure_columns(board, candidates, standings, view),
        Shown("ties", lambda row: _share(row.tie_rate.get(candidates))),
        Shown("target excluded", lambda row: _share(row.unanswered.get(candidates) or None)),
        Shown("seeds", seeds),
        *(_what_columns(rows) if main else []),
    ]
    told = find_set(candidates)
    before = (
        [f"{told.explanation} {shortfalls(board).get(candidates, '')}".rstrip()] if told else []
    )
    sampled = told is not None and told.sampled
    return Section(
        key=key_of(candidates),
        title=f"{plain(candidates)}{f': {told.title}' if told else ''}",
        banner=f"{SAMPLED}{_swaps(board, candidates, view.headline)}" if sampled else "",
        before=tuple(before),
        table=make_table(columns, rows),
        after=(
            *((DEVIATION,) if standings is None else claim_lines(board, standings)),
            *(_abbreviations(rows) if main else []),
        ),
        concluded="" if standings is None else conclusion(board, standings),
        drawings=(
            *(pairs(board, standings) if standings else []),
            *(trade(rows, candidates, standings, view) if main else []),
        ),
    )


def model_column(board: Board) -> Shown[Row]:
    """The names of rows, with the numbers of their footnotes."""
    return Shown("model", lambda row: Cell(plain(row.name), marks=marks(row, board)), left=True)


def _figure_columns(
    board: Board, candidates: str, standings: Standings | None, view: View
) -> Iterator[Shown[Row]]:
    def figure(row: Row, metric: str) -> Cell:
        if standings is not None:
            return with_interval(row, metric, standings)
        estimate = row.figure(candidates, metric)
        return Cell(with_deviation(estimate), estimate.mean) if estimate else Cell()

    def headline(row: Row) -> Cell:
        told = figure(row, view.headline)
        return told if told.text else Cell("not asked")

    def plain_figure(metric: str) -> Shown[Row]:
        return Shown(metric, lambda row: of_mean(row.figure(candidates, metric)))

    yield Shown(view.headline, headline, drawn=standings is not None)
    yield from [] if standings is None else claim_columns(standings)
    for metric in view.with_intervals[1:]:
        yield Shown(metric, lambda row, metric=metric: figure(row, metric))  # type: ignore[misc]
    yield from map(plain_figure, view.metrics[len(view.with_intervals) :])
    if candidates == UNSEEN.name and FULL.name in board.sets:
        yield _gain_column(view.headline)


def _what_columns(rows: Sequence[Row]) -> list[Shown[Row]]:
    losses = _losses(rows)
    return [
        Shown("reads", lambda row: READS.get(tuple(sorted(row.first.needs)), "other"), left=True),
        Shown("loss", lambda row: losses.get(row.first.loss or "", ""), left=True),
    ]


def _losses(rows: Sequence[Row]) -> dict[str, str]:
    """The losses of rows in a word or two; a number tells apart those that are alike in these."""
    told = list(dict.fromkeys(row.first.loss for row in rows if row.first.loss))
    words = [short(plain(loss)) for loss in told]
    return {
        loss: f"{word} ({words[: place + 1].count(word)})" if words.count(word) > 1 else word
        for place, (loss, word) in enumerate(zip(told, words, strict=True))
    }


def _abbreviations(rows: Sequence[Row]) -> Iterator[str]:
    needs = {tuple(sorted(row.first.needs)) for row in rows} - {()}
    if needs:
        yield (
            "reads: what a model is given of items beside their numbers, both being text and image."
        )
    cut = {word: plain(loss) for loss, word in _losses(rows).items() if word != plain(loss)}
    if cut:
        listed = "; ".join(f"{word}: {loss}" for word, loss in cut.items())
        yield f"loss, in full: {listed}."


def _gain_column(metric: str) -> Shown[Row]:
    def gain(row: Row) -> Cell:
        unseen, full = row.figure(UNSEEN.name, metric), row.figure(FULL.name, metric)
        if unseen is None or full is None or not full.mean:
            return Cell()
        share = unseen.mean / full.mean - 1
        return Cell(f"{share:+.0%}", share)

    return Shown(f"against {FULL.name}", gain)


def _share(share: float | None) -> Cell:
    return Cell() if share is None else Cell(decimals(share), share)


def _swaps(board: Board, candidates: str, metric: str) -> str:
    """How many pairs of rows this set orders otherwise than the whole catalogue does."""
    both = [
        (full.mean, sample.mean)
        for row in board.rows
        if row.first.cell.limit is None
        if (full := row.figure(FULL.name, metric)) and (sample := row.figure(candidates, metric))
    ]
    couples = list(itertools.combinations(both, 2))
    if not couples:
        return ""
    swapped = sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for a, b in couples)
    return (
        f" Here {swapped} of {plural(len(couples), 'pair')} of rows "
        f"{'stands' if swapped == 1 else 'stand'} in the other order than under {FULL.name}."
    )
