"""The ranked first, then the retriever's order; what is excluded takes no place."""

import numpy as np
from mmbench_prime.answer import may_be_recommended, merge


def test_what_is_excluded_may_not_be_recommended():
    candidates = np.array([[1, 2, 3], [2, 3, 4]], np.int32)
    excluded = np.array([[0, 0, 2], [3, 4, 9]], np.int32)
    allowed = may_be_recommended(candidates, excluded)
    assert allowed.tolist() == [[True, False, True], [True, False, False]]
    assert may_be_recommended(candidates, excluded[:, :0]).all()


def test_ranked_items_stand_above_all_others_which_keep_their_order():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 30, (20, 50)).astype(np.float32)
    before = scores.copy()
    columns = [rng.permutation(50)[: rng.integers(0, 9)] for _ in range(20)]
    rates = [rng.normal(0, 5, len(row)).astype(np.float32) for row in columns]
    merged = merge(scores, columns, rates)
    assert np.array_equal(scores, before)
    for row, found in enumerate(merged):
        ranked = columns[row]
        others = np.setdiff1d(np.arange(50), ranked)
        assert np.array_equal(found[others], scores[row][others])
        if len(ranked):
            assert found[ranked].min() > found[others].max()
            assert np.argsort(found[ranked]).tolist() == np.argsort(rates[row]).tolist()
            kept = np.diff(np.sort(found[ranked]))
            np.testing.assert_allclose(kept, np.diff(np.sort(rates[row])), atol=1e-4)
