"""One board as a page: what was asked, a table for each candidate set, costs, caveats."""

from __future__ import annotations

from collections.abc import Iterator

from mmbench.protocol.candidate_sets import FULL, UNSEEN
from mmbench.protocol.protocols import explain_protocol
from mmbench.report.accuracy import accuracy, model_column
from mmbench.report.aggregate import Board, Row
from mmbench.report.caveats import data_caveats
from mmbench.report.costs import costs
from mmbench.report.drawings import curves
from mmbench.report.failures import Failure, failures
from mmbench.report.kinds import kinds
from mmbench.report.notes import marks, numbered
from mmbench.report.numbers import of_mean
from mmbench.report.origin import origin
from mmbench.report.page import Cell, Page, Section, Shown, make_table
from mmbench.report.papers import Comparison
from mmbench.report.standings import NOTHING, Evidence
from mmbench.report.view import DEFAULT, View
from mmbench.report.words import RULES, count, decimals, key_of, plain


def make_page(
    board: Board,
    evidence: Evidence = NOTHING,
    view: View = DEFAULT,
    links: tuple[tuple[str, str], ...] = (),
) -> Page:
    """The board as data; the same results give the same page.

    Args:
        board: the whole board, of which ``view`` may choose.
        evidence: what its stored ranks say (``gather``); without it there are no intervals.
        view: what is shown of it. Groups and places stay those of the whole board.
        links: to files beside the board, such as the grids that made it.
    """
    sections = [
        *(accuracy(board, name, evidence, view) for name in view.sets_of(board)),
        *kinds(board, evidence, view),
        *_unfinished(board, view),
        *_beyond(board, view),
        *_papers(board, view),
        *costs(board, view),
        *_curves(board, view),
    ]
    shown = {text for row in board.rows if view.shows(row) for text in row.notes}
    return Page(
        title=f"{plain(board.facts.data.name or board.dataset)}, protocol {plain(board.protocol)}",
        key=(board.protocol, board.dataset),
        facts=(*_data_lines(board), _protocol_line(board)),
        rules=tuple(_rules(board, view)),
        sections=tuple(sections),
        footnotes={number: text for text, number in numbered(board).items() if text in shown},
        origin=tuple(origin(board, view)),
        links=links,
    )


def _data_lines(board: Board) -> Iterator[str]:
    facts = board.facts
    sizes = {
        "users": facts.users,
        "items": facts.catalogue,
        "events": facts.events,
        "queries": facts.queries,
    }
    known = [f"{count(size)} {noun}" for noun, size in sizes.items() if size is not None]
    yield f"Data: {', '.join([plain(board.dataset), *known])}"
    for remark in facts.data.remarks:
        yield f"Remark: {plain(remark)}"
    yield from map(plain, data_caveats(board))
    if facts.data.licence:
        yield f"Licence: {plain(facts.data.licence)}"
    for metric, ceiling in sorted(facts.data.ceilings.items()):
        yield f"Best possible {plain(metric)}: {decimals(ceiling)}"


def _protocol_line(board: Board) -> str:
    told = explain_protocol(board.protocol)
    return f"Protocol {plain(board.protocol)}{f': {told}' if told else ''}"


def _rules(board: Board, view: View) -> Iterator[str]:
    yield RULES
    if not board.sets:
        yield "No cell has finished yet."
    elif not view.sets_of(board):
        yield f"No row was asked for {', '.join(view.sets)}."
    elif {FULL.name, UNSEEN.name} <= set(board.sets):
        yield why_main(board)
    hidden = sum(not view.shows(row) for row in board.rows)
    if hidden:
        yield (
            f"{len(board.rows) - hidden} of {len(board.rows)} rows are shown. Groups, places and "
            "tests are those of all rows."
        )


def why_main(board: Board) -> str:
    """Which set comes first, and why."""
    if board.main == UNSEEN.name:
        return (
            f"Rows are ordered on {UNSEEN.name}: no target here is in its user's history, so that "
            "nothing is lost with the history."
        )
    return (
        f"Rows are ordered on {FULL.name}: here a user's target may be in the history, and "
        f"{UNSEEN.name} cannot ask for such a one."
    )


def _unfinished(board: Board, view: View) -> Iterator[Section]:
    columns: list[Shown[Failure]] = [
        Shown("model", lambda f: Cell(plain(f.row.name), marks=marks(f.row, board)), left=True),
        Shown("seed", lambda f: ", ".join(map(str, f.seeds))),
        Shown("status", lambda f: f.kind, left=True),
        Shown("reason", lambda f: plain(f.reason), left=True),
    ]
    found = [failure for failure in failures(board) if view.shows(failure.row)]
    if found:
        yield Section("unfinished", "Without a figure", table=make_table(columns, found))


def _beyond(board: Board, view: View) -> Iterator[Section]:
    usual = ("coverage@10", "diversity@10", "novelty@10")
    later = (
        "distance@10",  # not counted by older records
        "text-equal@1",  # where items share their texts
        "text-equal@10",
    )

    def column(metric: str, candidates: str) -> Shown[Row]:
        return Shown(metric, lambda row: of_mean(row.beyond.get(candidates, {}).get(metric)))

    tables = []
    for candidates in view.sets_of(board):
        rows = [row for row in view.ranked(board, candidates) if row.beyond.get(candidates)]
        told = {metric for row in rows for metric in row.beyond[candidates]}
        metrics = [*usual, *(metric for metric in later if metric in told)]
        columns = [model_column(board), *(column(metric, candidates) for metric in metrics)]
        if rows:
            key, title = f"beyond-{key_of(candidates)}", f"{plain(candidates)} lists"
            tables.append(Section(key, title, 3, table=make_table(columns, rows), side=True))
    if tables:
        yield Section("beyond", "Beyond accuracy")
        yield from tables


def _papers(board: Board, view: View) -> Iterator[Section]:
    def remark(comparison: Comparison) -> str:
        gate = "; ".join(("published row fails the arithmetic gate", *comparison.violations))
        texts = [comparison.differs, gate if comparison.violations else ""]
        return plain("; ".join(filter(None, texts)))

    def figure(value: float | None, sign: str = "") -> Cell:
        return Cell() if value is None else Cell(f"{value:{sign}.4f}", value)

    columns: list[Shown[Comparison]] = [
        Shown("model", lambda c: plain(c.name), left=True),
        Shown("candidates", lambda c: plain(c.candidates), left=True),
        Shown("metric", lambda c: plain(c.metric), left=True),
        Shown("published", lambda c: figure(c.published)),
        Shown("ours", lambda c: figure(c.ours)),
        Shown("difference", lambda c: figure(c.difference, "+")),
        Shown("source", lambda c: plain(f"{c.source}: {c.model}"), left=True),
        Shown("differs", remark, left=True),
    ]
    names = {row.name for row in board.rows if view.shows(row)}
    found = [one for one in board.comparisons if one.name in names]
    if found:
        none = any(one.stand_in for one in found)
        why = "No difference is told where ours is a stand-in, or runs on smaller weights."
        yield Section(
            "papers",
            "Paper and ours",
            table=make_table(columns, found),
            after=(why,) if none else (),
            side=True,
        )


def _curves(board: Board, view: View) -> Iterator[Section]:
    rows = view.ranked(board, board.main)
    drawn = curves(rows)
    if drawn.rows:
        missing = sum(bool(r.curves) for row in rows for r in row.done[:1]) - len(drawn.rows)
        more = f" For {missing} more there is no room here." if missing > 0 else ""
        yield Section(
            "curves",
            "Training curves",
            before=(f"What models logged while they were trained, a line a seed.{more}",),
            drawings=(drawn,),
        )
