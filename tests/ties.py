"""What must hold of scores on every processor: run as a script, with the kernels it starts with."""

import numpy as np

from mmbench import Vectors
from mmbench.products import Products, find_duplicates
from mmbench.protocol.answers import check_answer

SIZES = [*((n, dim) for n in (5, 37, 130, 1003) for dim in (1, 7, 33, 64, 384)), (4_001, 65)]
BLOCKS = (slice(0, 1), slice(3, 5), slice(37, 38), slice(62, 70))


def world(n, dim, queries=70):
    """Queries, and items of which a third are like others, near and far, at the edges too."""
    rng = np.random.default_rng(dim)
    items = rng.standard_normal((n + 1, dim)).astype(np.float32)
    like = rng.permutation(np.arange(1, n + 1))[: max(2, n // 3)]
    like = np.union1d(like, [1, 2, n // 2, n - 1, n])
    items[like] = items[rng.choice(like[: max(1, len(like) // 4)], len(like))]
    items[like[::2]] = np.where(items[like[::2]] == 0, -0.0, items[like[::2]])
    return rng.standard_normal((queries, dim)).astype(np.float32), items


def equal_vectors_are_level(n, dim):
    queries, items = world(n, dim)
    scores = check_answer(Vectors(queries, items), slice(0, 70), n, n)
    rated = Products(items[1:]).rate(queries)
    later, first = find_duplicates(items[1:])
    assert len(later)
    for found in (scores, rated):
        assert np.array_equal(found[:, later], found[:, first])
    exact = queries.astype(np.float64) @ items[1:].astype(np.float64).T
    np.testing.assert_allclose(scores, exact, rtol=0, atol=1e-5 * dim)


def company_does_not_matter(n, dim):
    """Alone, in pairs, in blocks that begin anywhere: the same bits, whatever is asked beside."""
    queries, items = world(n, dim)
    together = check_answer(Vectors(queries, items), slice(0, 70), n, n)
    others = np.full_like(queries, 1e30)
    for rows in BLOCKS:
        alone = check_answer(Vectors(queries[rows], items), rows, n, n)
        assert np.array_equal(alone, together[rows])
        others[rows] = queries[rows]
    among = check_answer(Vectors(others, items), slice(0, 70), n, n)
    for rows in BLOCKS:
        assert np.array_equal(among[rows], together[rows])


if __name__ == "__main__":
    for size in SIZES:
        equal_vectors_are_level(*size)
        company_does_not_matter(*size)
    print("held")
