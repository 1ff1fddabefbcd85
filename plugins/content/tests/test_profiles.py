"""Weights of a history's events, profiles and cosines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmbench_content.profiles import profiles, rate, unit, weigh

from mmbench import Products

HISTORIES = st.lists(st.lists(st.integers(1, 6), max_size=7), min_size=1, max_size=4)


def padded(histories, width=7):
    rows = np.zeros((len(histories), width), np.int32)
    for row, items in zip(rows, histories, strict=True):
        row[width - len(items) :] = items
    return rows


@given(HISTORIES, st.integers(1, 9), st.sampled_from([1.0, 0.5, 0.9]))
def test_weights_are_those_of_a_loop(histories, max_history, decay):
    expected = np.zeros((len(histories), 7))
    for row, items in zip(expected, histories, strict=True):
        for age, item in enumerate(reversed(items)):
            if age < max_history:
                row[item] += decay**age
    found = weigh(padded(histories), 6, max_history, decay)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-6)


def test_a_profile_is_the_direction_of_the_weighted_mean():
    vectors = unit(np.array([[0, 0], [1, 0], [0, 1], [3, 4]]))
    found = profiles(weigh(padded([[1, 2], [3], []]), 3, 5, 0.5), vectors)
    np.testing.assert_allclose(found, [[5**-0.5, 2 * 5**-0.5], [0.6, 0.8], [0, 0]], rtol=1e-6)


def test_items_without_a_vector_are_not_retrieved():
    vectors = unit(np.array([[0, 0], [1, 0], [0, 0], [-1, 0]]))
    found = rate(np.array([[1, 0], [0, 0]], np.float32), Products(vectors[1:]))
    np.testing.assert_array_equal(found, [[1, -np.inf, -1], [0, -np.inf, 0]])


def test_unit_leaves_zeros():
    assert unit(np.zeros((2, 3))).tolist() == [[0, 0, 0]] * 2
    assert unit(np.array([[3.0, 4.0]])).dtype == np.float32
    assert unit(np.array([[3.0, 4.0]])) == pytest.approx(np.array([[0.6, 0.8]]))
