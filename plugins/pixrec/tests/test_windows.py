"""Windows: their lengths, places and targets."""

from collections import Counter

import numpy as np
import pytest
from mmbench_pixrec.windows import draw_window, last_events, latest_windows


def draws(sequence, most, count=4000):
    rng = np.random.default_rng(3)
    return [draw_window(np.array(sequence, np.int32), most, rng) for _ in range(count)]


def test_a_window_is_events_in_a_row_and_the_next_one():
    sequence = list(range(10, 19))
    for items, target in draws(sequence, 6, 500):
        start = sequence.index(items[0])
        assert [*items, target] == sequence[start : start + len(items) + 1]


@pytest.mark.parametrize(
    ("length", "most", "longest"), [(9, 6, 5), (4, 6, 3), (2, 6, 1), (9, 2, 1)]
)
def test_lengths_are_equally_likely(length, most, longest):
    found = Counter(len(items) for items, _ in draws(range(1, length + 1), most))
    assert sorted(found) == list(range(1, longest + 1))
    assert max(found.values()) < 1.25 * min(found.values())


def test_all_places_are_equally_likely():
    found = Counter(target for items, target in draws(range(1, 6), 2))
    assert sorted(found) == [2, 3, 4, 5]
    assert max(found.values()) < 1.25 * min(found.values())


def test_one_event_is_no_window():
    with pytest.raises(ValueError, match="needs two events, and the sequence has 1"):
        draw_window(np.array([4], np.int32), 6, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("length", "most", "count", "expected"),
    [
        (5, 3, 1, [([3, 4], 5)]),
        (5, 3, 3, [([1, 2], 3), ([2, 3], 4), ([3, 4], 5)]),
        (3, 4, 9, [([1], 2), ([1, 2], 3)]),
        (2, 2, 1, [([1], 2)]),
        (1, 3, 2, []),
    ],
)
def test_the_latest_windows(length, most, count, expected):
    found = latest_windows(np.arange(1, length + 1, dtype=np.int32), most, count)
    assert [(items.tolist(), target) for items, target in found] == expected


def test_the_last_events_without_padding():
    history = np.array([[0, 0, 3, 4], [5, 6, 7, 8], [0, 0, 0, 0]], np.int32)
    assert last_events(history, 4) == [[3, 4], [6, 7, 8], []]
