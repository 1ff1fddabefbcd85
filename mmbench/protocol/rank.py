"""Ranks by counting: how many items score above a target, and how many tie with it.

Two modules hold the same three functions: ``rank_numpy`` runs everywhere, ``rank_numba`` is
compiled and reads each row of scores from memory once. They answer the same to the last bit, so
which one runs is recorded with a result's environment and is no part of its identity.

Scores are float32[b, n], C-contiguous; -inf is an item that was not retrieved, and ties with all
others that were not. Nothing sorts the catalogue.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import NamedTuple, Protocol

from mmbench.protocol.candidate_sets import Kind
from mmbench.views import Float32, Int32, Int64

TOP = 20
SPARE = 12  # so many more are looked for at first, as some of the best will have been seen
GROUPED = 16  # items to a group, see ``rank_numba``
WHOLE: tuple[Kind, ...] = ("full", "unseen")  # the kinds that one sweep over the catalogue ranks
COMPILED_FROM = 100_000_000  # scores in an evaluation; for fewer, loading numba takes longer


class RankRows(Protocol):
    """Rank the targets of some queries against the catalogue, with and without the seen items."""

    def __call__(
        self,
        scores: Float32,
        target: Int32,
        offsets: Int64,
        seen: Int32,
        counts: Int32,
        top: Int32,
    ) -> int:
        """Fill ``counts`` and ``top``.

        Args:
            scores: float32[b, n_items]; column ``j`` is item ``j + 1``.
            target: int32[b].
            offsets: int64[b + 1]: query ``i`` has seen ``seen[offsets[i]:offsets[i + 1]]``,
            seen: ascending for each query, no item twice.
            counts: out, int32[2, 2, b]: for each of ``WHOLE`` the candidates above the target, and
                the others tied with it; -1 and 0 where the target is no candidate.
            top: out, int32[2, b, TOP]: for each of ``WHOLE`` the best items, by score and, where
                level, by number; 0 where none is left. Items of score -inf are not listed.

        Returns:
            The first row that holds NaN or +inf, where the outputs say nothing then; or -1.
        """


class AmongRows(Protocol):
    """Rank the targets of some queries against a few candidates each."""

    def __call__(self, scores: Float32, target: Int32, candidates: Int32, counts: Int32) -> None:
        """Fill ``counts``.

        Args:
            scores: float32[b, n], none of them NaN or +inf; column ``j`` is number ``j + 1``.
            target: int32[b].
            candidates: int32[b, c], the target among them; 0 is none.
            counts: out, int32[2, b], as in ``RankRows``.
        """


class CountRows(Protocol):
    """Rank the targets of some queries against all columns of a matrix."""

    def __call__(self, scores: Float32, column: Int64, counts: Int32) -> int:
        """Fill ``counts``.

        Args:
            scores: float32[b, c].
            column: int64[b], where the target stands.
            counts: out, int32[2, b], as in ``RankRows``.

        Returns:
            As ``RankRows``.
        """


class Engine(NamedTuple):
    """What ranks: the library's name, and its three functions."""

    name: str
    rank_rows: RankRows
    among_rows: AmongRows
    count_rows: CountRows


def choose_engine(scores: int) -> Engine:
    """The engine for an evaluation of so many scores.

    numba where it is installed and the work is large, else numpy.
    """
    if scores >= COMPILED_FROM and has_numba():
        return numba_engine()
    return numpy_engine()


def has_numba() -> bool:
    """Whether the extra ``mmbench[fast]`` is installed; numba is not imported for it."""
    return importlib.util.find_spec("numba") is not None


@functools.cache
def numpy_engine() -> Engine:
    """The engine that needs numpy alone."""
    from mmbench.protocol import rank_numpy

    return Engine("numpy", rank_numpy.rank_rows, rank_numpy.among_rows, rank_numpy.count_rows)


@functools.cache
def numba_engine() -> Engine:
    """The compiled engine. Raises ImportError where numba is not installed."""
    from mmbench.protocol import rank_numba

    return Engine("numba", rank_numba.rank_rows, rank_numba.among_rows, rank_numba.count_rows)
