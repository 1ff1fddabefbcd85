"""What the checks of sense make of answers."""

from types import SimpleNamespace

import numpy as np
import pytest

from mmbench.check import worlds
from mmbench.check.rules import CheckFailed
from mmbench.check.sense import embeddings_agree_with_scores
from mmbench.products import Products


def lab(items, queries, scores):
    """What is seen of a cell whose model has these embeddings and answers these scores."""
    embeddings = {"items": {"fused": items}, "queries": {"fused": queries}}
    cell = SimpleNamespace(embeddings=embeddings, reply=lambda name: scores)
    return SimpleNamespace(cell=lambda name: cell, offer=SimpleNamespace(narrow=False))


@pytest.mark.parametrize("dim", [33, 65, 384])
def test_few_vectors_for_many_items_agree_with_their_scores(dim):
    """Ties in the scores are ties in the products: rounding must not order what is level."""
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
