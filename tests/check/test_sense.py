"""What the checks of sense make of answers."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from mmbench.check import worlds
from mmbench.check.baseline import best_guess
from mmbench.check.rules import CheckFailed
from mmbench.check.sense import embeddings_agree_with_scores, learns_which_item_follows_which
from mmbench.grid.question import ask_question
from mmbench.products import Products
from mmbench.protocol import CANDIDATE_SETS, get_protocol


def lab(items, queries, scores):
    """What is seen of a cell whose model has these embeddings and answers these scores."""
    embeddings = {"items": {"fused": items}, "queries": {"fused": queries}}
    cell = SimpleNamespace(embeddings=embeddings, reply=lambda name: scores)
    return SimpleNamespace(cell=lambda name: cell, offer=SimpleNamespace(narrow=False))


@pytest.mark.parametrize("dim", [33, 65, 384])
def test_few_vectors_for_many_items_agree_with_their_scores(dim):
    """Ties in the scores are ties in the products: rounding must not order what is tied."""
    rng = np.random.default_rng(dim)
    items = rng.normal(size=(worlds.ITEMS + 1, dim)).astype(np.float32)
    items[1:] = items[rng.integers(1, 4, worlds.ITEMS)]
    queries = rng.normal(size=(90, dim)).astype(np.float32)
    scores = Products(items[1:]).rate(queries)
    rounded = scores * (1 + 1e-6 * rng.normal(size=scores.shape)).astype(np.float32)
    embeddings_agree_with_scores(lab(items, queries, scores))
    embeddings_agree_with_scores(lab(items, queries, rounded))
    with pytest.raises(CheckFailed, match=r"and 0\.99 is asked for"):
        embeddings_agree_with_scores(lab(items, queries[::-1], scores))


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    return worlds.make_world(tmp_path_factory.mktemp("ring"))


def ranked(ring, right):
    """A lab whose model has so many of the hundred targets first, and all others last."""
    queries = np.arange(worlds.USERS)
    ranks = {
        "greater_full": np.where(queries < right, 0, worlds.ITEMS - 1).astype(np.int32),
        "equal_full": np.zeros(worlds.USERS, np.int32),
    }
    cell = SimpleNamespace(outcome=SimpleNamespace(ranks=ranks))
    offer = SimpleNamespace(sets=[CANDIDATE_SETS["full"]])
    return SimpleNamespace(cell=lambda name: cell, offer=offer, world=ring)


def test_a_gain_is_believed_from_two_standard_errors_on(ring):
    learns_which_item_follows_which(ranked(ring, 100))
    learns_which_item_follows_which(ranked(ring, 35))
    for right in (0, 16, 25):
        with pytest.raises(CheckFailed, match="an interval above 0 is asked for"):
            learns_which_item_follows_which(ranked(ring, right))


def test_a_gain_that_is_not_believed_is_told_with_its_interval(ring):
    guessed = best_guess(ask_question(ring, get_protocol("loo@2")), CANDIDATE_SETS["full"])
    gain = np.where(np.arange(worlds.USERS) < 25, 1, 0) - guessed
    mean, error = gain.mean(), stats.sem(gain)
    told = f"the gain is {mean:+.3f}, between {mean - 2 * error:+.3f} and {mean + 2 * error:+.3f}"
    with pytest.raises(CheckFailed) as caught:
        learns_which_item_follows_which(ranked(ring, 25))
    assert str(caught.value).startswith(
        f"ndcg@10 is 0.250, and the better of chance and popularity has {guessed.mean():.3f}: "
        + told
    )


def test_the_best_guess_is_popularity_where_items_differ_in_it(ring):
    question = ask_question(ring, get_protocol("loo@2"))
    counts = np.bincount(question.split.train.item, minlength=worlds.ITEMS + 1)[1:]
    target = question.split.test.target
    above = (counts > counts[target - 1][:, None]).sum(axis=1)
    level = (counts == counts[target - 1][:, None]).sum(axis=1)
    gains = 1 / np.log2(np.arange(10) + 2)
    wanted = [gains[a : a + n].sum() / n for a, n in zip(above, level, strict=True)]
    np.testing.assert_allclose(best_guess(question, CANDIDATE_SETS["full"]), wanted)
