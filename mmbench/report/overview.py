"""The index's tables over datasets: the same rows on several boards of a protocol, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from mmbench.protocol.candidate_sets import FULL, UNSEEN
from mmbench.report.aggregate import HEADLINE, Board
from mmbench.report.claims import plus_minus
from mmbench.report.lineup_lines import FEW, KIN
from mmbench.report.markdown import Column, escape, table
from mmbench.report.standings import MARGIN, Evidence
from mmbench.report.statistics import Interval
from mmbench.report.statistics.datasets import ENOUGH, Overall, over_datasets
from mmbench.report.verdict import chance, share
from mmbench.report.words import plural

BASELINE = "pop"
Entries = list[tuple[Board, Evidence]]


def overviews(entries: Iterable[tuple[Board, Evidence]], baseline: str = BASELINE) -> list[str]:
    """A section (markdown) for each protocol with rows of one name on two datasets or more."""
    protocols: dict[str, Entries] = defaultdict(list)
    for board, evidence in entries:
        protocols[board.protocol].append((board, evidence))
    sections = [_overview(name, protocols[name], baseline) for name in sorted(protocols)]
    return [section for section in sections if section]


def _overview(protocol: str, entries: Entries, baseline: str) -> str:
    candidates = next(
        (s for s in (UNSEEN.name, FULL.name) if any(s in e.standings for _, e in entries)), ""
    )
    figures: dict[str, dict[str, Interval]] = defaultdict(dict)
    for board, evidence in entries:
        if candidates in evidence.standings:
            for row in board.ranked(candidates):
                standing = evidence.standings[candidates].of(row)
                if standing is not None:
                    figures[row.name][board.dataset] = standing.intervals[HEADLINE]
    several = {name: told for name, told in sorted(figures.items()) if len(told) > 1}
    if len(several) < 2 or baseline not in several:
        return ""
    datasets = sorted({name for told in several.values() for name in told})
    rows = over_datasets(several, baseline, MARGIN)
    rows = tuple(sorted(rows, key=lambda row: (-len(row.figures), -(row.log_ratio or 0.0))))
    lines = [
        f"Rows that stand on two boards or more, by their names; {HEADLINE} on "
        f"{escape(candidates)}, ± half of the 95% interval over users and, where there are "
        "several, seeds; – where a row is missing, which is left out and never guessed. places: "
        "the best and the worst among the rows that are there on all datasets. log ratio: the mean "
        f"over the datasets of both, to {escape(baseline)}.",
        FEW if len(datasets) < ENOUGH else _tested(baseline),
        KIN,
    ]
    title = f"## {escape(protocol)} over {plural(len(datasets), 'dataset')}"
    return "\n\n".join([title, table(_columns(datasets), rows), *lines])


def _columns(datasets: Iterable[str]) -> list[Column[Overall]]:
    def figure(dataset: str) -> Column[Overall]:
        def show(row: Overall) -> str:
            return plus_minus(row.figures[dataset]) if dataset in row.figures else ""

        return Column(escape(dataset), show)

    def places(row: Overall) -> str:
        return "" if row.places is None else f"{row.places[0]}-{row.places[1]}"

    def ratio(row: Overall) -> str:
        return "" if row.log_ratio is None else f"{row.log_ratio:+.3f} (of {row.datasets})"

    def belief(row: Overall) -> str:
        told = row.belief
        return "" if told is None else f"{told.below:.3f} / {told.within:.3f} / {told.above:.3f}"

    return [
        Column("model", lambda row: escape(row.row), left=True),
        *map(figure, datasets),
        Column("places", places),
        Column("log ratio", ratio),
        Column("p", lambda row: "" if row.p is None else chance(row.p).removeprefix("= ")),
        Column("worse / level / better", belief),
    ]


def _tested(baseline: str) -> str:
    return (
        f"p: signed-rank test of the log ratios to {escape(baseline)}, Holm over the rows that "
        f"have {ENOUGH} datasets or more. worse / level / better: a Bayesian signed-rank test's "
        f"chances on another dataset, level being within {share(MARGIN)}."
    )
