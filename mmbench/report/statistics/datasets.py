"""Over several datasets: few say little, and then no test is made."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmbench.report.statistics.difference import ALPHA, Interval
from mmbench.report.statistics.holm import holm
from mmbench.report.statistics.signed_rank import Belief, bayesian_signed_rank, signed_rank

ENOUGH = 6  # datasets: of five, Wilcoxon's smallest p is 2 / 32, above 5%


@dataclass(frozen=True, slots=True)
class Overall:
    """A row over the datasets that have it.

    Attributes:
        row: its name.
        figures: by dataset; what is missing is not there.
        places: the best and the worst place that the row's figure has on a dataset, among the
            rows that are there on all.
        log_ratio: the mean of the logarithm of its figure over the baseline's, over the datasets
            that have both above 0; None for the baseline, or where there is none.
        datasets: how many those are.
        p: of the signed-rank test of these log ratios, after Holm over the rows; None with fewer
            than six.
        belief: of the Bayesian signed-rank test; None with fewer than six.
    """

    row: str
    figures: dict[str, Interval]
    places: tuple[int, int] | None
    log_ratio: float | None
    datasets: int
    p: float | None
    belief: Belief | None

    @property
    def differs(self) -> bool:
        """Whether the row is told from the baseline."""
        return self.p is not None and self.p < ALPHA


def over_datasets(
    figures: Mapping[str, Mapping[str, Interval]], baseline: str, margin: float = 0.01
) -> tuple[Overall, ...]:
    """Rows over datasets, against a baseline.

    Args:
        figures: row to dataset to its figure there, in any order; missing ones are left out.
        baseline: one of the rows.
        margin: relative; ratios within it are practically equivalent.

    Places are among the rows that all datasets have, as a row that is missing somewhere would
    shift the others. Each row is tested against the baseline alone, so that no row's result
    depends on which others are there but through Holm. Raises ValueError where the baseline is
    not there.
    """
    if baseline not in figures:
        raise ValueError(f"no row is called {baseline!r}")
    ratios = {row: _log_ratios(figures[row], figures[baseline]) for row in figures}
    tested = [row for row in figures if row != baseline and len(ratios[row]) >= ENOUGH]
    adjusted = dict(zip(tested, holm([signed_rank(ratios[r]) for r in tested]), strict=True))
    region = math.log1p(margin)
    held = _places(figures)
    return tuple(
        Overall(
            row=row,
            figures=dict(figures[row]),
            places=held.get(row),
            log_ratio=statistics.fmean(ratios[row]) if ratios[row] and row != baseline else None,
            datasets=len(ratios[row]),
            p=adjusted.get(row),
            belief=bayesian_signed_rank(ratios[row], region) if row in adjusted else None,
        )
        for row in figures
    )


def _log_ratios(row: Mapping[str, Interval], baseline: Mapping[str, Interval]) -> list[float]:
    """On the datasets that have both figures above 0, in order of name."""
    return [
        math.log(row[name].value / baseline[name].value)
        for name in sorted(row.keys() & baseline.keys())
        if row[name].value > 0 and baseline[name].value > 0
    ]


def _places(figures: Mapping[str, Mapping[str, Interval]]) -> dict[str, tuple[int, int]]:
    """The best and worst place of each row that is there on all datasets; tied rows share one."""
    datasets = {name for told in figures.values() for name in told}
    whole = [row for row, told in figures.items() if told.keys() == datasets]
    held: dict[str, Sequence[int]] = {
        row: [
            1 + sum(figures[other][name].value > figures[row][name].value for other in whole)
            for name in datasets
        ]
        for row in whole
    }
    return {row: (min(told), max(told)) for row, told in held.items() if told}
