"""Figures of ids, against slow and obvious versions of themselves."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.toolkit.semantic_ids import diagnostics
from mmbench.toolkit.semantic_ids.diagnostics import (
    aliasing,
    collisions,
    neighbours_kept,
    reconstruction_error,
    usage,
)


def chance(seed=0):
    return np.random.default_rng(seed)


def world(n, levels=3, size=3, dim=4, seed=0):
    rng = chance(seed)
    vectors = rng.standard_normal((n, dim)).astype(np.float32)
    return vectors, rng.integers(size, size=(n, levels)).astype(np.int32)


def cosines(vectors):
    wide = vectors.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    return wide @ wide.T


@pytest.mark.parametrize(
    ("codes", "used", "perplexity"),
    [([0, 1, 2, 3], 4, 4.0), ([1, 1, 1, 1], 1, 1.0), ([0, 0, 3, 3], 2, 2.0), ([2], 1, 1.0)],
)
def test_usage_of_codes(codes, used, perplexity):
    assert usage(np.array(codes, np.int32), 4) == (used, pytest.approx(perplexity))


def test_perplexity_is_exp_of_the_entropy():
    _, found = usage(np.array([0, 0, 0, 1], np.int32), 8)
    assert found == pytest.approx(np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25))))


def test_reconstruction_error_is_relative_to_the_variance():
    vectors = chance().standard_normal((50, 3)).astype(np.float32)
    mean = np.broadcast_to(vectors.mean(axis=0), vectors.shape)
    assert reconstruction_error(vectors, vectors) == 0
    assert reconstruction_error(vectors, mean) == pytest.approx(1)
    halfway = (vectors + mean) / 2
    assert reconstruction_error(vectors, halfway) == pytest.approx(0.25, rel=1e-4)
    assert reconstruction_error(mean, vectors) is None


def test_collisions_count_the_ids_that_are_short():
    codes = np.array([[0, 1], [0, 1], [0, 1], [2, 2], [3, 3]], np.int32)
    assert collisions(codes) == (pytest.approx(2 / 5), 3)
    assert collisions(codes[2:]) == (0, 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 30), st.integers(0, 99))
def test_aliasing_is_the_share_of_agreeing_pairs_that_are_far_apart(n, seed):
    vectors, codes = world(n, seed=seed)
    found = aliasing(vectors, codes, chance())
    cosine, pairs = cosines(vectors), list(itertools.combinations(range(n), 2))
    low = np.quantile([cosine[pair] for pair in pairs], 0.95)
    assert found.low == pytest.approx(low, abs=1e-5)
    for depth, share in enumerate(found.shares, start=1):
        agree = [cosine[i, j] for i, j in pairs if (codes[i, :depth] == codes[j, :depth]).all()]
        if agree:
            near = np.abs(np.array(agree) - low) < 1e-6  # either side, by rounding
            assert share == pytest.approx(np.mean(np.array(agree) < low), abs=near.mean() + 1e-9)
        else:
            assert share is None


def test_aliasing_has_ends_that_are_known():
    """Ids by chance: 95%. Ids of vectors that are alike: nothing."""
    vectors, codes = world(600, levels=1, size=5, dim=8)
    assert aliasing(vectors, codes, chance()).shares[0] == pytest.approx(0.95, abs=0.01)
    centres = chance(1).standard_normal((30, 8))
    alike = np.repeat(centres, 20, axis=0) + 0.01 * chance(2).standard_normal((600, 8))
    clusters = np.repeat(np.arange(30), 20)[:, None].astype(np.int32)
    assert aliasing(alike.astype(np.float32), clusters, chance()).shares == (0.0,)


def test_sampled_pairs_agree_with_all_of_them(monkeypatch):
    vectors, codes = world(700, size=4)
    every = aliasing(vectors, codes, chance())
    monkeypatch.setattr(diagnostics, "PAIRS", 3000)
    some = aliasing(vectors, codes, chance())
    assert some.low == pytest.approx(every.low, abs=0.02)
    assert some.shares == pytest.approx(every.shares, abs=0.02)
    assert some != every


def test_sampled_pairs_are_pairs_of_one_id_each_as_often(monkeypatch):
    monkeypatch.setattr(diagnostics, "PAIRS", 9)
    codes = np.array([[0], [0], [0], [0], [1], [2], [2], [2]], np.int32)
    found: dict[frozenset, int] = {}
    for seed in range(400):
        first, second = diagnostics._pairs(codes[np.arange(8) % 8], chance(seed))
        for pair in zip(first.tolist(), second.tolist(), strict=True):
            found[frozenset(pair)] = found.get(frozenset(pair), 0) + 1
    expected = {frozenset(p) for p in itertools.combinations(range(4), 2)}
    expected |= {frozenset(p) for p in itertools.combinations((5, 6, 7), 2)}
    assert set(found) == expected
    assert all(len(pair) == 2 for pair in found)
    if sum(found.values()) == 9 * 400:  # drawn: more pairs there are than are looked at
        assert max(found.values()) < 1.3 * min(found.values())


@settings(max_examples=60, deadline=None)
@given(st.integers(4, 25), st.integers(1, 3), st.integers(0, 99))
def test_neighbours_kept_is_a_mean_over_orders_of_what_is_tied(n, k, seed):
    vectors, codes = world(n, size=2, seed=seed)
    cosine = cosines(vectors)
    total = 0.0
    for item in range(n):
        others = [other for other in range(n) if other != item]
        near = sorted(others, key=lambda other: -cosine[item, other])[:k]
        shared = {
            other: next((d for d in range(3) if codes[item, d] != codes[other, d]), 3)
            for other in others
        }
        for other in near:
            above = sum(shared[one] > shared[other] for one in others)
            level = sum(shared[one] == shared[other] for one in others)
            total += min(max(k - above, 0) / level, 1) / k
    found = neighbours_kept(vectors, codes, chance(), k)
    assert found.share == pytest.approx(total / n)
    assert found.by_chance == pytest.approx(k / (n - 1))


def test_neighbours_have_ends_that_are_known():
    vectors, codes = world(400, size=200, dim=8)
    by_chance = neighbours_kept(vectors, codes[:, :1], chance())
    assert by_chance.share == pytest.approx(by_chance.by_chance, abs=0.01)
    # eleven of a kind, which are each other's ten nearest
    alike = np.repeat(chance(1).standard_normal((20, 8)), 11, axis=0)
    alike = (alike + 0.001 * chance(2).standard_normal(alike.shape)).astype(np.float32)
    kinds = np.repeat(np.arange(20), 11)[:, None].astype(np.int32)
    assert neighbours_kept(alike, kinds, chance()).share == pytest.approx(1)


def test_sampled_items_agree_with_all_of_them(monkeypatch):
    vectors, codes = world(600, size=4)
    every = neighbours_kept(vectors, codes, chance()).share
    monkeypatch.setattr(diagnostics, "ASKED", 150)
    assert neighbours_kept(vectors, codes, chance()).share == pytest.approx(every, abs=0.02)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_items_have_no_figure(n):
    vectors, codes = world(2)
    assert aliasing(vectors[:n], codes[:n], chance()) == ((None, None, None), None)
    assert neighbours_kept(vectors[:n], codes[:n], chance()) == (None, None)
