"""Figures of rows as boards print them."""

from __future__ import annotations

from collections.abc import Sequence

from mmbench.report.aggregate import Estimate, Row
from mmbench.report.page import Cell
from mmbench.report.statistics import Interval
from mmbench.report.statistics.letters import in_order
from mmbench.report.words import decimals


def mean(estimate: Estimate | None) -> str:
    """``0.0418``, empty where there is none."""
    return "" if estimate is None else decimals(estimate.mean)


def plus_minus(told: Interval) -> str:
    """``0.0418 ± 0.0021``, half of the interval; the value alone where nothing varies."""
    half = told.high - told.value
    return decimals(told.value) + (f" ± {decimals(half)}" if half else "")


def with_deviation(estimate: Estimate | None) -> str:
    """``0.0418 ± 0.0003``, the deviation only where there are several seeds."""
    if estimate is None:
        return ""
    deviation = "" if estimate.sd is None else f" ± {decimals(estimate.sd)}"
    return f"{decimals(estimate.mean)}{deviation}"


def seeds(row: Row) -> Cell:
    """``3``, or ``2 of 3`` where a seed did not finish."""
    done, every = len(row.done), len(row.records)
    return Cell(str(done) if done == every else f"{done} of {every}", done)


def of_mean(estimate: Estimate | None) -> Cell:
    """A mean as a cell."""
    return Cell() if estimate is None else Cell(mean(estimate), estimate.mean)


def of_interval(told: Interval) -> Cell:
    """A mean and its interval as a cell."""
    return Cell(plus_minus(told), told.value, told.low, told.high)


def letters(group: Sequence[str]) -> str:
    """``abd``; three or more in a row are told by their ends, ``a-d``."""
    runs: list[list[str]] = []
    for one in group:
        if runs and in_order(runs[-1][-1], one):
            runs[-1].append(one)
        else:
            runs.append([one])
    return "".join(f"{r[0]}-{r[-1]}" if len(r) > 2 else "".join(r) for r in runs)
