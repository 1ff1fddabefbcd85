"""The embedding reports against a slow reading of the formulas."""

import math

import numpy as np
import pytest

from mmbench.protocol import get_protocol, split
from mmbench.protocol.geometry import geometry, modality_report, unit

LOO = get_protocol("loo@2")


@pytest.fixture
def fold(make_log, drawing):
    rng = np.random.default_rng(0)
    sequences = [rng.permutation(30)[:6] + 1 for _ in range(40)]
    return split(make_log(sequences, 30), drawing(LOO, 7)).test


@pytest.fixture
def spaces(fold):
    rng = np.random.default_rng(1)
    return (
        rng.normal(size=(len(fold), 5)).astype(np.float32),
        rng.normal(size=(31, 5)).astype(np.float32),
    )


def square(left, right):
    a, b = left / np.linalg.norm(left), right / np.linalg.norm(right)
    return float(((a - b) ** 2).sum())


def test_geometry_is_equations_4_and_5(fold, spaces):
    queries, items = spaces
    found = geometry(queries, items, fold)
    positive, negative = [], []
    drawn = fold.candidates["neg7"]
    for query, target, candidates in zip(queries, fold.target, drawn, strict=True):
        positive.append(square(query, items[target]))
        negative += [square(query, items[item]) for item in candidates if item != target]
    every = [math.exp(-2 * square(query, item)) for query in queries for item in items[1:]]
    assert found["a_pos"] == pytest.approx(np.mean(positive), rel=1e-5)
    assert found["a_neg"] == pytest.approx(np.mean(negative), rel=1e-5)
    assert found["separability"] == pytest.approx(np.mean(negative) / np.mean(positive), rel=1e-5)
    assert found["uniformity"] == pytest.approx(math.log(np.mean(every)), abs=0.01)


def test_lengths_do_not_matter_and_targets_do(fold, spaces):
    queries, items = spaces
    first = geometry(queries, items, fold)
    assert geometry(7 * queries, 0.1 * items, fold) == pytest.approx(first, rel=1e-4)
    at_target = geometry(items[fold.target], items, fold)
    assert at_target["a_pos"] == pytest.approx(0, abs=1e-6)
    assert at_target["separability"] > 1e3


def test_a_collapsed_space_has_no_separability(fold):
    queries, items = np.ones((len(fold), 4), np.float32), np.ones((31, 4), np.float32)
    found = geometry(queries, items, fold)
    assert found["uniformity"] == pytest.approx(0, abs=1e-6)
    assert found["a_neg"] == pytest.approx(0, abs=1e-6)


def test_each_modality_is_asked_for_the_fused_target(fold, drawing, spaces):
    noise, items = spaces
    queries = {"fused": items[fold.target], "text": noise, "image": -items[fold.target]}
    found = modality_report(queries, items, fold, drawing(LOO, 7))
    assert list(found) == ["f2f", "t2f", "v2f"]
    assert found["f2f"]["full"]["hit@1"] == 1
    assert found["v2f"]["full"]["hit@10"] == 0
    assert 0 < found["t2f"]["full"]["ndcg@10"] < 1
    cosine = unit(noise) @ unit(items)[1:].T
    rank = (cosine > cosine[np.arange(len(fold)), fold.target - 1][:, None]).sum(1) + 1
    expected = np.where(rank <= 10, 1 / np.log2(rank + 1), 0).mean()
    assert found["t2f"]["full"]["ndcg@10"] == pytest.approx(expected)


def test_items_of_one_vector_are_level(fold, drawing):
    """All 30 of one vector, in a length and a number that libraries cut into several pieces."""
    rng = np.random.default_rng(2)
    items = np.repeat(rng.normal(size=(1, 65)), 31, axis=0).astype(np.float32)
    queries = {"fused": rng.normal(size=(len(fold), 65)).astype(np.float32)}
    found = modality_report(queries, items, fold, drawing(LOO, 7))["f2f"]["full"]
    assert found["hit@1"] == pytest.approx(1 / 30)
    assert found["hit@10"] == pytest.approx(10 / 30)


def test_a_space_of_another_width_has_no_row(fold, drawing, spaces):
    queries, items = spaces
    queries = {"fused": queries, "text": queries[:, :3]}
    found = modality_report(queries, items, fold, drawing(LOO, 7))
    assert list(found) == ["f2f"]


def test_a_vector_of_zeros_stays():
    assert np.array_equal(unit(np.zeros((2, 3), np.float32)), np.zeros((2, 3)))
