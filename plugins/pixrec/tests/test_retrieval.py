"""Generated texts to a ranking: BM25 against two other implementations, rounds by hand."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmbench_pixrec.retrieval import (
    Draft,
    Index,
    agreement,
    choose_drafts,
    round_robin,
    scale,
    split_words,
)
from rank_bm25 import BM25Okapi

TEXTS = [
    "Title: WWE T-Shirt Club - Men - L. Category: BOXES.",
    "Title: WWE T-Shirt Club - Men - M. Category: BOXES.",
    "Title: Funko Marvel Collector Corps, I Am Groot, L, Multicolor. Category: BOXES.",
    "Title: Allure Beauty Box. Category: BOXES. Brand: Allure.",
    "Title: Everyday Food. Category: Magazines.",
]
QUERIES = [
    "WWE shirt club men L",
    "Title: Funko box box box",
    "beauty allure everyday",
    "nothing known here",
    "",
]
EPSILON = 1 / 5000


class PlainLucene(BM25Okapi):
    """rank_bm25's classic with the idf and the missing factor of Lucene's form."""

    def _calc_idf(self, nd):
        for word, count in nd.items():
            self.idf[word] = math.log(1 + (self.corpus_size - count + 0.5) / (count + 0.5))

    def get_scores(self, query):
        return super().get_scores(query) / (self.k1 + 1)


def test_scores_are_those_of_a_plain_implementation():
    plain = PlainLucene([split_words(text) for text in TEXTS], k1=1.5, b=0.75)
    wanted = np.array([plain.get_scores(split_words(query)) for query in QUERIES])
    found = Index(TEXTS).rate(QUERIES)
    assert np.abs(found - wanted).max() < 1e-5
    assert found[:3].any(axis=1).all()
    assert not found[3:].any()


@pytest.mark.parametrize(("k1", "b"), [(1.5, 0.75), (0.9, 0.4), (1.2, 0.0)])
def test_scores_are_those_of_the_formula(k1, b):
    documents = [split_words(text) for text in TEXTS]
    mean = sum(map(len, documents)) / len(documents)
    found = Index(TEXTS, k1=k1, b=b).rate(QUERIES)
    for query, row in zip(QUERIES, found, strict=True):
        for document, score in zip(documents, row, strict=True):
            wanted = 0.0
            for word in split_words(query):
                df = sum(word in other for other in documents)
                tf = document.count(word)
                idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
                wanted += idf * tf / (tf + k1 * (1 - b + b * len(document) / mean))
            assert score == pytest.approx(wanted, abs=1e-5)


def test_sizes_are_told_apart():
    large, medium = Index(TEXTS).rate(["WWE T-Shirt Club - Men - M."])[0, :2]
    assert medium > large
    large, medium = Index(TEXTS, words="bm25s").rate(["WWE T-Shirt Club - Men - M."])[0, :2]
    assert medium == large  # what the library's own words lose


def test_words_of_both_kinds():
    assert split_words("Size L, the Ärmel_2!") == ["size", "l", "the", "ärmel_2"]
    assert split_words("Size L, the Ärmel_2!", "bm25s") == ["size", "ärmel_2"]


def test_texts_without_a_word_are_refused():
    with pytest.raises(ValueError, match="no word"):
        Index(["", "!"])


def test_drafts_are_distinct_and_the_likeliest_come_first():
    found = choose_drafts(
        [("b", -1.0), (" a ", -2.0), ("a", -0.5), ("  ", -0.1), ("c", -1.0), ("d", -9.0)], most=3
    )
    assert found == [Draft("a", -0.5, 2), Draft("b", -1.0), Draft("c", -1.0)]


def test_scaling_by_hand():
    rates = np.array([[2, 4, 3], [5, 5, 5], [0, 0, 8]], np.float32)
    assert scale(rates).tolist() == [[0, 1, 0.5], [0, 0, 0], [0, 0, 1]]


def test_each_draft_brings_its_best_item_first():
    """Three drafts match an item each: they stand in the order of their likelihood."""
    rates = np.array([[9, 0, 0, 0], [0, 2, 0, 0], [0, 0, 5, 0]], np.float32)
    levels = round_robin(rates, [-3.0, -1.0, -2.0], np.array([1, 1, 1, 100]), EPSILON)
    assert levels.tolist() == [1, 3, 2, 0]


def test_second_best_items_follow_by_scaled_rating():
    """Hand-worked: 3 items, 2 drafts; scaled [1, .5, 0] and [0, .25, 1]."""
    rates = np.array([[6, 4, 2], [0, 1, 4]], np.float32)
    assert round_robin(rates, [-1.0, -2.0], np.zeros(3, int), EPSILON).tolist() == [2, 0, 1]
    assert round_robin(rates, [-2.0, -1.0], np.zeros(3, int), EPSILON).tolist() == [1, 0, 2]


def test_weights_are_not_only_for_ties():
    """With an epsilon of 1 a text that is unlikely loses even its best item's place."""
    rates = np.array([[6, 4, 2], [0, 1, 4]], np.float32)
    assert round_robin(rates, [0.0, -5.0], np.zeros(3, int), 1.0).tolist() == [2, 1, 0]


def test_equal_scores_stand_by_the_best_rating():
    rates = np.array([[2, 0, 0], [0, 7, 0]], np.float32)
    assert round_robin(rates, [-1.0, -1.0], np.zeros(3, int), EPSILON).tolist() == [1, 2, 0]


def test_what_is_level_stays_level():
    rates = np.array([[3, 3, 0, 0, 0]], np.float32)
    levels = round_robin(rates, [-1.0], np.array([5, 9, 2, 2, 4]), EPSILON)
    assert levels.tolist() == [2, 2, 0, 0, 1]


def test_without_a_draft_popularity_decides():
    levels = round_robin(np.zeros((0, 3), np.float32), [], np.array([4, 9, 4]), EPSILON)
    assert levels.tolist() == [0, 1, 0]


def reference(drafts, index, popularity):
    """The algorithm of the module's text by loops and a plain sort."""
    pooled = [0.0] * index.size
    raw = [0.0] * index.size
    for draft in drafts:
        row = index.rate([draft.text])[0].tolist()
        low, high = min(row), max(row)
        for place, rate in enumerate(row):
            scaled = (rate - low) / (high - low) if high > low else 0.0
            pooled[place] = max(pooled[place], math.exp(draft.logp * EPSILON) * scaled)
            raw[place] = max(raw[place], rate)
    keys = [
        (score, best, 0) if score > 0 else (0.0, 0.0, int(sold))
        for score, best, sold in zip(pooled, raw, popularity, strict=True)
    ]
    ranks = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return [ranks[key] for key in keys]


GENERATION = st.tuples(
    st.lists(
        st.sampled_from(["wwe", "club", "men", "l", "m", "funko", "box", "allure", "xyz"]),
        max_size=5,
    ),
    st.floats(-40, 0),
)


@given(st.lists(GENERATION, max_size=8), st.randoms(use_true_random=False))
def test_the_ranking_is_that_of_the_algorithm_in_any_order(generations, random):
    index, popularity = Index(TEXTS), np.array([3, 1, 4, 1, 5])
    texts = [(" ".join(words), logp) for words, logp in generations]
    drafts = choose_drafts(texts, 6)
    found = round_robin(
        index.rate([draft.text for draft in drafts]),
        [draft.logp for draft in drafts],
        popularity,
        EPSILON,
    )
    assert found.tolist() == reference(drafts, index, popularity)
    random.shuffle(texts)
    assert choose_drafts(texts, 6) == drafts


def test_the_ranking_is_the_same_in_another_process():
    """Whatever the hash seed."""
    code = (
        "from mmbench_pixrec.retrieval import *; import numpy as np;"
        f"index = Index({TEXTS!r}); drafts = choose_drafts([(q, -len(q)) for q in {QUERIES!r}], 9);"
        "rates = index.rate([d.text for d in drafts]);"
        "print(round_robin(rates, [d.logp for d in drafts], np.arange(5), 2e-4).tolist())"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1 and answers.pop().count(",") == 4


def test_agreement_is_the_share_of_the_commonest_best_match():
    rates = np.array([[1, 0, 0], [3, 1, 0], [0, 2, 1], [0, 0, 0]], np.float32)
    assert agreement(rates, [1, 2, 4, 1]) == 4 / 8
    assert agreement(rates[:2], [1, 2]) == 1
    assert agreement(rates[3:], [5]) == 0
    assert agreement(np.zeros((0, 3), np.float32), []) == 0
