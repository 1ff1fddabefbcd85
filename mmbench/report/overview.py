"""The index's tables over datasets: the same rows on several boards of a protocol, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from mmbench.protocol.candidate_sets import FULL, UNSEEN
from mmbench.report.aggregate import Board
from mmbench.report.lineup_lines import FEW, KIN
from mmbench.report.numbers import of_interval
from mmbench.report.page import Cell, Section, Shown, make_table
from mmbench.report.standings import MARGIN, Evidence
from mmbench.report.statistics import Interval
from mmbench.report.statistics.datasets import ENOUGH, Overall, over_datasets
from mmbench.report.verdict import chance, share
from mmbench.report.view import DEFAULT, View
from mmbench.report.words import key_of, plain, plural

BASELINE = "pop"
Entries = list[tuple[Board, Evidence]]


def overviews(
    entries: Iterable[tuple[Board, Evidence]], view: View = DEFAULT, baseline: str = BASELINE
) -> list[Section]:
    """A section for each protocol with rows of one name on two datasets or more.

    What is said of several datasets is made of the rows that ``view`` shows.
    """
    protocols: dict[str, Entries] = defaultdict(list)
    for board, evidence in entries:
        protocols[board.protocol].append((board, evidence))
    sections = [_overview(name, protocols[name], view, baseline) for name in sorted(protocols)]
    return [section for section in sections if section is not None]


def _overview(protocol: str, entries: Entries, view: View, baseline: str) -> Section | None:
    usual = view.sets or (UNSEEN.name, FULL.name)
    candidates = next((s for s in usual if any(s in e.standings for _, e in entries)), "")
    figures: dict[str, dict[str, Interval]] = defaultdict(dict)
    for board, evidence in entries:
        if candidates in evidence.standings:
            for row in board.ranked(candidates):
                standing = evidence.standings[candidates].of(row)
                if standing is not None and view.shows(row):
                    figures[row.name][board.dataset] = standing.intervals[view.headline]
    several = {name: told for name, told in sorted(figures.items()) if len(told) > 1}
    if len(several) < 2 or baseline not in several:
        return None
    datasets = sorted({name for told in several.values() for name in told})
    rows = over_datasets(several, baseline, MARGIN)
    rows = tuple(sorted(rows, key=lambda row: (-len(row.figures), -(row.log_ratio or 0.0))))
    lines = (
        f"Rows that stand on two boards or more, by their names; {view.headline} on "
        f"{plain(candidates)}, ± half of the 95% interval over users and, where there are "
        "several, seeds; – where a row is missing, which is left out and never guessed. places: "
        "the best and the worst among the rows that are there on all datasets. log ratio: the mean "
        f"over the datasets of both, to {plain(baseline)}.",
        FEW if len(datasets) < ENOUGH else _tested(baseline),
        KIN,
    )
    title = f"{plain(protocol)} over {plural(len(datasets), 'dataset')}"
    found = make_table(_columns(datasets), rows)
    return Section(f"over-{key_of(protocol)}", title, table=found, after=lines)


def _columns(datasets: Iterable[str]) -> list[Shown[Overall]]:
    def figure(dataset: str) -> Shown[Overall]:
        def show(row: Overall) -> Cell:
            return of_interval(row.figures[dataset]) if dataset in row.figures else Cell()

        return Shown(plain(dataset), show)

    def places(row: Overall) -> str:
        return "" if row.places is None else f"{row.places[0]}-{row.places[1]}"

    def ratio(row: Overall) -> Cell:
        if row.log_ratio is None:
            return Cell()
        return Cell(f"{row.log_ratio:+.3f} (of {row.datasets})", row.log_ratio)

    def belief(row: Overall) -> str:
        told = row.belief
        return "" if told is None else f"{told.below:.3f} / {told.within:.3f} / {told.above:.3f}"

    return [
        Shown("model", lambda row: plain(row.row), left=True),
        *map(figure, datasets),
        Shown("places", places),
        Shown("log ratio", ratio),
        Shown(
            "p",
            lambda r: Cell() if r.p is None else Cell(chance(r.p).removeprefix("= "), r.p),
        ),
        Shown("worse / equivalent / better", belief),
    ]


def _tested(baseline: str) -> str:
    return (
        f"p: signed-rank test of the log ratios to {plain(baseline)}, Holm over the rows that "
        f"have {ENOUGH} datasets or more. worse / equivalent / better: a Bayesian signed-rank "
        f"test's chances on another dataset; equivalent is within {share(MARGIN)}."
    )
