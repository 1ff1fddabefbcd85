"""The pairs of one table, looked at together: what Holm lets be claimed of them.

A family is the pairs of one dataset, protocol, candidate set and metric. Other metrics and other
sets are other families: pooled, they would ask more of each pair the more one prints.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from mmbench.report.statistics.difference import (
    ALPHA,
    Difference,
    Float64,
    compare_rows,
    detectable,
)
from mmbench.report.statistics.holm import holm
from mmbench.report.statistics.letters import letters
from mmbench.report.statistics.places import places


@dataclass(frozen=True, slots=True)
class Sample:
    """A row's figures.

    Attributes:
        figures: float64[seeds, users], a metric of every user in every seed.
        steady: whether another seed would give the same, known from elsewhere.
    """

    figures: Float64
    steady: bool = False

    @property
    def noise_known(self) -> bool:
        """Whether the figures tell how they vary with the seed."""
        return len(self.figures) > 1 or self.steady


@dataclass(frozen=True, slots=True)
class Family:
    """Pairs of rows, and what may be said of them together.

    Attributes:
        rows: how many rows the pairs are of; they are named by their places.
        pairs: the two rows of each pair.
        differences: of each pair, the first row against the second.
        adjusted: p of each pair, after Holm (or what the family says that it was made with).
        equivalence: p of each pair that its rows lie within the margin, after Holm.
    """

    rows: int
    pairs: tuple[tuple[int, int], ...]
    differences: tuple[Difference, ...]
    adjusted: tuple[float, ...]
    equivalence: tuple[float, ...]

    @property
    def apart(self) -> tuple[tuple[int, int], ...]:
        """The pairs that are told apart, the better row first."""
        found = zip(self.pairs, self.differences, self.adjusted, strict=True)
        return tuple(
            (a, b) if told.absolute.value > 0 else (b, a) for (a, b), told, p in found if p < ALPHA
        )

    @property
    def equivalent(self) -> tuple[tuple[int, int], ...]:
        """The pairs whose rows are shown to lie within the margin of one another."""
        return tuple(
            pair for pair, p in zip(self.pairs, self.equivalence, strict=True) if p < ALPHA
        )

    def letters(self) -> tuple[tuple[str, ...], ...]:
        """Of each row; only where the family has all pairs, and its rows stand best first."""
        return letters(self.rows, self.apart)

    def places(self) -> tuple[tuple[int, int], ...]:
        """The first and the last place that each row may hold."""
        return places(self.rows, self.apart)

    def detectable(self, pairs: int = 1) -> float | None:
        """The smallest difference that is shown four times in five, for the middle pair.

        ``pairs`` is how many are looked at together: the level is 5% among all of them. None
        where no pair differs at all.
        """
        found = [
            detectable(told.error, told.df, ALPHA / pairs)
            for told in self.differences
            if told.error
        ]
        return statistics.median(found) if found else None


def compare_family(
    samples: Sequence[Sample], *, baseline: int | None = None, margin: float = 0.01
) -> Family:
    """All pairs of rows, the earlier one first, or each row against a baseline.

    The rows have the same users in the same order. Raises ValueError as ``compare_rows`` does.
    """
    numbers = range(len(samples))
    pairs = (
        tuple(itertools.combinations(numbers, 2))
        if baseline is None
        else tuple((number, baseline) for number in numbers if number != baseline)
    )
    differences = tuple(
        compare_rows(
            samples[a].figures,
            samples[b].figures,
            margin=margin,
            steady=(samples[a].steady, samples[b].steady),
        )
        for a, b in pairs
    )
    return Family(
        len(samples),
        pairs,
        differences,
        holm([told.p for told in differences]),
        holm([told.equivalence_p for told in differences]),
    )
