"""Who had what, as sparse matrices: 1 where a user had an item, however often."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mmbench import Interactions


def of_users(train: Interactions) -> Any:
    """Csr float32[n_users, n_items], column ``j`` is item ``j + 1``."""
    return _ones(train.user, train.item, (train.n_users, train.n_items))


def of_histories(history: NDArray[np.int32], n_items: int) -> Any:
    """Csr float32[b, n_items] of left-padded histories, int32[b, L]."""
    row, column = np.nonzero(history)
    return _ones(row, history[row, column], (len(history), n_items))


def _ones(row: NDArray[Any], item: NDArray[Any], shape: tuple[int, int]) -> Any:
    found = sp.csr_matrix((np.ones(len(row), np.float32), (row, item - 1)), shape)
    found.sum_duplicates()
    found.data[:] = 1
    return found
