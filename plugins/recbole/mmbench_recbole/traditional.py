"""Models without training: counting and item similarities."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from mmbench import Interactions
from mmbench_recbole import shims
from mmbench_recbole.world import ITEM, USER, World, interaction, to_answer

GRID = 2.0**-40


def popularity(train: Interactions, device: str = "cpu") -> NDArray[np.float32]:
    """float32[n_items]: each item's training events, as a share of the most popular item's."""
    world = World(train, max_history=1)
    model = shims.CountingPop(shims.make_config("Pop", {}, device), world)
    model.calculate_loss(interaction({ITEM: world.item}, device))
    with torch.inference_mode():
        scores = model.full_sort_predict(interaction({USER: np.zeros(1, dtype=np.int64)}, device))
    answer: NDArray[np.float32] = to_answer(scores, 1, train.n_items)[0]
    return answer


def cosine_neighbours(train: Interactions, neighbours: int, shrink: float) -> sp.csr_matrix:
    """float32[n_items + 1, n_items + 1]: column ``j`` holds item ``j``'s similar items.

    RecBole's ``ItemKNN`` would go on to rate every user's training items with it; that table is
    large, and lacks what a user had since. RecBole adds 1e-6 to each denominator, so that equal
    cosines of items with other numbers of users are not quite equal; and which of some tied
    neighbours are kept is its sort's choice. See ``exact_neighbours``.

    Args:
        train: repeated events of a user and item count once.
        neighbours: kept in each column; 0 keeps all.
        shrink: added to the cosine's denominator.
    """
    matrix = World(train, max_history=1).inter_matrix("csr")
    similarity = shims.ComputeSimilarity(matrix, neighbours or matrix.shape[1], shrink)
    return similarity.compute_similarity("item")[1].tocsr()


def exact_neighbours(train: Interactions, neighbours: int, shrink: float) -> sp.csr_matrix:
    """As ``cosine_neighbours``, in float64 and with equal cosines equal, without RecBole's 1e-6.

    A cosine ``c / sqrt(p)`` is made as ``sqrt(c^2 / p)``: of two whole numbers, so that equal
    quotients are rounded alike. It is then rounded to a multiple of ``GRID``, and sums of a few
    thousand of those are exact in whatever order. Neighbours tied with the last one are kept too.
    """
    had = World(train, max_history=1).inter_matrix("csr").astype(np.float64)
    users = np.asarray(had.sum(axis=0)).ravel()
    both = (had.T @ had).tocoo()
    other = both.row != both.col
    row, column, common = both.row[other], both.col[other], both.data[other]
    product = users[row] * users[column]
    cosine = common / (np.sqrt(product) + shrink) if shrink else np.sqrt(common**2 / product)
    value = np.round(cosine / GRID) * GRID
    if neighbours:
        order = np.lexsort((-value, column))
        start = np.searchsorted(column[order], column)
        last = np.minimum(start + neighbours, np.searchsorted(column[order], column, "right")) - 1
        kept = value >= value[order[last]]
        row, column, value = row[kept], column[kept], value[kept]
    return sp.csr_matrix((value, (row, column)), both.shape)


def multi_hot(history: NDArray, n_columns: int) -> sp.csr_matrix:
    """float32[b, n_columns], 1 where the item is in the history; padding counts for nothing."""
    row, column = np.nonzero(history)
    pairs = np.unique(np.stack([row, history[row, column]]), axis=1)
    ones = np.ones(pairs.shape[1], dtype=np.float32)
    return sp.csr_matrix((ones, tuple(pairs)), (len(history), n_columns))


def rate_by_similarity(history: NDArray, similarity: Any) -> NDArray[np.float32]:
    """float32[b, n_items]: summed similarity of each item to the history's items.

    ``similarity`` is (n_items + 1) square, dense or sparse; its column ``j`` belongs to item ``j``.
    """
    scores = multi_hot(history, similarity.shape[0]) @ similarity
    dense = scores.toarray() if sp.issparse(scores) else np.asarray(scores)
    return np.ascontiguousarray(dense[:, 1:], dtype=np.float32)
