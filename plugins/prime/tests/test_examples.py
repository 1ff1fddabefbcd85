"""Which prefixes train, and what stands beside a target."""

import numpy as np
import pytest
from mmbench_prime.examples import Example, draw_negatives, make_examples, popularity_weights

from mmbench import Interactions


@pytest.fixture
def four():
    """Users of 7, 3, 1 and 0 events."""
    user = np.repeat([0, 1, 2], [7, 3, 1]).astype(np.int32)
    item = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2], np.int32)
    return Interactions(user, item, np.arange(11), 4, 9)


def test_prefixes_of_five_or_more_and_a_short_sequence_whole(four):
    found = make_examples(four, 5, 0, 25)
    assert found == [
        Example((1, 2, 3, 4), 5),
        Example((1, 2, 3, 4, 5), 6),
        Example((1, 2, 3, 4, 5, 6), 7),
        Example((8, 9), 1),
    ]


def test_llamarec_s_prefixes_are_of_two_or_more(four):
    assert [len(one.history) for one in make_examples(four, 2, 0, 25)] == [1, 2, 3, 4, 5, 6, 1, 2]


def test_histories_and_prompts_of_a_user_are_cut_at_the_old_end(four):
    assert make_examples(four, 5, 1, 2) == [Example((5, 6), 7), Example((8, 9), 1)]


def test_25_and_50_events_are_two_histories():
    user, item = np.zeros(60, np.int32), (1 + np.arange(60)).astype(np.int32)
    long = Interactions(user, item, np.arange(60), 1, 60)
    assert [len(make_examples(long, 5, 1, most)[0].history) for most in (25, 50)] == [25, 50]


def test_negatives_are_drawn_by_popularity_without_replacement(four):
    weights = popularity_weights(four)
    assert weights.tolist() == [3, 3, 2, 2, 2, 2, 2, 2, 2]
    rng = np.random.default_rng(0)
    skewed = np.array([8.0, 4, 2, 1, 1, 1, 1, 1, 1])
    drawn = np.array([draw_negatives(skewed, 3, (9,), rng) for _ in range(4000)])
    assert (np.sort(drawn, axis=1)[:, :-1] < np.sort(drawn, axis=1)[:, 1:]).all()
    assert not (drawn == 9).any()
    first = np.bincount(drawn[:, 0], minlength=10)[1:] / 4000
    np.testing.assert_allclose(first[:8], skewed[:8] / skewed[:8].sum(), atol=0.03)
    second = drawn[drawn[:, 0] == 1][:, 1]
    share = np.bincount(second, minlength=10)[2:9] / len(second)
    np.testing.assert_allclose(share, skewed[1:8] / skewed[1:8].sum(), atol=0.04)


def test_a_small_catalogue_gives_what_it_has():
    rng = np.random.default_rng(0)
    assert sorted(draw_negatives(np.ones(4), 25, (2,), rng).tolist()) == [1, 3, 4]
    assert draw_negatives(np.ones(2), 25, (1, 2), rng).tolist() == []
