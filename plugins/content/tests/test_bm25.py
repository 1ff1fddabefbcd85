"""BM25 between histories and texts."""

import math

import bm25s
import numpy as np
import pytest
from mmbench_content.bm25 import Index
from mmbench_content.configs import BM25Config

TEXTS = [
    "",
    "red wool hat for winter",
    "red silk scarf",
    "blue wool scarf with wool lining",
    "",
    "garden hose",
    "wool wool wool",
]


def rows(*histories, width=5):
    found = np.zeros((len(histories), width), np.int32)
    for row, items in zip(found, histories, strict=True):
        row[width - len(items) :] = items
    return found


def words_of(text):
    return [word for word in text.split() if word not in {"for", "with"}]


def oracle(history, config):
    """Lucene's BM25 by loops, each word of the history with its event's weight."""
    documents = [words_of(text) for text in TEXTS]
    mean = sum(map(len, documents)) / len(documents)
    scores = np.zeros(len(TEXTS))
    for age, item in enumerate(history[::-1][: config.max_history]):
        for word in documents[item]:
            df = sum(word in document for document in documents)
            idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
            for place, document in enumerate(documents):
                tf = document.count(word)
                norm = config.k1 * (1 - config.b + config.b * len(document) / mean)
                scores[place] += config.decay**age * idf * tf / (tf + norm)
    return scores[1:]


@pytest.mark.parametrize(
    "config",
    [
        BM25Config(),
        BM25Config(decay=0.5),
        BM25Config(max_history=2),
        BM25Config(k1=0.9, b=0.4, decay=0.8, max_history=3),
        BM25Config(k1=1.2, b=0.0),
    ],
)
def test_scores_are_those_of_the_formula(config):
    histories = [[1], [2, 3], [3, 3, 1], [4], [], [1, 2, 3, 5, 6]]
    found = Index(TEXTS, config).rate(rows(*histories))
    assert found.dtype == np.float32
    expected = [oracle(history, config) for history in histories]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_scores_are_those_of_bm25s():
    tokens = bm25s.tokenize(TEXTS, stopwords="english", return_ids=False, show_progress=False)
    index = bm25s.BM25()
    index.index(tokens, show_progress=False)
    query = [*tokens[2], *tokens[3]]
    found = Index(TEXTS, BM25Config()).rate(rows([2, 3]))[0]
    np.testing.assert_allclose(found, index.get_scores(query)[1:], rtol=1e-6)


def test_nothing_shared_is_zero():
    found = Index(TEXTS, BM25Config()).rate(rows([5], [4], []))
    assert np.flatnonzero(found[0]).tolist() == [5 - 1]
    assert not found[1:].any()


def test_texts_without_words_are_said_plainly():
    with pytest.raises(ValueError, match="no word that BM25 can use"):
        Index(["", "of the", "a"], BM25Config())
