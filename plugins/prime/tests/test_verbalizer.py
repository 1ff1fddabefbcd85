"""Labels that are one token each, and their log-probabilities."""

import numpy as np
import pytest
import torch
from mmbench_prime.ranker import Ranker
from mmbench_prime.verbalizer import choose_labels, read_labels


def alphabet(text):
    """A tokenizer that knows capitals and pairs that begin with A, and spells all else."""
    if len(text) == 2 and text[0] == "A":
        return [100 + ord(text[1])]
    return [ord(one) for one in text]


def test_the_letters_come_first():
    found = choose_labels(25, alphabet)
    assert "".join(found) == "ABCDEFGHIJKLMNOPQRSTUVWXY"
    assert list(found.values()) == [ord(one) for one in found]


def test_beyond_the_alphabet_other_single_tokens_are_taken_all_different():
    found = choose_labels(40, alphabet)
    assert list(found)[26:] == [f"A{letter}" for letter in "ABCDEFGHIJKLMN"]
    assert len(set(found.values())) == 40


def test_labels_of_one_token_are_one_label():
    folded = choose_labels(30, lambda text: [ord(text.upper())] if len(text) == 1 else [1, 2])
    assert not any(label.islower() for label in folded)


def test_a_tokenizer_that_knows_too_few_is_refused():
    with pytest.raises(ValueError, match=r"topk is 90, and the tokenizer has only 88 labels"):
        choose_labels(90, alphabet)


def test_rates_are_log_probabilities_among_the_labels():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 5, (4, 50))
    tokens = [7, 3, 48]
    found = read_labels(torch.tensor(logits, dtype=torch.float32), tokens)
    mass = np.exp(logits[:, tokens])
    np.testing.assert_allclose(found, np.log(mass / mass.sum(axis=1, keepdims=True)), atol=1e-5)


def test_a_ranker_of_40_candidates_has_40_labels(small, items, make_run):
    ranker = Ranker(small(topk=40), items, make_run())
    assert len(set(ranker.tokens)) == 40
    text = ranker.backbone.tokenizer.convert_ids_to_tokens(ranker.tokens)
    assert text == ranker.labels
