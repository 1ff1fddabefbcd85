"""Features are standardised and have the size of the words that GPT-2 knows."""

import numpy as np
import pytest
from mmbench_mmgpt2rec.blocks import Features, learn_block


def drawn(rows=60, columns=5, seed=0):
    """Columns of very different sizes and means, two items without content, two that are equal."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(rows, columns)) * 10.0 ** np.arange(columns) + 7
    known = np.arange(rows) < rows - 2
    vectors[~known] = 0
    vectors[9] = vectors[4]
    return Features(vectors.astype(np.float32), known)


def test_each_column_has_mean_0_and_the_deviation_of_the_words():
    features = drawn()
    placed = learn_block(features, 8, 0.14).apply(features)
    assert placed.dtype == np.float32
    assert placed.shape == (60, 5)
    np.testing.assert_allclose(placed[features.known].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(placed[features.known].std(0), 0.14, rtol=1e-5)
    assert not placed[~features.known].any()
    assert np.array_equal(placed[9], placed[4])


def test_the_order_of_items_along_a_column_is_kept():
    features = drawn()
    placed = learn_block(features, 8, 0.02).apply(features)
    known = features.known
    for before, after in zip(features.vectors[known].T, placed[known].T, strict=True):
        assert np.corrcoef(before, after)[0, 1] == pytest.approx(1)


def test_too_many_columns_give_way_to_the_first_components():
    """Against numpy's singular vectors: what is kept spans the widest directions."""
    features = drawn(columns=6, seed=3)
    placed = learn_block(features, 4, 0.02).apply(features)[features.known].astype(float)
    values = features.vectors[features.known].astype(float)
    left, _, _ = np.linalg.svd(values - values.mean(0), full_matrices=False)
    for column in range(4):
        assert abs(np.corrcoef(placed[:, column], left[:, column])[0, 1]) == pytest.approx(1)
    np.testing.assert_allclose(placed.std(0), 0.02, rtol=1e-5)


def test_another_catalogue_is_standardised_by_what_was_learned():
    features, other = drawn(), drawn(seed=1)
    block = learn_block(features, 8, 0.02)
    mixed = Features(
        np.concatenate([features.vectors, other.vectors]),
        np.concatenate([features.known, other.known]),
    )
    np.testing.assert_array_equal(block.apply(mixed)[:60], block.apply(features))
    with pytest.raises(ValueError, match="3 columns"):
        block.apply(Features(other.vectors[:, :3], other.known))


def test_a_column_that_tells_nothing_is_0():
    features = drawn()
    features.vectors[:, 2] = 5
    placed = learn_block(features, 8, 0.02).apply(features)
    assert not placed[:, 2].any()
    assert placed[:, 1].any()


def test_no_content_is_said_plainly():
    with pytest.raises(ValueError, match="nothing to standardise"):
        learn_block(Features(np.zeros((4, 2), np.float32), np.zeros(4, bool)), 8, 0.02)
