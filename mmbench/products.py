"""Inner products whose ties, and whose scores in company, do not depend on what multiplies.

A BLAS makes the elements of a matrix product by several roads: blocks in the middle by one, rests
at an edge by another, a few rows by a third, each adding in an order of its own. Which element
takes which road depends on its place, on the product's shape, on the processor and on the number
of threads. (Of 64 equal rows times 12,000 equal columns, OpenBLAS's kernels for AVX2 make two
different numbers, in bands of six rows and some hundred columns.) Two things hold here in any case:

- Items of equal vectors are tied: they get a copy of the score of the first.
- A query has the scores that it has alone. Query ``n`` stands in row ``n % rows`` of a product of
  one shape, filled up with zeros. An element depends on its row, its column, its place and the
  shape, and none of these changes with the company.

What remains are scores of unequal vectors: their last bits may differ between processors, and
between numbers of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmbench.views import Float32, Int64

MOST_ROWS, FEWEST_ROWS = 64, 16  # of a block: its scores should fit a cache; few rows are slow
BLOCK_BYTES = 32 * 2**20
_HASHED_BYTES = 2**20  # of vectors that are looked at together


class Duplicates(NamedTuple):
    """Rows that are as an earlier one is: row ``later[k]`` equals row ``first[k]``, int64[m] both.

    ``later`` ascends, and no ``first`` is among it.
    """

    later: Int64
    first: Int64


def find_duplicates(vectors: NDArray[np.floating]) -> Duplicates:
    """The rows of float[n, d] that equal an earlier row as float32 numbers, where 0.0 is -0.0.

    Rows get a number each, a sum modulo 2**64 that is the same for equal rows. Only those that
    share theirs are compared, so that unequal rows, the usual case, cost one pass.
    """
    numbers = np.empty(len(vectors), dtype=np.uint64)
    weights = np.random.default_rng(0).integers(2**64, size=vectors.shape[1], dtype=np.uint64)
    step = max(1, _HASHED_BYTES // max(1, 4 * vectors.shape[1]))
    for start in range(0, len(vectors), step):
        numbers[start : start + step] = _bits(vectors[start : start + step]) @ (weights | 1)
    order = np.argsort(numbers, kind="stable")
    shared = np.diff(numbers[order]) == 0
    suspects = np.sort(order[np.append(shared, False) | np.append(False, shared)])
    known: dict[bytes, int] = {}
    pairs = [(row, known.setdefault(_bits(vectors[row]).tobytes(), row)) for row in suspects]
    found = np.array([pair for pair in pairs if pair[0] != pair[1]], dtype=np.int64).reshape(-1, 2)
    return Duplicates(found[:, 0], found[:, 1])


def _bits(vectors: NDArray[np.floating]) -> NDArray[np.uint32]:
    """uint32, of the same shape: equal where the numbers are equal."""
    with np.errstate(over="ignore"):
        narrow = np.asarray(vectors, dtype=np.float32, order="C")
    bits: NDArray[np.uint32] = (narrow + np.float32(0)).view(np.uint32)  # -0.0 + 0.0 is 0.0
    return bits


def block_rows(n_items: int) -> int:
    """Rows of a block of scores: 64, or what fits 32 MB, but 16 at the least."""
    return max(FEWEST_ROWS, min(MOST_ROWS, BLOCK_BYTES // (4 * max(1, n_items))))


class Products:
    """Inner products of queries with the vectors of one catalogue, see the module's text.

    Args:
        items: float[n, d], taken as float32, none for padding; it must not change.
    """

    def __init__(self, items: NDArray[np.floating]) -> None:
        self.items: Float32 = np.asarray(items, dtype=np.float32)
        self.duplicates = find_duplicates(self.items)
        self.rows = block_rows(len(items))
        self._block: Float32 = np.zeros((self.rows, self.items.shape[1]), dtype=np.float32)

    def fill(self, queries: NDArray[np.floating], place: int, out: Float32) -> None:
        """Fill rows ``place`` and following of ``out`` with the scores of some queries.

        Args:
            queries: float[m, d], taken as float32, with ``place + m <= rows``.
            place: of the first of them: its number modulo ``rows``.
            out: float32[rows, n], C-contiguous; what its other rows hold then says nothing.
        """
        self._block.fill(0)
        self._block[place : place + len(queries)] = queries
        with np.errstate(over="ignore", invalid="ignore"):
            np.matmul(self._block, self.items.T, out=out)
        if len(self.duplicates.later):
            out[:, self.duplicates.later] = out[:, self.duplicates.first]

    def rate(self, queries: NDArray[np.floating]) -> Float32:
        """float32[b, n]: the scores of float[b, d], whose numbers are their rows here."""
        blocks = -(-len(queries) // self.rows)
        scores: Float32 = np.empty((blocks * self.rows, len(self.items)), dtype=np.float32)
        for start in range(0, len(queries), self.rows):
            self.fill(queries[start : start + self.rows], 0, scores[start : start + self.rows])
        return scores[: len(queries)]
