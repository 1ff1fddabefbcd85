"""How far two rows differ: users and seeds in, a difference with its uncertainty out.

A user's figure is averaged over a row's seeds, and two rows are held against each other user by
user where both were asked about the same ones. What is claimed is meant for other users and other
seeds: the variance of a difference is that over users and that over seeds, added, with degrees of
freedom after Satterthwaite (1946), so that few seeds make wide intervals. Intervals of a ratio are
Fieller's (1954), which do not ask for a small error of the figure below the line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

ALPHA = 0.05  # two-sided: intervals hold 95%
POWER = 0.8
ROUNDING = 1e-12  # a user's two figures are tied where they differ by no more

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the ends of its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Row a against row b.

    Attributes:
        a, b: the two means.
        users: of a and of b; where ``paired``, the same ones.
        seeds: of a and of b.
        paired: whether users were held against themselves.
        absolute: a - b.
        relative: a / b - 1; None where b is not told from 0, so that a ratio could be anything.
        p: two-sided, for no difference.
        df: degrees of freedom of the interval.
        user_error, seed_error: the two parts of the standard error of a - b; they add as squares.
        noise_known: of a and of b, whether its seeds tell how they vary. Where one does not, the
            interval is too narrow by what is not known.
        won, level, lost: shares of users; None where not paired.
        d_z: the mean difference over its standard deviation between users; None where not paired
            or where there is no deviation.
        margin: relative, as in 0.01.
        equivalence_p: of two one-sided tests that a lies within the margin of b.
        detectable: the smallest difference that such data shows four times in five, at 5%.
    """

    a: float
    b: float
    users: tuple[int, int]
    seeds: tuple[int, int]
    paired: bool
    absolute: Interval
    relative: Interval | None
    p: float
    df: float
    user_error: float
    seed_error: float
    noise_known: tuple[bool, bool]
    won: float | None
    level: float | None
    lost: float | None
    d_z: float | None
    margin: float
    equivalence_p: float
    detectable: float

    @property
    def error(self) -> float:
        """The standard error of a - b."""
        return math.hypot(self.user_error, self.seed_error)

    @property
    def equivalent(self) -> bool:
        """Whether a lies within the margin of b, at 5%."""
        return self.equivalence_p < ALPHA


def compare_rows(
    a: Float64,
    b: Float64,
    *,
    paired: bool = True,
    margin: float = 0.01,
    steady: tuple[bool, bool] = (False, False),
) -> Difference:
    """The difference of two rows.

    Args:
        a: float64[seeds, users], a metric of every user in every seed.
        b: as ``a``; where ``paired``, with the same users in the same order.
        paired: False for two different groups of users (Welch).
        margin: within what share of b a counts as equivalent.
        steady: of a and of b, whether another seed would give the same, known from elsewhere; two
            seeds or more speak for themselves.

    Raises ValueError for fewer than two users, no seed, or pairs of unlike length.
    """
    _demand_spread("a", a)
    _demand_spread("b", b)
    if paired and a.shape[1] != b.shape[1]:
        raise ValueError(f"pairs of {a.shape[1]} and {b.shape[1]} users")
    mean_a, mean_b = float(a.mean()), float(b.mean())
    gap = mean_a - mean_b
    users, user_parts = _over_users(a.mean(axis=0), b.mean(axis=0), paired)
    seeds, seed_parts = _over_seeds(a, b)
    spread = _Spread(*(x + y for x, y in zip(users, seeds, strict=True)))
    df = _satterthwaite([*user_parts, *seed_parts])
    error = spread.error(0.0)
    reach = _quantile(1 - ALPHA / 2, df) * error
    each = a.mean(axis=0) - b.mean(axis=0) if paired else None
    above = _tail(gap + margin * mean_b, spread.error(-margin), df)
    below = _tail(margin * mean_b - gap, spread.error(margin), df)
    return Difference(
        a=mean_a,
        b=mean_b,
        users=(a.shape[1], b.shape[1]),
        seeds=(len(a), len(b)),
        paired=paired,
        absolute=Interval(gap, gap - reach, gap + reach),
        relative=_ratio(gap, mean_b, spread, df),
        p=min(1.0, 2 * _tail(abs(gap), error, df)),
        df=df,
        user_error=users.error(0.0),
        seed_error=seeds.error(0.0),
        noise_known=(len(a) > 1 or steady[0], len(b) > 1 or steady[1]),
        won=None if each is None else float((each > ROUNDING).mean()),
        level=None if each is None else float((np.abs(each) <= ROUNDING).mean()),
        lost=None if each is None else float((each < -ROUNDING).mean()),
        d_z=None if each is None else _over(gap, float(each.std(ddof=1))),
        margin=margin,
        equivalence_p=max(above, below),
        detectable=detectable(error, df),
    )


def mean_interval(figures: Float64) -> Interval:
    """A row's mean with its 95% interval, over users and, where there are several, seeds.

    Args:
        figures: float64[seeds, users], a metric of every user in every seed. Of a lone seed the
            interval is over users alone, and too narrow where another seed would give others.

    Raises ValueError for fewer than two users, or no seed.
    """
    _demand_spread("a row", figures)
    users = figures.mean(axis=0)
    parts = [(float(users.var(ddof=1)) / len(users), len(users) - 1)]
    if len(figures) > 1:
        parts.append((_of_seeds(figures), len(figures) - 1))
    reach = _quantile(1 - ALPHA / 2, _satterthwaite(parts)) * math.sqrt(sum(v for v, _ in parts))
    mean = float(figures.mean())
    return Interval(mean, mean - reach, mean + reach)


def detectable(error: float, df: float, alpha: float = ALPHA) -> float:
    """The true difference that a two-sided test at ``alpha`` shows with a power of 80%.

    By shifting the t distribution; the exact one is not centred, and gives the same to 1% from
    ten degrees of freedom on. Of a family of ``m`` pairs, ``alpha / m`` is the level of the first.
    """
    return (_quantile(1 - alpha / 2, df) + _quantile(POWER, df)) * error


def _demand_spread(name: str, figures: Float64) -> None:
    if figures.ndim != 2 or not len(figures) or figures.shape[1] < 2:
        raise ValueError(f"{name} has shape {figures.shape}: one seed and two users at least")


class _Spread(NamedTuple):
    """The variance of ``d - s * b`` for any ``s``, where ``d = a - b``: a quadratic in ``s``.

    With ``s = 0`` it is that of the difference, and where it is told from 0 decides whether ``s``
    may be the relative difference.
    """

    d: float
    d_and_b: float
    b: float

    def error(self, s: float) -> float:
        """The standard error."""
        return math.sqrt(max(0.0, self.d - 2 * s * self.d_and_b + s * s * self.b))


Parts = list[tuple[float, int]]  # variances and their degrees of freedom


def _over_users(a: Float64, b: Float64, paired: bool) -> tuple[_Spread, Parts]:
    """Of the mean over users; a and b hold a figure a user."""
    if paired:
        gaps = a - b
        # no dot product: a BLAS rounds by the kernel and the threads that it takes
        both = float(((gaps - gaps.mean()) * (b - b.mean())).sum()) / (len(a) - 1)
        d, own = float(gaps.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(a)
        return _Spread(d, both / len(a), own), [(d, len(a) - 1)]
    other, own = float(a.var(ddof=1) / len(a)), float(b.var(ddof=1) / len(b))
    return _Spread(other + own, -own, own), [(other, len(a) - 1), (own, len(b) - 1)]


def _over_seeds(a: Float64, b: Float64) -> tuple[_Spread, Parts]:
    """Of the mean over seeds; a lone seed tells nothing, and adds nothing."""
    other, own = (_of_seeds(row) if len(row) > 1 else 0.0 for row in (a, b))
    parts = [(v, len(row) - 1) for v, row in ((other, a), (own, b)) if len(row) > 1]
    return _Spread(other + own, -own, own), parts


def _of_seeds(row: Float64) -> float:
    """The variance of a row's mean over its seeds."""
    return float(row.mean(axis=1).var(ddof=1) / len(row))


def _satterthwaite(parts: Sequence[tuple[float, int]]) -> float:
    """Degrees of freedom of a sum of variances, each with its own."""
    total = sum(variance for variance, _ in parts)
    if not total:
        return float(parts[0][1])
    return float(total**2 / sum(variance**2 / df for variance, df in parts))


def _ratio(gap: float, b: float, spread: _Spread, df: float) -> Interval | None:
    """The relative difference with Fieller's interval: each ``s`` with which ``d = s * b`` may be.

    None where b itself may be 0: then no ratio is ruled out.
    """
    squared = _quantile(1 - ALPHA / 2, df) ** 2
    two = b * b - squared * spread.b
    one = gap * b - squared * spread.d_and_b
    none = gap * gap - squared * spread.d
    if two <= 0:
        return None
    root = math.sqrt(max(0.0, one * one - two * none))
    return Interval(gap / b, (one - root) / two, (one + root) / two)


def _tail(value: float, error: float, df: float) -> float:
    """The chance that t is above ``value / error``."""
    if not error:
        return 0.5 if not value else float(value < 0)
    return float(stdtr(df, -value / error))


def _quantile(share: float, df: float) -> float:
    return float(stdtrit(df, share))


def _over(value: float, deviation: float) -> float | None:
    return value / deviation if deviation else None
