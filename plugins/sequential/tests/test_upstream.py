"""What is done to another model's vectors before they are a table of items."""

import numpy as np
import pytest
from mmbench_sequential.upstream import transform


@pytest.fixture
def crowded():
    """Vectors near one direction, with one large spread and small ones; a column of no spread."""
    rng = np.random.default_rng(0)
    spread = np.array([5.0, 1.0, 0.2, 0.05, 0.0])
    return (rng.normal(size=(400, 5)) * spread + [30.0, 0, 0, 0, 2.0]).astype(np.float32)


def test_raw_vectors_are_left_as_they_are(crowded):
    assert transform(crowded, "raw") is crowded


def test_centring_takes_the_mean_away_and_no_more(crowded):
    found = transform(crowded, "centred")
    np.testing.assert_allclose(found, crowded - crowded.mean(0, dtype=np.float64), atol=1e-5)
    assert found.dtype == np.float32


@pytest.mark.parametrize("how", ["pca", "zca"])
def test_whitened_directions_have_one_spread_and_no_correlation(crowded, how):
    found = transform(crowded, how)
    assert found.shape == ((400, 4) if how == "pca" else (400, 5))
    scatter = found.astype(np.float64).T @ found / len(found)
    values = np.linalg.eigvalsh(scatter)
    np.testing.assert_allclose(values[-4:], 1, atol=1e-3)
    np.testing.assert_allclose(values[:-4], 0, atol=1e-3)
    if how == "pca":
        np.testing.assert_allclose(scatter, np.eye(4), atol=1e-3)


def test_zca_stays_nearest_to_what_it_was(crowded):
    """Of all whitenings it has the largest correlation with the centred coordinates."""
    centred = transform(crowded, "centred")
    zca = transform(crowded, "zca")
    assert (zca[:, 0] * centred[:, 0]).mean() > 0.99 * centred[:, 0].std()
    turned = zca @ np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    assert (zca * centred).sum() > (turned * centred).sum()


def test_components_are_kept_from_the_largest_on(crowded):
    two = transform(crowded, "pca", components=2)
    assert two.shape == (400, 2)
    np.testing.assert_allclose(two, transform(crowded, "pca")[:, :2], atol=1e-6)
    assert abs(np.corrcoef(two[:, 0], crowded[:, 0])[0, 1]) > 0.999
    assert np.linalg.matrix_rank(transform(crowded, "zca", components=2), tol=1e-3) == 2


@pytest.mark.parametrize("how", ["centred", "pca", "zca"])
def test_equal_vectors_stay_equal_to_the_last_bit(how):
    rng = np.random.default_rng(0)
    few = rng.normal(size=(9, 33)).astype(np.float32)
    place = rng.integers(0, 9, 777)
    found = transform(few[place], how)
    first = {number: np.flatnonzero(place == number)[0] for number in range(9)}
    np.testing.assert_array_equal(found, found[[first[number] for number in place]])


def test_items_of_one_vector_cannot_be_whitened():
    with pytest.raises(ValueError, match="nothing to whiten"):
        transform(np.ones((5, 3), np.float32), "pca")
