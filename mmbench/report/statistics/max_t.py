"""All pairs of models as they were trained: step-down max-|t| from sign flips that pairs share.

Where two models are alike, a user's figures may change places. One sign a user, for all pairs at
once, keeps how the pairs depend on each other, which Holm does not use (Westfall and Young,
Resampling-Based Multiple Testing, 1993, algorithm 4.1; the single step is Carterette's randomised
Tukey test, TOIS 30(1), 2012, with signs instead of permutations). Seeds are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mmbench.report.statistics.difference import Float64

FLIPS = 10_000
BLOCK = 250  # flips at a time: 250 x 22,363 users are 45 MB
FINEST = 30  # binary digits of a figure after the point that are kept at most


def max_t(
    figures: Float64, pairs: Sequence[tuple[int, int]], flips: int = FLIPS, chance: int = 0
) -> tuple[float, ...]:
    """The adjusted p values of pairs of models, for the models as they were trained.

    Args:
        figures: float64[models, users], a metric of each user, averaged over seeds; within -1..1.
        pairs: places of models in ``figures``.
        flips: how many draws of signs; p is at least ``1 / (flips + 1)``, as the figures as they
            are count as one more draw (Phipson and Smyth, SAGMB 9, 2010).
        chance: picks the draws; the same gives the same on every machine.

    The figures are rounded to whole multiples of ``2^-30`` (of less where there are millions of
    users). All sums are then whole numbers that float64 holds, and neither the order in which a
    matrix product adds nor the number of its threads can change a bit.

    Raises ValueError for fewer than two users, or figures outside of -1..1.
    """
    whole = _whole(figures)
    if not pairs:
        return ()
    first, second = np.array(pairs).T
    squares = np.array([((whole[a] - whole[b]) ** 2).sum() for a, b in pairs])
    users = whole.shape[1]
    whole = whole[:, (whole != whole[0]).any(axis=0)]  # the others tell no two models apart
    totals = whole.sum(axis=1)

    def statistics(sums: Float64) -> Float64:
        return _squared_t(sums[..., first] - sums[..., second], squares, users)

    observed = statistics(totals)
    order = np.argsort(-observed, kind="stable")
    exceeded = np.zeros(len(pairs), dtype=np.int64)
    for negative in _signs(whole.shape[1], flips, chance):
        drawn = statistics(totals - 2 * (negative @ whole.T))[:, order]
        # what pairs of less evidence reach: those of more are taken to differ already
        reached = np.maximum.accumulate(drawn[:, ::-1], axis=1)[:, ::-1]
        exceeded += (reached >= observed[order]).sum(axis=0)
    adjusted = np.empty(len(pairs))
    adjusted[order] = np.maximum.accumulate((exceeded + 1) / (flips + 1))
    return tuple(adjusted.tolist())


def _whole(figures: Float64) -> Float64:
    """The figures as whole numbers whose sum over users float64 holds."""
    if figures.ndim != 2 or figures.shape[1] < 2:
        raise ValueError(f"figures have shape {figures.shape}: two users at least")
    if not (np.abs(figures) <= 1).all():
        raise ValueError("figures lie in -1..1")
    spare = 51 - (figures.shape[1] - 1).bit_length()  # a difference takes one, twice a sum another
    return np.rint(np.ldexp(figures, min(FINEST, spare)))


def _squared_t(sums: Float64, squares: Float64, users: int) -> Float64:
    """The square of Student's t for sums of differences whose squares add to ``squares``."""
    left = squares - sums**2 / users  # of the squares, about the mean
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (users - 1) * sums**2 / (users * left)
    found = np.where(left <= 0, np.inf, found)  # all differ by the same
    return np.where(squares == 0, 0.0, found)  # or not at all


def _signs(users: int, flips: int, chance: int) -> Iterator[Float64]:
    """Blocks of float64[flips, users], 1 where a user's sign is flipped and 0 elsewhere.

    The bits are those of PCG64 itself, whose stream numpy promises to keep (NEP 19).
    """
    source = np.random.PCG64(chance)
    words = -(-users // 64)
    for start in range(0, flips, BLOCK):
        rows = min(BLOCK, flips - start)
        drawn = source.random_raw(rows * words).astype("<u8").reshape(rows, words)
        bits = np.unpackbits(drawn.view(np.uint8), axis=1, count=users)
        yield bits.astype(np.float64)
