"""A candidate set is one value, and nothing else has to know of it."""

import dataclasses

import numpy as np
import pytest

from mmbench.protocol import CANDIDATE_SETS, affordable, evaluate, get_protocol, split, summarise
from mmbench.protocol.candidate_sets import FULL, UNSEEN, negatives
from mmbench.protocol.candidates import places, shown_candidates

LOO = get_protocol("loo@2")
SEVERAL = dataclasses.replace(LOO, candidate_sets=(negatives(30), FULL, negatives(7)))


def test_sets_say_what_they_are():
    assert {name: (one.kind, one.size, one.sampled) for name, one in CANDIDATE_SETS.items()} == {
        "full": ("full", 0, False),
        "unseen": ("unseen", 0, False),
        "neg100": ("sampled", 100, True),
    }
    for one in CANDIDATE_SETS.values():
        assert one.title
        assert one.explanation.endswith(".")


@pytest.mark.parametrize(
    ("widest", "names"),
    [
        (None, ["neg30", "full", "neg7"]),
        (400, ["neg30", "full", "neg7"]),
        (399, ["neg7", "neg30"]),
        (31, ["neg7", "neg30"]),
        (30, ["neg7"]),
        (2, ["neg7"]),
    ],
)
def test_a_model_is_asked_what_it_can_afford(widest, names):
    found = affordable(SEVERAL.candidate_sets, widest, 400)
    assert [one.name for one in found] == names


@pytest.fixture(scope="module")
def fold(shop):
    return split(shop, SEVERAL).test


@pytest.fixture(scope="module")
def scores():
    """300 x 400, with ties and silence."""
    rng = np.random.default_rng(3)
    scores = rng.integers(-9, 9, (300, 400)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.1] = -np.inf
    return scores


def test_the_negatives_of_a_small_set_are_in_every_larger_one(fold):
    assert set(fold.candidates) == {"neg30", "neg7"}
    assert fold.candidates["neg30"].shape == (300, 31)
    for few, many in zip(fold.candidates["neg7"], fold.candidates["neg30"], strict=True):
        assert len(set(few.tolist())) == 8
        assert set(few.tolist()) <= set(many.tolist())


def test_several_sampled_sets_are_ranked_in_one_pass(fold, scores, answering):
    ranks = evaluate(fold, 400, answering(scores), SEVERAL)
    assert [*ranks.greater] == ["neg30", "full", "neg7"]
    assert [*ranks.top] == ["full"]
    own = scores[np.arange(300), fold.target - 1]
    for name, candidates in fold.candidates.items():
        values = np.take_along_axis(scores, candidates - 1, axis=1)
        assert np.array_equal(ranks.greater[name], (values > own[:, None]).sum(1))
        assert np.array_equal(ranks.equal[name], (values == own[:, None]).sum(1) - 1)
    assert [*summarise(ranks)] == ["neg30", "full", "neg7"]


def test_who_rates_candidates_alone_is_asked_once_for_all_sampled_sets(fold, scores, answering):
    whole = evaluate(fold, 400, answering(scores), SEVERAL)
    sets = affordable(SEVERAL.candidate_sets, 31, 400)
    shown = shown_candidates(fold, sets, 400)
    asked = []

    def ask(what, slices):
        for rows in slices:
            asked.append((what, rows))
            yield np.take_along_axis(scores[rows], shown[rows] - 1, axis=1)

    ranks = evaluate(fold, 400, ask, SEVERAL, sets=sets)
    assert asked == [("candidates", slice(0, 300))]
    assert [*ranks.greater] == ["neg7", "neg30"]
    assert not ranks.top
    for name in ranks.greater:
        assert np.array_equal(ranks.greater[name], whole.greater[name])
        assert np.array_equal(ranks.equal[name], whole.equal[name])


def test_places_in_what_is_shown():
    shown = np.array([[2, 5, 9], [1, 2, 3]], np.int32)
    found = places(np.array([[9, 2], [2, 3]], np.int32), shown)
    assert found.tolist() == [[3, 1], [2, 3]]
    assert found.dtype == np.int32


def test_another_size_is_another_name_and_other_words():
    thousand = negatives(1000)
    assert (thousand.name, thousand.size, thousand.sampled) == ("neg1000", 1000, True)
    assert "1000" in thousand.title
    assert UNSEEN not in (thousand, FULL)
