"""Coverage, diversity and novelty, by hand and by visiting every pair."""

import itertools

import numpy as np
import pytest

from mmbench import Interactions
from mmbench.protocol import Ranks
from mmbench.protocol.beyond import PAIRED, beyond_accuracy, coverage, distance, diversity, novelty


def lists(*rows):
    return np.array(rows, dtype=np.int32)


def training(items, n_items):
    return Interactions(
        np.zeros(len(items), np.int32),
        np.array(items, np.int32),
        np.arange(len(items)),
        n_users=1,
        n_items=n_items,
    )


def test_coverage():
    top = lists([1, 2, 3], [2, 1, 0])
    assert coverage(top, 2, 10) == 0.2
    assert coverage(top, 3, 10) == 0.3


def test_diversity_at_its_ends():
    assert diversity(lists([1, 2], [2, 1], [1, 2]), 2, 9) == 0.0
    assert diversity(lists([1, 2], [3, 4], [5, 6]), 2, 9) == 1.0
    assert diversity(lists([1, 2]), 2, 9) == 0.0


def test_diversity_is_the_mean_over_pairs():
    rng = np.random.default_rng(0)
    top = np.stack([rng.permutation(15)[:8] for _ in range(12)]).astype(np.int32)  # 0 ends a place
    overlaps = [
        len((set(a) & set(b)) - {0}) / 8 for a, b in itertools.combinations(top.tolist(), 2)
    ]
    assert diversity(top, 8, 14) == pytest.approx(1 - np.mean(overlaps))


def test_distance_is_the_mean_over_pairs_of_one_less_jaccard():
    rng = np.random.default_rng(1)
    top = np.stack([rng.permutation(15)[:8] for _ in range(12)]).astype(np.int32)  # 0 ends a place
    sets = [set(row) - {0} for row in top.tolist()]
    alike = [len(a & b) / len(a | b) for a, b in itertools.combinations(sets, 2)]
    assert distance(top, 8) == pytest.approx(1 - np.mean(alike))
    assert distance(top, 8) > diversity(top, 8, 14)


def test_distance_at_its_ends():
    assert distance(lists([1, 2], [2, 1], [1, 2]), 2) == 0.0
    assert distance(lists([1, 2], [3, 4], [5, 6]), 2) == 1.0
    assert distance(lists([1, 2, 3], [1, 4, 5]), 3) == pytest.approx(1 - 1 / 5)
    assert distance(lists([1, 2]), 2) == 0.0
    assert distance(lists([0, 0], [0, 0]), 2) == 0.0


def test_distance_looks_at_a_sample_of_many_lists():
    top = np.arange(1, 2 * PAIRED + 1, dtype=np.int32)[:, None]
    top[PAIRED:] = 1
    assert distance(top, 1) == 1.0


def test_novelty_by_hand():
    """Events 1 1 1 2, four items: p is 4/8, 2/8, 1/8, 1/8, so 1, 2, 3 and 3 bits."""
    train = training([1, 1, 1, 2], 4)
    assert novelty(lists([1, 2], [1, 3]), 2, train) == pytest.approx((1 + 2 + 1 + 3) / 4)
    assert novelty(lists([1, 0], [4, 0]), 2, train) == pytest.approx(2)
    assert novelty(lists([0, 0]), 2, train) == 0.0


def test_one_row_a_set_with_lists():
    ranks = Ranks({}, {}, {"full": lists([1] * 10), "unseen": lists([2] * 10)})
    got = beyond_accuracy(ranks, training([1], 4))
    assert list(got) == ["full", "unseen"]
    assert list(got["full"]) == [
        "coverage@10",
        "diversity@10",
        "distance@10",
        "novelty@10",
    ]


@pytest.mark.parametrize("k", [0, 4])
def test_the_cutoff_must_lie_in_the_list(k):
    with pytest.raises(ValueError, match="3 places"):
        coverage(lists([1, 2, 3]), k, 5)
