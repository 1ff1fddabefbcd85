"""Standardised sums as inner products, and the choice of weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_content.fusion import choose, grid, make_part, standardise


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_products_are_z_scores_over_the_known_items(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(30, 4)).astype(np.float32)
    known = rng.random(30) < 0.8
    known[[0, 1, 2]] = False, True, True
    queries = rng.normal(size=(5, 4)).astype(np.float32)
    part = make_part(vectors, known)
    found = part.ask(queries, 0.3) @ part.vectors.T
    plain = queries.astype(np.float64) @ vectors.T
    mean = plain[:, known].mean(axis=1, keepdims=True)
    spread = plain[:, known].std(axis=1, keepdims=True)
    expected = np.where(known, 0.3 * (plain - mean) / spread, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_query_that_tells_nothing_apart_gets_zeros():
    vectors = np.array([[0, 0], [1, 2], [1, 3]], np.float32)
    part = make_part(vectors, np.array([False, True, True]))
    assert not part.ask(np.array([[1, 0], [0, 0]], np.float32), 1.0).any()


def test_standardised_rows():
    found = standardise(np.array([[1, 2, 3], [4, 4, 4]], np.float32))
    np.testing.assert_allclose(found, [[-(1.5**0.5), 0, 1.5**0.5], [0, 0, 0]], rtol=1e-6)


def test_the_grid_has_every_pair_and_sums_to_one():
    found = list(grid((0.1, 0.5), (0.0, 0.4, 1.0)))
    assert len(found) == 6
    np.testing.assert_allclose(np.sum(found, axis=1), 1)
    assert found[1] == (0.5, 0.5, 0.0)
    assert found[2] == pytest.approx((0.54, 0.06, 0.4))


def test_the_best_is_chosen_and_of_equals_the_first():
    values = {(1, 0, 0): 0.1, (0, 1, 0): 0.3, (0, 0, 1): 0.3}
    assert choose(values, values.__getitem__) == (0, 1, 0)
