"""No two items of one id: Sinkhorn's assignment, free codes, and what is said where none is."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.toolkit.semantic_ids import SemanticIdConfig
from mmbench.toolkit.semantic_ids.make import quantise
from mmbench.toolkit.semantic_ids.unique import groups, make_unique, sinkhorn


def worlds(n, dim, sizes, seed, spread=1.0):
    """Latents and code-books by chance; with little spread, latents share their codes."""
    rng = np.random.default_rng(seed)
    books = tuple(
        (rng.standard_normal((size, dim)) / (1 + level)).astype(np.float32)
        for level, size in enumerate(sizes)
    )
    latents = (rng.standard_normal((n, dim)) * spread).astype(np.float32)
    return latents, books, quantise(latents, books)


def distinct(codes):
    return len(np.unique(codes, axis=0))


@st.composite
def catalogues(draw):
    sizes = tuple(draw(st.lists(st.integers(2, 5), min_size=1, max_size=3)))
    n = draw(st.integers(1, math.prod(sizes)))
    spread = draw(st.sampled_from([0.0, 0.1, 1.0]))
    return worlds(n, 3, sizes, draw(st.integers(0, 999)), spread)


@settings(max_examples=80, deadline=None)
@given(catalogues(), st.sampled_from(["sinkhorn", "nearest"]))
def test_where_there_are_enough_ids_each_item_has_its_own(world, way):
    """Up to the last id, and where all latents are equal."""
    latents, books, codes = world
    config = SemanticIdConfig(sizes=tuple(map(len, books)), unique=way)
    found = make_unique(latents, books, codes, config)
    assert distinct(found.codes) == len(latents)
    assert (found.codes >= 0).all()
    assert (found.codes < [len(book) for book in books]).all()
    moved = (found.codes != codes).any(axis=1).sum()
    assert found.by_sinkhorn + found.by_nearest + found.by_prefix == moved
    assert found.by_prefix == (found.codes[:, :-1] != codes[:, :-1]).any(axis=1).sum()
    if way == "nearest":
        assert found.by_sinkhorn == 0
        assert moved == len(latents) - distinct(codes)


def test_who_shares_no_id_stays():
    latents, books, codes = worlds(60, 3, (4, 4, 8), 0)
    _, number, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    alone = counts[number.ravel()] == 1
    assert 0 < alone.sum() < 60
    found = make_unique(latents, books, codes, SemanticIdConfig(sizes=(4, 4, 8), unique="nearest"))
    np.testing.assert_array_equal(found.codes[alone], codes[alone])


def test_sinkhorns_rounds_look_at_no_beginning_where_nobody_shares():
    """Within one they may drive off an item that had its code alone."""
    latents, books, codes = worlds(60, 3, (4, 4, 32), 0)
    shared = {tuple(codes[row, :-1]) for rows in groups(codes) for row in rows}
    apart = np.array([tuple(one[:-1]) not in shared for one in codes])
    assert 0 < apart.sum() < 60
    found = make_unique(
        latents, books, codes, SemanticIdConfig(sizes=(4, 4, 32), unique="sinkhorn")
    )
    assert found.by_prefix == 0
    np.testing.assert_array_equal(found.codes[apart], codes[apart])


def test_ids_may_be_shared_if_so_configured():
    latents, books, codes = worlds(60, 3, (2, 2), 0)
    found = make_unique(latents, books, codes, SemanticIdConfig(sizes=(2, 2), unique="none"))
    np.testing.assert_array_equal(found.codes, codes)
    assert (found.by_sinkhorn, found.by_nearest, found.by_prefix) == (0, 0, 0)


def test_the_nearest_of_a_group_keeps_the_code_and_the_others_go_to_the_nearest_free():
    books = (
        np.array([[0], [100]]),
        np.array([[0], [3], [-4], [50]]),
    )
    books = tuple(book.astype(np.float32) for book in books)
    latents = np.array([[1.4], [0.2], [-1.0], [3.0], [100.0]], np.float32)
    codes = quantise(latents, books)
    assert codes.tolist() == [[0, 0], [0, 0], [0, 0], [0, 1], [1, 0]]
    found = make_unique(latents, books, codes, SemanticIdConfig(sizes=(2, 4)))
    # 0.2 stays; -1.0 is next: 3 is taken by an item of its own, so -4; 1.4 is left with 50
    assert found.codes.tolist() == [[0, 3], [0, 0], [0, 2], [0, 1], [1, 0]]
    assert found.by_nearest == 2


def test_where_the_last_level_is_full_the_one_before_gives_way():
    """To its nearest code that has room, and there to the nearest code of the rest."""
    first = np.array([[0], [10], [-11], [90]], np.float32)
    last = np.array([[0], [1]], np.float32)
    latents = np.array([[0.0], [0.1], [0.2], [10.0], [10.1], [0.3]], np.float32)
    codes = quantise(latents, (first, last))
    found = make_unique(latents, (first, last), codes, SemanticIdConfig(sizes=(4, 2)))
    # 10 is the nearest beginning to 0.2, but its two ids are taken; then -11, of which 1 is nearer
    assert found.codes.tolist() == [[0, 0], [0, 1], [2, 1], [1, 0], [1, 1], [2, 0]]
    assert (found.by_nearest, found.by_prefix) == (2, 2)


def test_names_of_codes_do_not_matter():
    latents, books, codes = worlds(60, 4, (4, 4, 8), 3, spread=0.5)
    rng = np.random.default_rng(0)
    order = [rng.permutation(len(book)) for book in books]
    renamed = tuple(book[places] for book, places in zip(books, order, strict=True))
    for way in ("sinkhorn", "nearest"):
        config = SemanticIdConfig(sizes=(4, 4, 8), unique=way)
        before = make_unique(latents, books, codes, config)
        after = make_unique(latents, renamed, quantise(latents, renamed), config)
        back = np.stack([order[level][after.codes[:, level]] for level in range(3)], axis=1)
        np.testing.assert_array_equal(back, before.codes)
        assert (after.by_sinkhorn, after.by_nearest) == (before.by_sinkhorn, before.by_nearest)
        assert before.by_sinkhorn + before.by_nearest > 0


@pytest.mark.parametrize(
    ("sizes", "asked", "told"),
    [
        ((2, 2), (2, 2), ["5 items", "2 x 2 codes make 4", "add a level to `sizes`", "'none'"]),
        ((2, 2), (9, 9), ["`items_per_code` (now 4)", "5 items to 2 codes"]),
    ],
)
def test_too_few_ids_are_refused_with_the_setting_to_raise(sizes, asked, told):
    latents, books, codes = worlds(5, 2, sizes, 0)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        make_unique(latents, books, codes, SemanticIdConfig(sizes=asked))
    for words in told:
        assert words in str(caught.value)


def test_groups_are_those_of_one_id():
    codes = np.array([[1, 2], [0, 0], [1, 2], [3, 3], [0, 0], [1, 2]], np.int32)
    assert [rows.tolist() for rows in groups(codes)] == [[1, 4], [0, 2, 5]]
    assert list(groups(codes[:2])) == []


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 99), st.sampled_from([0.1, 0.5, 3]))
def test_sinkhorns_assignment_uses_all_codes_alike(n, k, seed, epsilon):
    distances = np.random.default_rng(seed).random((n, k)) * 7
    share = sinkhorn(distances, epsilon, steps=1000)
    np.testing.assert_allclose(share.sum(axis=0), n / k, rtol=1e-9)
    np.testing.assert_allclose(share.sum(axis=1), 1, rtol=1e-3)
    assert (share >= 0).all()


def test_sinkhorns_assignment_is_the_best_one_where_it_is_hard():
    distances = np.array([[0.0, 1.0, 9.0], [0.1, 3.0, 9.0], [5.0, 5.0, 6.0]])
    chosen = sinkhorn(distances, 0.01, steps=500).argmax(axis=1)
    best = min(itertools.permutations(range(3)), key=lambda order: distances[range(3), order].sum())
    assert chosen.tolist() == list(best) == [1, 0, 2]


def test_sinkhorn_is_lc_recs_formula():
    """In logarithms it is what LC-Rec computes with exp, where that does not overflow."""
    distances = np.random.default_rng(0).random((4, 6))
    middle = (distances.max() + distances.min()) / 2
    plain = np.exp(-(distances - middle) / (distances.max() - middle) / 0.05)
    plain /= plain.sum()
    for _ in range(50):
        plain /= plain.sum(axis=1, keepdims=True) * 4
        plain /= plain.sum(axis=0, keepdims=True) * 6
    np.testing.assert_allclose(sinkhorn(distances, 0.05), plain * 4, rtol=1e-9)


@pytest.mark.parametrize("epsilon", [1e-6, 1.0])
def test_sinkhorn_stands_what_is_all_alike_and_any_epsilon(epsilon):
    for distances in (np.zeros((3, 4)), np.eye(3) * 1e12):
        assert np.isfinite(sinkhorn(distances, epsilon)).all()


def test_sinkhorns_rounds_tell_a_group_apart_before_free_codes_do():
    latents, books, codes = worlds(40, 4, (2, 2, 32), 5, spread=0.3)
    assert distinct(codes) < 40
    with_rounds = make_unique(
        latents, books, codes, SemanticIdConfig(sizes=(2, 2, 32), unique="sinkhorn")
    )
    without = make_unique(
        latents,
        books,
        codes,
        SemanticIdConfig(sizes=(2, 2, 32), unique="sinkhorn", sinkhorn_rounds=0),
    )
    assert with_rounds.by_sinkhorn > 0 == without.by_sinkhorn
    assert without.by_nearest == 40 - distinct(codes)
