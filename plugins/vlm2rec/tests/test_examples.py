"""What is trained on, and what is a negative."""

import numpy as np
from mmbench_vlm2rec.examples import Example, make_examples, negatives


def test_the_last_training_event_is_the_target(interactions_of):
    train = interactions_of([[1, 2, 3, 4], [5], [6, 7], []], 8)
    assert make_examples(train) == [Example((1, 2, 3), 4), Example((6,), 7)]


def test_all_prefixes(interactions_of):
    train = interactions_of([[1, 2, 3], [6, 7]], 8)
    wanted = [Example((1,), 2), Example((1, 2), 3), Example((6,), 7)]
    assert make_examples(train, all_prefixes=True) == wanted


def test_few_users_by_the_seed(interactions_of):
    train = interactions_of([[u + 1, 30] for u in range(25)], 30)
    everyone = make_examples(train)
    first = make_examples(train, few=10, seed=1)
    assert len(first) == len(set(first)) == 10
    assert set(first) <= set(everyone)
    assert first == make_examples(train, few=10, seed=1)
    assert first != make_examples(train, few=10, seed=2)
    assert make_examples(train, few=99) == everyone


def test_negatives_leave_out_duplicates_and_what_the_user_had():
    batch = [Example((1, 2), 3), Example((3,), 4), Example((5,), 3), Example((4, 9), 6)]
    wanted = [
        [0, 1, 0, 1],  # 3 twice: the positive, and the same item again
        [0, 0, 0, 1],  # 3 is in the history
        [0, 1, 0, 1],
        [1, 0, 1, 0],  # 4 is in the history
    ]
    np.testing.assert_array_equal(negatives(batch), np.array(wanted, dtype=bool))


def test_a_long_history_counts_whole():
    batch = [Example((7, *range(20, 60)), 3), Example((5,), 7)]
    assert not negatives(batch)[0, 1]
