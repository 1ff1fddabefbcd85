"""The Markov chain against counting by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_content.configs import MarkovConfig
from mmbench_content.transitions import learn

from mmbench import Interactions

N = 5
SEQUENCES = st.lists(st.lists(st.integers(1, N), max_size=6), min_size=1, max_size=6)


def train_on(sequences, n_items=N):
    lengths = [len(s) for s in sequences]
    return Interactions(
        user=np.repeat(np.arange(len(sequences)), lengths).astype(np.int32),
        item=np.array([item for s in sequences for item in s], np.int32),
        time=np.zeros(sum(lengths), np.int64),
        n_users=len(sequences),
        n_items=n_items,
    )


def oracle(sequences, history, config, n_items=N):
    """P(j | history) by loops, in float64."""
    counts = np.zeros((n_items + 1, n_items + 1))
    events = np.ones(n_items + 1)
    for items in sequences:
        for here, item in enumerate(items):
            events[item] += 1
            for lag in range(1, config.max_history + 1):
                if here - lag >= 0:
                    counts[items[here - lag], item] += config.decay ** (lag - 1)
    popular = events[1:] / events[1:].sum()

    def after(item):
        row, total = counts[item, 1:], counts[item].sum()
        if not total:
            return popular
        kept = np.maximum(row - config.discount, 0)
        return kept / total + (total - kept.sum()) / total * popular

    recent = history[::-1][: config.max_history]
    if not recent:
        return popular
    weights = config.decay ** np.arange(len(recent))
    return sum(w * after(item) for w, item in zip(weights, recent, strict=True)) / weights.sum()


@settings(deadline=None)
@given(
    SEQUENCES,
    st.lists(st.integers(1, N), max_size=5),
    st.integers(1, 4),
    st.sampled_from([0.5, 1.0, 0.3]),
    st.sampled_from([0.75, 0.1]),
)
def test_probabilities_are_those_of_a_loop(sequences, history, max_history, decay, discount):
    config = MarkovConfig(max_history=max_history, decay=decay, discount=discount)
    row = np.zeros((1, 6), np.int32)
    row[0, 6 - len(history) :] = history
    (found,) = learn(train_on(sequences), config).rate(row, config)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, oracle(sequences, history, config), rtol=2e-6, atol=1e-9)
    assert found.sum() == pytest.approx(1)
    assert (found > 0).all()


def test_a_worked_example():
    # 1 is followed by 2 twice and by 3 once; events are 1 1 1 2 2 3, with one more for each item
    config = MarkovConfig(discount=0.5)
    chain = learn(train_on([[1, 2], [1, 2], [1, 3]], n_items=4), config)
    popular = np.array([4, 3, 2, 1]) / 10
    history = np.array([[0, 1], [0, 4], [0, 0]], np.int32)
    found = chain.rate(history, config)
    expected = np.array([0, 1.5, 0.5, 0]) / 3 + 1 / 3 * popular
    np.testing.assert_allclose(found, [expected, popular, popular], rtol=1e-6)


def test_only_the_last_item_counts_unless_told_otherwise():
    sequences = [[1, 2, 3], [4, 2, 5]] * 3
    near, far = MarkovConfig(), MarkovConfig(max_history=2, decay=0.9)
    first, second = (learn(train_on(sequences), c) for c in (near, far))
    histories = np.array([[1, 2], [4, 2]], np.int32)
    ours, theirs = first.rate(histories, near)
    np.testing.assert_array_equal(ours, theirs)
    ours, theirs = second.rate(histories, far)
    assert ours[3 - 1] > ours[5 - 1]
    assert theirs[5 - 1] > theirs[3 - 1]
