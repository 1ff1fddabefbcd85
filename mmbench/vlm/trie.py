"""A prefix trie of the items' token sequences: what may follow what, in arrays.

Nodes are numbered level by level in the order of their sequences, so that whatever lies below a
node, nodes or items, is a run of numbers, and many nodes are looked up at once. Numpy alone::

    trie = vlm.Trie([[7, 20], [7, 21], [9, 20]])      # items 1, 2 and 3
    trie.following([7])                               # [20, 21]
    place, child = trie.children(1, np.array([1, 0]))  # of the nodes [9] and [7]
    trie.tokens[2][child]                              # [20, 20, 21]; place is [0, 1, 1]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbench.views import Int32, Int64

Bool = NDArray[np.bool_]


class Trie:
    """Token sequences of equal length as a tree. Nothing in it is to be written to.

    Level 0 is the root; a node of the last level is a whole sequence, of one item or of several.

    Attributes:
        n_items: items, which are ``1..n_items``.
        levels: tokens of a sequence, the end token among them.
        items: int32[n_items], in the order of their sequences; those of one sequence by number.
        tokens: for each level int64[nodes], the last token of each node; the root's is -1.
        bounds: for each level int64[nodes + 1]: ``items[bounds[n] : bounds[n + 1]]`` are below n.
        first: for each level int32[nodes], the lowest item below each node.
    """

    def __init__(self, sequences: ArrayLike, end: int | None = None) -> None:
        """Build it; n log n in the number of items.

        Args:
            sequences: int[n_items, levels]; row i is of item i + 1. Equal rows are one sequence.
            end: a token that follows each sequence, such as ``backbone.end``; it is a level more.

        Raises ValueError where that is no table of whole numbers from 0 up, or an empty one.
        """
        table = np.asarray(sequences)
        if table.ndim != 2 or not table.size or table.dtype.kind not in "iu" or table.min() < 0:
            raise ValueError(
                f"sequences are a table of tokens, a row for each item, not {table.dtype} of shape "
                f"{table.shape}" + (f" with {table.min()} in it" if table.size else "")
            )
        table = table.astype(np.int64)
        if end is not None:
            table = np.column_stack([table, np.full(len(table), end)])
        self.n_items, self.levels = table.shape
        order = np.lexsort((np.arange(len(table)), *table.T[::-1]))
        table = table[order]
        # whether so many tokens are not all those of the row before
        other = np.logical_or.accumulate(table[1:] != table[:-1], axis=1)
        starts = [np.zeros(1, np.int64)] + [
            np.concatenate([[0], 1 + np.flatnonzero(other[:, level])])
            for level in range(self.levels)
        ]
        self.items: Int32 = (order + 1).astype(np.int32)
        self.bounds: list[Int64] = [np.append(start, self.n_items) for start in starts]
        self.tokens: list[Int64] = [np.full(1, -1)] + [
            table[start, level] for level, start in enumerate(starts[1:])
        ]
        self.first: list[Int32] = [np.minimum.reduceat(self.items, start) for start in starts]
        self._below = [
            np.searchsorted(starts[level + 1], self.bounds[level]) for level in range(self.levels)
        ]
        self._place = np.argsort(order)

    def __repr__(self) -> str:
        return f"Trie({self.n_items} items, nodes {' '.join(map(str, self.widths))})"

    @property
    def widths(self) -> tuple[int, ...]:
        """Nodes of each level, the root's left out; the last is the number of sequences."""
        return tuple(map(len, self.tokens[1:]))

    @property
    def largest_group(self) -> int:
        """Items of the sequence that has the most; 1 where sequences are unique."""
        return int(np.diff(self.bounds[-1]).max())

    def children(self, level: int, nodes: Int64) -> tuple[Int64, Int64]:
        """The children of nodes, as their place among ``nodes``, rising, and their own number.

        Args:
            level: of the nodes, not the last.
            nodes: int64[n]; one may occur several times.
        """
        below = self._below[level]
        return _runs(below[nodes], below[nodes + 1])

    def items_of(self, leaves: Int64) -> tuple[Int64, Int32]:
        """The items of nodes of the last level, as place among ``leaves``, rising, and number."""
        place, row = _runs(self.bounds[-1][leaves], self.bounds[-1][leaves + 1])
        return place, self.items[row]

    def places(self, items: ArrayLike) -> Int64:
        """int64, as many: where items stand in the order of sequences, from 0.

        Raises IndexError for what is no item.
        """
        numbers = np.asarray(items, dtype=np.int64)
        if numbers.size and not (numbers.min() >= 1 and numbers.max() <= self.n_items):
            wrong = numbers[(numbers < 1) | (numbers > self.n_items)][0]
            raise IndexError(f"{wrong} is no item; items are 1..{self.n_items}")
        return self._place[numbers - 1]

    def nodes_at(self, level: int, places: Int64) -> Int64:
        """int64, as many: the nodes of a level above places in the order of sequences."""
        return np.searchsorted(self.bounds[level], places, side="right") - 1

    def following(self, sequence: Sequence[int]) -> list[int]:
        """The tokens that may follow the beginning of a sequence; none after a whole one.

        So ``vlm.generate(..., allowed=lambda number, answer: trie.following(answer) or [end])``
        writes items. Raises KeyError for the beginning of none.
        """
        node = np.zeros(1, np.int64)
        for level, token in enumerate(sequence):
            if level == self.levels:
                raise KeyError(f"{list(sequence)} is longer than all sequences")
            _, child = self.children(level, node)
            node = child[self.tokens[level + 1][child] == token]
            if not len(node):
                raise KeyError(f"no sequence begins with {list(sequence[: level + 1])}")
        if len(sequence) == self.levels:
            return []
        _, child = self.children(len(sequence), node)
        found: list[int] = self.tokens[len(sequence) + 1][child].tolist()
        return found

    def bar(self, excluded: ArrayLike) -> Barred:
        """What queries must not be answered with.

        Args:
            excluded: int[b, e], items, with 0 where there is none; an item may stand twice.

        Raises IndexError for what is no item.
        """
        return Barred(self, excluded)


class Barred:
    """Items that queries must not be answered with; a node is closed when all below it are.

    It takes 8 bytes for each excluded item, however many nodes there are.
    """

    def __init__(self, trie: Trie, excluded: ArrayLike) -> None:
        self._trie = trie
        table = np.asarray(excluded, dtype=np.int64)
        query, column = np.nonzero(table)
        # a query's places follow those of the query before it
        self._keys = np.unique(query * (trie.n_items + 1) + trie.places(table[query, column]))

    def is_open(self, level: int, queries: Int64, nodes: Int64) -> Bool:
        """bool[n]: whether some item below a node may be an answer to a query.

        Args:
            level: of the nodes.
            queries: int64[n], rows of ``excluded``.
            nodes: int64[n].
        """
        bounds, base = self._trie.bounds[level], queries * (self._trie.n_items + 1)
        begins, ends = bounds[nodes], bounds[nodes + 1]
        closed = np.searchsorted(self._keys, base + ends) - np.searchsorted(
            self._keys, base + begins
        )
        found: Bool = closed < ends - begins
        return found

    def allows(self, queries: Int64, items: ArrayLike) -> Bool:
        """bool[n]: whether items may be answers to queries."""
        keys = queries * (self._trie.n_items + 1) + self._trie.places(items)
        return ~np.isin(keys, self._keys)


def _runs(begins: Int64, ends: Int64) -> tuple[Int64, Int64]:
    """The numbers of all runs ``begins:ends`` in turn: which run each is of, and the number."""
    counts = ends - begins
    run = np.repeat(np.arange(len(counts)), counts)
    return run, np.arange(len(run)) + (begins - (np.cumsum(counts) - counts))[run]
