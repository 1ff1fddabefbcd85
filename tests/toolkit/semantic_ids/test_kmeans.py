"""K-means and code-books of residuals, against slow and obvious versions of themselves."""

import numpy as np
import pytest

from mmbench.toolkit.semantic_ids import kmeans as module
from mmbench.toolkit.semantic_ids.kmeans import kmeans, nearest, residual_kmeans


def chance(seed=0):
    return np.random.default_rng(seed)


def clumps(centres, size, spread=0.01, seed=0):
    rng = chance(seed)
    centres = np.asarray(centres, np.float32)
    noise = rng.standard_normal((len(centres), size, centres.shape[1])) * spread
    return (centres[:, None] + noise).reshape(-1, centres.shape[1]).astype(np.float32)


def squared(vectors, centres):
    wide = vectors.astype(np.float64)[:, None] - centres.astype(np.float64)[None]
    return (wide**2).sum(axis=2)


@pytest.mark.parametrize("block", [1, 7, 100])
def test_the_nearest_is_the_nearest(monkeypatch, block):
    monkeypatch.setattr(module, "BLOCK", block)
    rng = chance()
    vectors, centres = rng.standard_normal((2, 50, 7)).astype(np.float32)
    labels, distances = nearest(vectors, centres[:9])
    expected = squared(vectors, centres[:9])
    np.testing.assert_array_equal(labels, expected.argmin(axis=1))
    np.testing.assert_allclose(distances, np.sqrt(expected.min(axis=1)), rtol=1e-5)
    assert (labels.dtype, distances.dtype) == (np.int32, np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_a_start_has_one_of_each_clump(seed):
    """K-means++ draws by squared distance; a start of any two vectors fails half of the time."""
    vectors = clumps([[0.0, 0.0], [50.0, 0.0]], 40)
    centres = module._plus_plus(vectors, 2, chance(seed))
    assert sorted(centres[:, 0] > 25) == [False, True]
    assert all(any(np.array_equal(centre, vector) for vector in vectors) for centre in centres)


def test_a_start_draws_in_proportion_to_squared_distances():
    vectors = np.array([[0.0], [1.0], [3.0]], np.float32)
    drawn = [tuple(module._plus_plus(vectors, 2, chance(seed))[:, 0]) for seed in range(3000)]
    after_zero = [second for first, second in drawn if first == 0]
    assert np.mean(np.array(after_zero) == 3) == pytest.approx(0.9, abs=0.03)
    assert 0 not in after_zero


def test_where_it_ends_centres_are_means_and_labels_the_nearest():
    vectors = chance(1).standard_normal((300, 5)).astype(np.float32)
    centres, labels, _ = kmeans(vectors, 12, chance(2), rounds=500)
    np.testing.assert_array_equal(labels, squared(vectors, centres).argmin(axis=1))
    for code in range(12):
        mean = vectors[labels == code].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(centres[code], mean, rtol=1e-5, atol=1e-6)


def test_each_round_is_no_worse():
    vectors = chance(1).standard_normal((300, 5)).astype(np.float32)
    errors = [
        squared(vectors, kmeans(vectors, 12, chance(2), rounds).centres).min(axis=1).sum()
        for rounds in (1, 2, 4, 8, 50)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0]


def test_of_several_starts_the_best_counts():
    vectors = chance(1).standard_normal((300, 5)).astype(np.float32)
    rng = chance(2)
    alone = [kmeans(vectors, 12, rng, rounds=50) for _ in range(6)]
    errors = [squared(vectors, found.centres).min(axis=1).sum() for found in alone]
    np.testing.assert_allclose([found.error for found in alone], errors, rtol=1e-5)
    assert len({round(error, 3) for error in errors}) > 1
    best = kmeans(vectors, 12, chance(2), rounds=50, starts=6)
    np.testing.assert_array_equal(best.centres, alone[int(np.argmin(errors))].centres)


def test_with_several_starts_ids_differ_less_by_the_seed():
    """The last of four levels of 10 codes: the spread of its error over seeds."""
    vectors = clumps(chance(3).standard_normal((40, 12)), 8, spread=0.2)

    def spread(starts):
        left = []
        for seed in range(6):
            rest = vectors
            for book in residual_kmeans(vectors, (10, 10, 10), chance(seed), 50, starts):
                rest = rest - book[nearest(rest, book)[0]]
            left.append(float((rest.astype(np.float64) ** 2).sum()))
        return np.ptp(left), np.mean(left)

    (wide, worse), (narrow, better) = spread(1), spread(10)
    assert narrow < wide
    assert better < worse


def test_a_centre_that_nothing_takes_goes_where_the_error_is(monkeypatch):
    vectors = clumps([[0.0, 0.0], [9.0, 0.0]], 10)

    def all_at_one_place(vectors, k, rng):
        return np.full((k, 2), 1e3, np.float32)

    monkeypatch.setattr(module, "_plus_plus", all_at_one_place)
    _, labels, _ = kmeans(vectors, 2, chance(), rounds=50)
    assert set(labels[:10]) != set(labels[10:])
    assert len(set(labels[:10])) == len(set(labels[10:])) == 1


@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_fewer_distinct_vectors_than_centres(k):
    vectors = np.array([[0, 0], [1, 1], [0, 0], [1, 1]], np.float32)
    centres, labels, error = kmeans(vectors, k, chance(), rounds=10)
    assert centres.shape == (k, 2)
    assert np.isfinite(centres).all()
    np.testing.assert_allclose(error, 0.0 if k > 1 else 2.0, atol=1e-6)
    if k > 1:
        np.testing.assert_allclose(centres[labels], vectors, atol=1e-6)


def test_levels_stand_for_what_the_levels_before_leave_over():
    """Vectors that are sums of a coarse and a fine part come apart into just these."""
    coarse = np.array([[-90, -90], [-90, 90], [90, -90], [90, 90]], np.float32)
    fine = np.array([[-9, 0], [9, 0], [0, 12]], np.float32)
    vectors = (coarse[:, None] + fine[None]).reshape(-1, 2)
    first, second = residual_kmeans(vectors, (4, 3), chance(), rounds=50)
    mean = fine.mean(axis=0)
    order = np.lexsort(first.T[::-1])
    np.testing.assert_allclose(first[order], coarse + mean, atol=1e-4)
    order = np.lexsort(second.T[::-1])
    np.testing.assert_allclose(second[order], fine[[0, 2, 1]] - mean, atol=1e-4)


def test_chance_is_all_in_the_generator():
    vectors = chance(1).standard_normal((200, 6)).astype(np.float32)
    first, again, other = (
        residual_kmeans(vectors, (8, 8), chance(seed), rounds=20) for seed in (0, 0, 1)
    )
    for one, same, another in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, another)
