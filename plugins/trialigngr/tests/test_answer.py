"""The order of an answer: what was reached, then what is popular."""

import numpy as np
from mmbench_trialigngr.answer import level_counts, rank_reached


def test_what_was_not_reached_stands_after_all_others_by_popularity():
    popularity = level_counts(np.array([5, 0, 9, 5, 1]))
    items = np.array([[2, 5], [4, 0]], np.int32)
    scores = np.array([[-3.0, -70.0], [-2.0, -np.inf]], np.float32)
    found = rank_reached(items, scores, popularity)
    assert found.dtype == np.float32 and found.shape == (2, 5)
    assert found[0, 1] == -3 and found[0, 4] == -70
    order = np.argsort(-found[0], kind="stable") + 1
    assert order.tolist() == [2, 5, 3, 1, 4]
    assert found[0, 0] == found[0, 3]  # of equal counts: level
    assert (np.argsort(-found[1], kind="stable") + 1).tolist() == [4, 3, 1, 5, 2]


def test_level_scores_of_a_shared_id_stay_level():
    found = rank_reached(
        np.array([[1, 3]], np.int32),
        np.array([[-4.0, -4.0]], np.float32),
        level_counts(np.array([1, 2, 3])),
    )
    assert found[0, 0] == found[0, 2] > found[0, 1]


def test_where_nothing_was_reached_popularity_is_all():
    found = rank_reached(
        np.zeros((1, 2), np.int32), np.full((1, 2), -np.inf, np.float32), level_counts(np.arange(3))
    )
    assert (np.argsort(-found[0]) + 1).tolist() == [3, 2, 1]
    assert np.isfinite(found).all()
