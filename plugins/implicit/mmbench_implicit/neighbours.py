"""User-based nearest neighbours: what those had whose items are like the history's."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

BLOCK = 512  # queries that are compared with all users at a time


def unit_rows(baskets: Any) -> Any:
    """csr: rows of length 1, rows of zeros as they are."""
    length = np.sqrt(np.asarray(baskets.multiply(baskets).sum(axis=1)).ravel())
    scale = sp.diags_array(1 / np.where(length > 0, length, 1))
    return sp.csr_matrix(scale @ baskets)


def likeness(asked: Any, known: Any, user: NDArray[np.int32]) -> NDArray[np.float64]:
    """float64[b, n_users]: cosines of baskets; 0 for the query's own user, who had nothing else.

    Args:
        asked: csr[b, n_items], the queries' baskets.
        known: csr[n_users, n_items], the users', of unit rows.
        user: int32[b], the query's user, -1 for an unknown one.
    """
    cosines: NDArray[np.float64] = (unit_rows(asked) @ known.T).toarray().astype(np.float64)
    own = np.flatnonzero(user >= 0)
    cosines[own, user[own]] = 0
    return cosines


def nearest(cosines: NDArray[np.float64], count: int) -> Any:
    """csr[b, n_users]: the cosines of each row's nearest users; all that are tied with the last.

    So an answer never depends on how a library orders equal numbers.
    """
    count = min(count, cosines.shape[1])
    least = np.partition(cosines, -count, axis=1)[:, -count]
    return sp.csr_matrix(np.where((cosines >= least[:, None]) & (cosines > 0), cosines, 0))


def rate(asked: Any, baskets: Any, user: NDArray[np.int32], count: int) -> NDArray[np.float32]:
    """float32[b, n_items]: the summed cosines of the neighbours that had an item.

    Resnick et al. (1994) without ratings: an item's score is what its owners among the ``count``
    nearest users weigh together.
    """
    known = unit_rows(baskets)
    rows = [np.zeros((0, baskets.shape[1]), np.float32)]
    for start in range(0, asked.shape[0], BLOCK):
        part = slice(start, start + BLOCK)
        near = nearest(likeness(asked[part], known, user[part]), count)
        rows.append((near @ baskets).toarray().astype(np.float32))
    return np.concatenate(rows)
