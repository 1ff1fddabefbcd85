"""The items' texts and their tf-idf vectors."""

import math

import numpy as np
import pytest
from mmbench_content.texts import item_texts, tfidf

from mmbench import Items

FIELDS = {"title": ["", "red hat", "", "scarf"], "brand": ["", "Milliner", "York", ""]}


def test_fields_are_joined():
    items = Items(3, FIELDS)
    assert item_texts(items) == ["", "red hat. Milliner", "York", "scarf"]
    assert item_texts(items, ("brand", "title")) == ["", "Milliner. red hat", "York", "scarf"]
    assert item_texts(items, ("title",)) == ["", "red hat", "", "scarf"]


def test_absent_columns_and_texts_are_said_plainly():
    with pytest.raises(ValueError, match=r"'colour'; there are \['brand', 'title'\]"):
        item_texts(Items(3, FIELDS), ("colour",))
    with pytest.raises(ValueError, match=r"no item has a text in the columns \['title'\]"):
        item_texts(Items(1, {"title": ["", ""]}))


def test_all_dimensions_keep_the_cosines_of_tfidf():
    texts = ["", "red hat hat", "red scarf", "the blue scarf", "the of"]
    vectors = tfidf(texts, 100)
    vocabulary = sorted({"red", "hat", "scarf", "blue"})
    weights = np.zeros((len(texts), len(vocabulary)))
    for place, text in enumerate(texts):
        for column, word in enumerate(vocabulary):
            count = text.split().count(word)
            df = sum(word in other.split() for other in texts)
            if count:
                weights[place, column] = (1 + math.log(count)) * (
                    math.log((1 + len(texts)) / (1 + df)) + 1
                )
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    weights /= np.where(lengths, lengths, 1)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors @ vectors.T, weights @ weights.T, atol=1e-6)
    assert not vectors[[0, 4]].any()


def test_fewer_dimensions_bring_synonyms_together():
    texts = [""] + ["red crimson"] * 4 + ["crimson hat", "red", "blue azure", "azure", "blue"]
    wide, narrow = tfidf(texts, 100), tfidf(texts, 2)
    assert narrow.shape == (len(texts), 2)
    hat, red = 5, 6
    assert narrow[hat] @ narrow[red] > 0.9 > 0.5 > wide[hat] @ wide[red]


def test_tfidf_does_not_depend_on_chance():
    texts = [f"word{n} word{n // 2} word{n // 5}" for n in range(60)]
    state = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(tfidf(texts, 8), tfidf(texts, 8))
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_texts_of_the_same_words_have_the_same_vector():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice([f"word{n}" for n in range(300)], 8)) for _ in range(500)]
    vectors = tfidf(["", *texts, *(text.upper() for text in texts[::-1])], 64)
    np.testing.assert_array_equal(vectors[1:501], vectors[:500:-1])


def test_texts_without_words_are_said_plainly():
    with pytest.raises(ValueError, match="no word that tf-idf can use"):
        tfidf(["", "the of", "a"], 4)
