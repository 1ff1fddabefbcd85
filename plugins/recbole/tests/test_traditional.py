import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmbench_recbole.configs import ItemKNNConfig
from mmbench_recbole.models import ItemKNN
from mmbench_recbole.traditional import (
    cosine_neighbours,
    exact_neighbours,
    popularity,
    rate_by_similarity,
)


def oracle(sequences, n_items, neighbours, shrink):
    """Dense cosine similarity by the book; column j keeps its largest ``neighbours``."""
    had = np.zeros((len(sequences), n_items + 1))
    for row, items in zip(had, sequences, strict=True):
        row[items] = 1
    norm = np.sqrt((had**2).sum(0))
    similarity = had.T @ had / (np.outer(norm, norm) + shrink + 1e-6)
    np.fill_diagonal(similarity, 0)
    if neighbours:
        cut = -np.sort(-similarity, axis=0)[neighbours - 1]
        similarity[similarity < cut] = 0
    return similarity


@pytest.mark.parametrize(("neighbours", "shrink"), [(0, 0.0), (0, 5.0)])
def test_itemknn_equals_the_dense_oracle(world, neighbours, shrink):
    train = [s[:-1] for s in world.sequences]
    expected = oracle(train, world.n_items, neighbours, shrink)
    found = cosine_neighbours(world.train, neighbours, shrink)
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-6)

    # The whole history counts, also what came after training; each item once.
    history = np.array([[0, 0, 3, 3, 8], [0, 0, 0, 0, 0], [1, 2, 3, 4, 30]])
    scores = rate_by_similarity(history, found)
    for row, items in zip(scores, ([3, 8], [], [1, 2, 3, 4, 30]), strict=True):
        np.testing.assert_allclose(row, expected[items].sum(0)[1:], atol=1e-5)
    assert scores.dtype == np.float32


def test_itemknn_keeps_the_nearest_neighbours(interactions_of):
    rng = np.random.default_rng(1)
    sequences = [rng.choice(12, size=rng.integers(2, 9), replace=False) + 1 for _ in range(200)]
    full = oracle(sequences, 12, 0, 0.0)
    found = cosine_neighbours(interactions_of(sequences, 12), 3, 0.0).toarray()
    assert ((found > 0).sum(0) <= 3).all()
    for j in range(1, 13):
        kept = np.sort(full[:, j])[-3:]
        np.testing.assert_allclose(np.sort(found[:, j])[-3:], kept, atol=1e-6)


def cosines(sequences, n_items):
    """``{(i, j): c^2 / p}``, the squared cosines of two items as exact fractions."""
    had = [{user for user, row in enumerate(sequences) if i in row} for i in range(n_items + 1)]
    return {
        (i, j): Fraction(len(had[i] & had[j]) ** 2, len(had[i]) * len(had[j]))
        for i in range(1, n_items + 1)
        for j in range(1, n_items + 1)
        if i != j and had[i] & had[j]
    }


BASKETS = st.lists(st.sets(st.integers(1, 9), min_size=1), min_size=1, max_size=12)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BASKETS)
def test_exact_cosines_are_equal_where_fractions_are(interactions_of, baskets):
    sequences = [sorted(basket) for basket in baskets]
    wanted = cosines(sequences, 9)
    found = exact_neighbours(interactions_of(sequences, 9), 0, 0.0)
    assert found.nnz == len(wanted)
    value: dict[Fraction, set] = {}
    for pair, exact in wanted.items():
        assert found[pair] == pytest.approx(float(exact) ** 0.5, abs=1e-12)
        value.setdefault(exact, set()).add(float(found[pair]))
    assert all(len(several) == 1 for several in value.values())
    assert len(set.union(set(), *value.values())) == len(value)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BASKETS, st.permutations(range(1, 10)), st.sets(st.integers(1, 9), min_size=1))
def test_exact_sums_do_not_depend_on_numbers(interactions_of, baskets, order, history):
    """Items renumbered, and so added up in another order: the same scores, bit by bit."""
    new = np.array([0, *order])
    sequences = [np.array(sorted(basket)) for basket in baskets]
    first = exact_neighbours(interactions_of(sequences, 9), 0, 0.0)
    second = exact_neighbours(interactions_of([new[row] for row in sequences], 9), 0, 0.0)
    shown = np.array([sorted(history)])
    ours, theirs = rate_by_similarity(shown, first), rate_by_similarity(new[shown], second)
    np.testing.assert_array_equal(ours[0], theirs[0, new[1:] - 1])


@pytest.mark.parametrize("shrink", [0.0, 3.0])
@pytest.mark.parametrize("neighbours", [0, 1, 3, 50])
def test_exact_neighbours_keep_all_that_are_level_with_the_last(
    interactions_of, neighbours, shrink
):
    rng = np.random.default_rng(2)
    sequences = [rng.choice(12, size=rng.integers(2, 5), replace=False) + 1 for _ in range(10)]
    train = interactions_of(sequences, 14)  # two items that nobody had
    full = exact_neighbours(train, 0, shrink).toarray()
    np.testing.assert_allclose(full, oracle(sequences, 14, 0, shrink), atol=1e-5)
    found = exact_neighbours(train, neighbours, shrink).toarray()
    level = 0
    for ours, every in zip(found.T, full.T, strict=True):
        cut = np.sort(every)[-neighbours] if neighbours and neighbours < 15 else 0
        np.testing.assert_array_equal(ours, np.where(every >= cut, every, 0))
        level += (ours > 0).sum() > neighbours
    assert neighbours not in (1, 3) or level


def test_equally_near_items_are_level_only_where_asked(interactions_of, queries_of):
    """2 and 3 have one user each, the same; 4 and 5 have the same two users: a cosine of 1."""
    train = interactions_of([[2, 3], [4, 5], [4, 5]], 6)
    queries = queries_of([[2, 4]])
    split, level = ItemKNN(ItemKNNConfig()), ItemKNN(ItemKNNConfig(exact_ties=True))
    for model in (split, level):
        model.fit(train=train)
    (ours,), (exact,) = split.score(queries=queries), level.score(queries=queries)
    assert ours[5 - 1] > ours[3 - 1] > 0  # RecBole's 2 / 2.000001 and 1 / 1.000001
    assert exact.tolist() == [0, 0, 1, 0, 1, 0]
    assert exact.dtype == np.float32


def test_popularity_counts_training_events(world):
    counts = np.bincount(world.train.item, minlength=world.n_items + 1)[1:]
    np.testing.assert_allclose(popularity(world.train), counts / counts.max(), rtol=1e-6)


def ranks(scores, target, masked=()):
    """How many other items are rated at least as high: the last place among ties."""
    row = np.arange(len(target))
    own = scores[row, target - 1][:, None]
    if len(masked):
        for line, items in zip(scores, masked, strict=True):
            line[items - 1] = -np.inf
    return (scores >= own).sum(1) - 1


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.skipif("MMBENCH_DATA" not in os.environ, reason="MMBENCH_DATA is not set")
def test_beauty_figures(interactions_of, queries_of):
    """Pop and ItemKNN on Amazon Beauty, as measured apart from this code.

    That measurement put a target behind the items it ties with, which matters for Pop: two items
    share the tenth place.
    """
    lines = (Path(os.environ["MMBENCH_DATA"]) / "amazon2014-beauty/sequences.txt").read_text()
    sequences = [np.array(line.split()[1:], dtype=np.int32) for line in lines.splitlines()]
    n_items = int(max(s.max() for s in sequences))
    train = interactions_of([s[:-2] for s in sequences], n_items)
    similarity, popular = cosine_neighbours(train, 0, 0.0), popularity(train)
    raters = {
        "itemknn": lambda history: rate_by_similarity(history, similarity),
        "pop": lambda history: np.tile(popular, (len(history), 1)),
    }
    found = {}
    for name, rate in raters.items():
        plain, masked = [], []
        for start in range(0, len(sequences), 1000):
            part = sequences[start : start + 1000]
            target = np.array([s[-1] for s in part])
            scores = rate(queries_of([s[:-1] for s in part], width=250).history)
            plain.append(ranks(scores, target))
            masked.append(ranks(scores, target, [s[:-1] for s in part]))
        for key, parts in (("full", plain), ("unseen", masked)):
            rank = np.concatenate(parts)
            ndcg = np.where(rank < 10, 1 / np.log2(rank + 2), 0).mean()
            found[name, key] = (ndcg, (rank < 10).mean())
    measured = {
        ("itemknn", "full"): (0.0236, 0.0456),
        ("itemknn", "unseen"): (0.0325, 0.0568),
        ("pop", "full"): (0.0051, 0.0106),
        ("pop", "unseen"): (0.0053, 0.0110),
    }
    for key, figures in measured.items():
        np.testing.assert_allclose(found[key], figures, atol=5e-4, err_msg=str(key))
